"""Names that clients choose come back unchanged, or not at all: item names and request ids."""

import re

import pytest

from tests.support.clients.http import JSON
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = [
    "a",
    " a ",
    "x" * 255,
    "\U0001f58b" * 255,
    "é",
    "e\u0301",
    "עט",
    "'; DROP TABLE events; --",
    "[[[" * 40,  # brackets in a string are not nesting
    '"\\',
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_comes_back_unchanged(shared: InProcess, name: str) -> None:
    created = await shared.client.post("/items", json={"name": name, "price": 1})
    assert created.json()["name"] == name
    assert (await shared.client.get(created.headers["location"])).json()["name"] == name
    assert (await shared.client.get("/items")).json()[-1]["name"] == name


@pytest.mark.parametrize("body", [b'{"price":2,"name":"\\u0062"}', b'{"\\u0070rice":2,"n\\u0061me":"b"}'])
async def test_an_escape_is_its_character(shared: InProcess, body: bytes) -> None:
    created = await shared.client.post("/items", content=body, headers=JSON)
    assert (created.json()["name"], created.json()["price"]) == ("b", 2)


async def test_a_request_without_an_id_gets_a_unique_one(shared_on_sqlite: InProcess) -> None:
    ids = [(await shared_on_sqlite.client.get("/items")).headers["x-request-id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-f]+", request_id) for request_id in ids)


@pytest.mark.parametrize("sent", ["a1", "A-Z.a_z:0/9+=@-", "x" * 128])
async def test_a_client_can_choose_its_request_id(shared_on_sqlite: InProcess, sent: str) -> None:
    answer = await shared_on_sqlite.client.get("/items", headers={"X-Request-Id": sent})
    assert answer.headers.get_list("x-request-id") == [sent]


@pytest.mark.parametrize("sent", ["x" * 129, "", "a b", 'a"b', "a\tb", "a\x00", "{}", "a\n{}", "é", "a, a"])
async def test_an_id_that_could_harm_a_log_is_replaced(shared_on_sqlite: InProcess, sent: str) -> None:
    answer = await shared_on_sqlite.client.get("/items", headers={b"X-Request-Id": sent.encode()})
    assert re.fullmatch("[0-9a-f]+", answer.headers["x-request-id"])
