"""A price is exact, from the client's digits to the log and back. It never becomes a float."""

from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import select

from eventstore.log.tables import events
from tests.support.clients.http import JSON
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXACT = {
    "9.99": "9.99",
    '"9.99"': "9.99",
    "0.1": "0.1",
    '"0.1"': "0.1",
    "0.3": "0.3",
    "99999999999999.9999": "99999999999999.9999",
    '"99999999999999.9999"': "99999999999999.9999",
    "-99999999999999.9999": "-99999999999999.9999",
    "0.0001": "0.0001",
    "-0.0001": "-0.0001",
    "-5": "-5.0",
    "1e2": "100.0",
    "1E+2": "100.0",
    "12.5e-3": "0.0125",
    "10": "10.0",
    "10.0000": "10.0",
    "1.50000000": "1.5",
    "0": "0.0",
    "-0": "0.0",
    "-0.0": "0.0",
    "0e9": "0.0",
    "4503599627370.4971": "4503599627370.4971",
    r'"\u0039.5"': "9.5",
}


@pytest.mark.parametrize("sent", EXACT)
async def test_a_price_round_trips_exactly(shared: InProcess, sent: str) -> None:
    body = f'{{"name":"Pen","price": {sent} ,"in_stock":true}}'
    created = await shared.client.post("/items", content=body, headers=JSON)
    assert created.status_code == 201
    item_id = created.json()["id"]
    shown = f'{{"id":{item_id},"name":"Pen","price":{EXACT[sent]},"in_stock":true}}'
    assert created.text == shown
    assert (await shared.client.get(f"/items/{item_id}")).text == shown
    assert shown in (await shared.client.get("/items")).text
    # In the event it is a string, so that no reader in any language rounds it.
    event = select(events.c.data).where(events.c.position == item_id)
    stored = msgspec.json.decode((await shared.services.database.read(event))[0][0])
    assert isinstance(stored["price"], str)
    assert Decimal(stored["price"]) == Decimal(EXACT[sent])
