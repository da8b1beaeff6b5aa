"""`POST /items/batch`: up to a thousand items in one transaction, all or none, with a pointer to an invalid one."""

import asyncio
import json
from typing import Any

import pytest

from eventstore.events import ItemCreated
from tests.api.http.test_bad_bodies import MALFORMED, NOT_JSON, WRONG_FIELDS, WRONG_NAMES, WRONG_PRICES, WRONG_TYPES
from tests.support.clients.http import JSON, call, check_problem, part, unchanged_log
from tests.support.clients.requests import appended, exact
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/items/batch"
KIB = 1024
GOOD = b'{"name":"good","price":1}'


def new(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Pen {n}", "price": f"{n}.0001", "in_stock": n % 3 == 0} for n in range(count)]


def padded(body: bytes, size: int) -> bytes:
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
async def test_a_batch_creates_its_items_in_request_order(shared: InProcess, count: int) -> None:
    async with appended(shared.services.database) as events:
        answer = await shared.client.post(PATH, json=new(count))
    assert answer.status_code == 201
    assert len(events) == count
    positions = [recorded.position for recorded in events]
    assert [recorded.item_id for recorded in events] == positions  # an item's id is the position of its event
    assert positions == list(range(positions[0], positions[0] + count))
    assert [item["id"] for item in answer.json()] == positions
    assert answer.headers["log-position"] == str(positions[-1])
    assert "etag" not in answer.headers  # an ETag belongs to one item
    for sent, item, recorded in zip(new(count), exact(answer), events, strict=True):
        assert (item["name"], f"{item['price']}", item["in_stock"]) == (sent["name"], sent["price"], sent["in_stock"])
        assert isinstance(recorded.event, ItemCreated)
        assert recorded.event.name == sent["name"]
    assert [recorded.ordinal for recorded in events] == list(range(count))
    assert len({recorded.metadata.command_id for recorded in events}) == 1
    assert len({recorded.recorded_at for recorded in events}) == 1
    one = await shared.client.get(f"/items/{positions[-1]}")
    assert (one.json(), one.headers["etag"]) == (answer.json()[-1], '"2.1"')
    await assert_log_and_projection_agree(shared.services.database)


async def test_each_batch_is_a_separate_command(shared: InProcess) -> None:
    async with appended(shared.services.database) as events:
        for _ in range(2):
            await shared.client.post(PATH, json=new(2))
    assert len({recorded.metadata.command_id for recorded in events}) == 2
    assert [recorded.ordinal for recorded in events] == [0, 1, 0, 1]


@pytest.mark.parametrize("count", [0, 1001, 2000])
async def test_a_batch_has_1_to_1000_items(shared: InProcess, count: int) -> None:
    async with unchanged_log(shared.services.database):
        answer = await shared.client.post(PATH, json=[{"name": "a", "price": 1}] * count)
    (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
    assert fault["pointer"] == ""


BAD_ONES = {
    **{case: entry for case, entry in WRONG_TYPES.items() if not case.startswith("a whole [{}]")},
    **WRONG_FIELDS,
    **{case: WRONG_NAMES[case] for case in list(WRONG_NAMES)[::20]},
    **{case: WRONG_PRICES[case] for case in list(WRONG_PRICES)[::7]},
}


@pytest.mark.parametrize("case", BAD_ONES)
async def test_an_invalid_item_is_pointed_to_and_nothing_is_created(shared: InProcess, case: str) -> None:
    body, pointer = BAD_ONES[case]
    async with unchanged_log(shared.services.database):
        for index, items in ((0, [body]), (0, [body, GOOD]), (2, [GOOD, GOOD, body]), (1, [GOOD, body, GOOD])):
            answer = await shared.client.post(PATH, content=b"[" + b",".join(items) + b"]", headers=JSON)
            (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
            assert (fault["pointer"], fault["detail"] != "") == (f"/{index}{pointer}", True)


async def test_an_invalid_last_item_of_a_thousand_is_pointed_to(shared: InProcess) -> None:
    for bad, pointer in (({"name": "a", "price": "x"}, "/999/price"), ({"name": " ", "price": 1}, "/999/name")):
        async with unchanged_log(shared.services.database):
            answer = await shared.client.post(PATH, json=[*new(999), bad])
        (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
        assert fault["pointer"] == pointer


async def test_every_invalid_price_is_pointed_to(shared: InProcess) -> None:
    prices = ["1", "x", 1e14, 2, "0.00001", 3, ""]
    async with unchanged_log(shared.services.database):
        answer = await shared.client.post(PATH, json=[{"name": "a", "price": price} for price in prices])
    faults = check_problem(answer, 422, "invalid-body")["errors"]
    assert [fault["pointer"] for fault in faults] == ["/1/price", "/2/price", "/4/price", "/6/price"]


@pytest.mark.parametrize("body", [b"{}", GOOD, b"null", b'"[]"', b"1", b"true", b'{"items":[]}'])
async def test_a_body_that_is_not_an_array_is_rejected(shared: InProcess, body: bytes) -> None:
    async with unchanged_log(shared.services.database):
        answer = await shared.client.post(PATH, content=body, headers=JSON)
    (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
    assert fault["pointer"] == ""


async def test_a_body_that_is_not_json_is_rejected(shared: InProcess) -> None:
    async with unchanged_log(shared.services.database):
        for body, _ in NOT_JSON.values():
            answer = await shared.client.post(PATH, content=b"[" + body, headers=JSON)
            check_problem(answer, 422, "invalid-body")
            if body.strip():
                answer = await shared.client.post(PATH, content=b"[" + GOOD + b"," + body + b"]", headers=JSON)
                check_problem(answer, 422, "invalid-body")
        for body in MALFORMED.values():
            answer = await shared.client.post(PATH, content=b"[" + body + b"]", headers=JSON)
            check_problem(answer, 400, "malformed-body")
        for media_type in ("text/plain", "application/merge-patch+json", "application/x-ndjson"):
            answer = await shared.client.post(PATH, content=b"[" + GOOD + b"]", headers={"content-type": media_type})
            check_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("size", [64 * KIB + 1, 500 * KIB, KIB * KIB])
async def test_a_batch_body_may_exceed_the_limit_of_single_items(shared: InProcess, size: int) -> None:
    answer = await shared.client.post(PATH, content=padded(b"[" + GOOD + b"]", size), headers=JSON)
    assert answer.status_code == 201
    async with unchanged_log(shared.services.database):
        for path in ("/items", "/items/1"):
            method = "POST" if path == "/items" else "PATCH"
            refused = await shared.client.request(method, path, content=padded(GOOD, size), headers=JSON)
            check_problem(refused, 413, "body-too-large")


async def test_a_batch_body_of_one_mebibyte_is_accepted(shared: InProcess) -> None:
    items = [{"name": f"{n:03}" + "\U0001f58b" * 247, "price": 1} for n in range(1000)]
    body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    assert 1_000_000 < len(body) <= KIB * KIB
    answer = await shared.client.post(PATH, content=body, headers=JSON)
    assert [item["name"] for item in answer.json()] == [item["name"] for item in items]


async def test_a_batch_body_over_one_mebibyte_is_rejected(shared: InProcess) -> None:
    long = padded(b"[" + GOOD + b"]", KIB * KIB + 1)
    async with unchanged_log(shared.services.database):
        check_problem(await shared.client.post(PATH, content=long, headers=JSON), 413, "body-too-large")
        chunks = (part(long[:-1], more=True), part(b" "))
        counted = await call(shared.app, "POST", PATH, *chunks, headers=list(JSON.items()))
        assert counted is not None
        check_problem(counted, 413, "body-too-large")


async def test_batch_is_not_an_item_id(shared: InProcess) -> None:
    async with unchanged_log(shared.services.database):
        for method in ("GET", "HEAD", "PATCH", "DELETE", "PUT"):
            # Raw: the contract check expects a GET on every path.
            answer = await call(shared.app, method, PATH, part(b"{}"), headers=list(JSON.items()))
            assert answer is not None
            assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
            if method != "HEAD":
                check_problem(answer, 405, "method-not-allowed")
        options = await shared.client.options(PATH)
        assert (options.status_code, options.headers["allow"]) == (204, "OPTIONS, POST")
        for path in (f"{PATH}/restore", f"{PATH}/", f"{PATH}/1", "/items/Batch", "/items/batches", "/items/1/batch"):
            code = "item-not-found" if path in ("/items/Batch", "/items/batches") else "not-found"
            for method in ("DELETE",) if code == "item-not-found" else ("GET", "POST", "DELETE", "OPTIONS"):
                answer = await call(shared.app, method, path, part(b""))
                assert answer is not None
                check_problem(answer, 404, code)


async def test_single_creates_run_concurrently_with_batches(shared: InProcess) -> None:
    async def single(number: int) -> list[int]:
        answer = await shared.client.post("/items", json={"name": f"single {number}", "price": number})
        assert answer.status_code == 201
        return [answer.json()["id"]]

    async def batch(number: int) -> list[int]:
        answer = await shared.client.post(PATH, json=new(20 + number))
        assert answer.status_code == 201
        return [item["id"] for item in answer.json()]

    async with appended(shared.services.database) as events:
        made = await asyncio.gather(*(batch(n) if n % 10 == 0 else single(n) for n in range(100)))
    for ids in made:
        assert ids == list(range(ids[0], ids[0] + len(ids)))  # without gaps
    assert sorted(item_id for ids in made for item_id in ids) == [recorded.item_id for recorded in events]
    await assert_log_and_projection_agree(shared.services.database)


async def test_readers_see_all_of_a_batch_or_nothing(shared: InProcess) -> None:
    async def write() -> None:
        for _ in range(20):
            await shared.client.post(PATH, json=[{"name": "one of ten", "price": 1}] * 10)

    writing = asyncio.create_task(write())
    seen: set[int] = set()
    while not writing.done():
        answer = await shared.client.get("/items?limit=1000&name=one of ten")
        seen.add(len(answer.json()))
    await writing
    assert {count % 10 for count in seen} == {0}
    assert len(seen) > 1
