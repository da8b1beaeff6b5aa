"""`Log-Position` and `min_position`: a client reads what it wrote, or gets 503 to retry."""

import asyncio
import random

import httpx
import pytest

from api.app import ROUTES
from api.edge import context
from tests.api.conftest import another
from tests.api.edge.test_methods import example
from tests.support.clients.http import JSON, call, check_problem, part
from tests.support.clients.requests import create, patch, position_of, remove, restore
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_client_reads_what_it_has_written(shared: InProcess) -> None:
    path = await create(shared, "Written")
    for expected, write in (
        ("Written 2", patch(shared, path, {"name": "Written 2"})),
        (None, shared.client.delete(path)),
        ("Written 2", restore(shared, path)),
    ):
        token = (await write).headers["log-position"]
        for at in (token, "0", "1"):
            one = await shared.client.get(path, params={"min_position": at})
            some = await shared.client.get("/items", params={"min_position": at, "name": "written"})
            assert one.json().get("name") == expected
            assert [item["name"] for item in some.json()] == ([] if expected is None else [expected])
            for answer in (one, some):
                assert int(answer.headers["log-position"]) >= int(token)
    batch = await shared.client.post("/items/batch", json=[{"name": "Batched", "price": 1}] * 3)
    token = batch.headers["log-position"]
    assert (await shared.client.get(f"/items/{token}?min_position={token}")).json() == batch.json()[-1]


async def test_a_client_reads_from_one_process_what_it_wrote_to_another(shared: InProcess) -> None:
    async with another(shared) as other:
        for number in range(10):
            written = await shared.client.post("/items", json={"name": f"Pen {number}", "price": 1})
            token = written.headers["log-position"]
            read = await other.client.get(written.headers["location"], params={"min_position": token})
            assert read.json() == written.json()
            assert int(read.headers["log-position"]) >= int(token)


@pytest.mark.parametrize("path", ["/items", "/items/1", "/items/999999999"])
@pytest.mark.parametrize("ahead", [1, 1000, None])
async def test_the_wait_for_a_future_position_times_out(
    shared: InProcess, monkeypatch: pytest.MonkeyPatch, path: str, ahead: int | None
) -> None:
    monkeypatch.setattr(context, "_WAIT_SECONDS", 0.03)
    head = await position_of(shared.services.database)
    wanted = 2**63 - 1 if ahead is None else head + ahead
    for method in ("GET", "HEAD"):
        answer = await shared.client.request(method, path, params={"min_position": wanted})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["log-position"] == str(head)
        if method == "GET":
            check_problem(answer, 503, "position-not-reached")


async def test_the_wait_ends_as_soon_as_the_position_is_reached(
    shared: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "_WAIT_SECONDS", 60)
    looks = asyncio.Semaphore(0)
    position = shared.services.items.position

    async def looking() -> int:
        reached = await position()
        looks.release()
        return reached

    monkeypatch.setattr(shared.services.items, "position", looking)
    async with another(shared) as other:
        for writer in (shared, other):
            wanted = await position_of(shared.services.database) + 2
            urls = (f"/items/{wanted}?min_position={wanted}", f"/items?name=awaited {wanted}&min_position={wanted}")
            waiting = [asyncio.create_task(shared.client.get(url)) for url in urls]
            await looks.acquire()
            await create(writer)
            while not looks.locked():
                await looks.acquire()
            for _ in range(4):  # both look again
                await looks.acquire()
            assert not any(task.done() for task in waiting)  # one event is not enough
            await create(writer, f"Awaited {wanted}")
            one, some = await asyncio.gather(*waiting)
            assert one.json()["name"] == f"Awaited {wanted}"
            assert [item["id"] for item in some.json()] == [wanted]


@pytest.mark.parametrize("sent", ["-1", "", "x", "1.5", "9223372036854775808", "%20", "NaN", "null", "0x1"])
async def test_an_invalid_position_is_refused(shared_on_sqlite: InProcess, sent: str) -> None:
    for path in ("/items", "/items/1", "/items/999999999"):
        answer = await shared_on_sqlite.client.get(f"{path}?min_position={sent}")
        (fault,) = check_problem(answer, 400, "invalid-query")["errors"]
        assert fault["parameter"] == "min_position"


async def test_a_write_takes_no_min_position(shared_on_sqlite: InProcess) -> None:
    answer = await shared_on_sqlite.client.post("/items?min_position=1", json={"name": "Pen", "price": 1})
    check_problem(answer, 400, "invalid-query")


