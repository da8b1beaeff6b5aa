"""Many clients that delete one item at once: one of them does."""

import asyncio
from collections import Counter

from sqlalchemy import text

from eventstore.database.database import Database
from tests.support.clients.load import Client, ask, new_item, request
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import serving

CLIENTS = 64


async def _connect_send_receive(port: int, sent: bytes, start: asyncio.Barrier) -> int:
    async with Client.connected(port) as client:
        await start.wait()  # connected first, so that the requests arrive together
        await client.send(sent)
        return (await client.receive()).status


async def test_of_64_concurrent_deletes_of_one_item_one_succeeds_and_one_event_is_recorded(database: Database) -> None:
    with serving(database.url.render_as_string(hide_password=False)) as server:
        created = (await ask(server.port, "POST", "/items", new_item("wanted"))).json()["id"]
        start = asyncio.Barrier(CLIENTS)
        delete = request("DELETE", f"/items/{created}")
        statuses = await asyncio.gather(*(_connect_send_receive(server.port, delete, start) for _ in range(CLIENTS)))
        assert Counter(statuses) == {204: 1, 404: CLIENTS - 1}
    recorded = await database.read(
        text("SELECT type FROM events WHERE item_id = :id ORDER BY version"), {"id": created}
    )
    assert [row.type for row in recorded] == ["item.created.v1", "item.deleted.v1"]
    await assert_log_and_projection_agree(database)
