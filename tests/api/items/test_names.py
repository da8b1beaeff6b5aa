"""Names over HTTP: one that hides something is refused by every command, and readable where it was recorded before."""

import json
from decimal import Decimal

import pytest

from commands.item import CreateItem
from eventstore.events import Metadata
from tests.support.clients.http import JSON, check_problem, unchanged_log
from tests.support.clients.requests import create, patch, remove, restore
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD = "\u202e0001\u200b"
REFUSED = ["\u200b", "\u2800", "\u202e", "P\u200bn", "Pen\u202e.\u202c", "Pen\ufe0f", "Pen\u200d", "x\U000e0041"]


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
async def test_a_name_that_hides_something_is_refused_by_every_command(shared: InProcess, name: str) -> None:
    path = await create(shared, "Pen", "1")
    pen, item = {"name": "Pen", "price": 1}, {"name": name, "price": 1}
    async with unchanged_log(shared.services.database):
        answers = {
            "/name": [
                await shared.client.post("/items", json=item),
                await shared.client.post("/items", content=json.dumps(item), headers=JSON),
                await shared.client.patch(path, json={"name": name}),
            ],
            "/1/name": [await shared.client.post("/items/batch", json=[pen, item])],
        }
    for pointer, refused in answers.items():
        for answer in refused:
            (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
            assert fault["pointer"] == pointer
            assert fault["detail"].isascii()


async def test_each_invalid_name_of_a_batch_is_named(shared: InProcess) -> None:
    names = ["Pen", "Pen\u200d", "Ink", "Ink\ufe0f"]
    answer = await shared.client.post("/items/batch", json=[{"name": name, "price": 1} for name in names])
    first, second = check_problem(answer, 422, "invalid-body")["errors"]
    assert (first["pointer"], second["pointer"]) == ("/1/name", "/3/name")
    assert first["detail"].startswith("The name contains U+200D ZERO WIDTH JOINER, which is invisible")


@pytest.mark.parametrize("name", ["\U0001f469\u200d\U0001f4bb \u2764\ufe0f", "\u0645\u06cc\u200c\u0631\u0648\u0645"])
async def test_a_name_with_a_needed_joiner_comes_back_unchanged(shared: InProcess, name: str) -> None:
    path = await create(shared, name, "1")
    assert (await shared.client.get(path)).json()["name"] == name


async def test_a_name_recorded_before_stays_readable_and_its_item_writable(shared: InProcess) -> None:
    # The writer takes what the API took once.
    metadata = Metadata("recorded-before", "anonymous")
    recorded = await shared.services.writer.submit(CreateItem(OLD, Decimal(1)), metadata=metadata, keyed=False)
    path = f"/items/{recorded.item_id}"
    assert (await shared.client.get(path)).json()["name"] == OLD
    assert (await shared.client.get("/items", params={"name": "\u200b"})).json()[-1]["name"] == OLD
    assert (await shared.client.get(f"/events/{recorded.item_id}")).json()["data"]["name"] == OLD
    assert OLD in (await shared.client.get("/events/export")).text
    assert (await patch(shared, path, {"price": 2})).json()["name"] == OLD
    await remove(shared, path)
    assert (await restore(shared, path)).json()["name"] == OLD
    await assert_log_and_projection_agree(shared.services.database)