def anything(service: InProcess) -> list[tuple[str, str, bytes]]:
    """Return requests that together get every kind of response."""
    paths = [*{example(route.path) for route in ROUTES}, "/nothing", "/items/x", "/items/999999999", "/items/%2f", "*"]
    methods = ("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "PUT")
    bodies = (b'{"name":"Pen","price":1}', b'{"price":2}', b"[]", b'[{"name":"Pen","price":1}]', b"{", b"\xff")
    asked = [(method, path, body) for method in methods for path in sorted(paths) for body in bodies]
    # This response has no end: tested in tests/api/events/test_stream.py.
    asked = [request for request in asked if request[:2] != ("GET", "/events/stream")]
    asked += [("GET", "/items?limit=0", b""), ("GET", "/items?nothing=1", b"")]
    # Often enough that 304, 412 and 413 occur by chance.
    return asked + 10 * [("GET", "/items/1", b""), ("PATCH", "/items/1", b"{}"), ("POST", "/items", b" " * 70_000)]


async def test_every_response_has_a_position_and_none_goes_back(shared: InProcess) -> None:
    chance = random.Random(3)
    asked = anything(shared)
    chance.shuffle(asked)
    statuses: set[int] = set()
    last = 0
    for method, target, body in asked:
        headers = [("content-type", chance.choice(["application/json", "text/plain"]))]
        if chance.random() < 0.3:
            headers += [("if-none-match", "*"), ("if-match", '"x"')]
        answer = await call(shared.app, method, target, part(body), headers=headers)
        assert answer is not None
        statuses.add(answer.status_code)
        position = int(answer.headers["log-position"])
        assert position >= last, f"{method} {target} went back from {last} to {position}"
        last = position
    assert statuses >= {200, 201, 204, 304, 400, 404, 405, 409, 412, 413, 415, 422}
    assert last == await position_of(shared.services.database)


async def test_no_response_to_concurrent_clients_goes_back(shared: InProcess) -> None:
    """A response reflects everything that was answered before its request was sent."""
    newest = 0

    async def client(number: int) -> None:
        nonlocal newest
        chance = random.Random(number)
        for _ in range(15):
            before = newest
            answer = await ask(chance)
            position = int(answer.headers["log-position"])
            assert position >= before
            newest = max(newest, position)

    async def ask(chance: random.Random) -> httpx.Response:
        match chance.randrange(5):
            case 0:
                return await shared.client.post("/items", json={"name": "Pen", "price": 1})
            case 1:
                return await shared.client.get("/items?limit=1&name=p")
            case 2:
                return await shared.client.get(f"/items/{chance.randrange(1, 50)}")
            case 3:
                return await shared.client.delete(f"/items/{chance.randrange(2, 90)}")
            case _:
                return await shared.client.get("/livez")

    await asyncio.gather(*(client(number) for number in range(8)))


async def test_a_rejection_has_the_position_of_the_state_that_caused_it(shared: InProcess) -> None:
    async with another(shared) as other:
        path = await create(other)
        live = await position_of(shared.services.database)
        assert shared.services.position < live  # this process does not know of it yet
        refused = await restore(shared, path)
        check_problem(refused, 409, "item-not-deleted")
        assert refused.headers["log-position"] == str(live)
        changed = await patch(other, path, {"price": 2})
        refused = await patch(shared, path, {"price": 3}, if_match='"2.1"')
        check_problem(refused, 412, "precondition-failed")
        assert refused.headers["log-position"] == changed.headers["log-position"]
        await remove(other, path)
        gone = await position_of(shared.services.database)
        for refused in (
            await patch(shared, path, {"price": 3}),
            await shared.client.delete(path),
            await shared.client.get(path),
        ):
            check_problem(refused, 404, "item-not-found")
            assert refused.headers["log-position"] == str(gone)


async def test_a_rejection_in_a_shared_commit_has_the_position_before_it(shared: InProcess) -> None:
    """One transaction has a delete, a delete that finds nothing, and an unrelated creation."""
    path = await create(shared)
    deleted, refused, created = await asyncio.gather(
        shared.client.delete(path),
        shared.client.delete(path),
        shared.client.post("/items", json={"name": "Pen", "price": 1}, headers=JSON),
    )
    assert (deleted.status_code, refused.status_code, created.status_code) == (204, 404, 201)
    assert refused.headers["log-position"] == deleted.headers["log-position"]
    assert int(created.headers["log-position"]) == int(deleted.headers["log-position"]) + 1
