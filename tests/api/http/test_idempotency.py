"""`Idempotency-Key`: a repeated write with the same key has one effect and gets the original response."""

import asyncio
from typing import Any

import httpx
import pytest

from commands import writer as writer_module
from tests.api.conftest import another
from tests.support.clients.http import JSON, check_problem, unchanged_log
from tests.support.clients.keyed import ROUTES, Write, assert_replayed, numbers
from tests.support.clients.requests import appended, create, patch, remove, restore
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import InProcess
from tests.support.writing import lose_commits

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", ROUTES)
async def test_the_same_request_again_has_no_second_effect(shared: InProcess, name: str) -> None:
    write = await Write.prepared(shared, name)
    async with appended(shared.services.database) as events:
        first = await write.send(shared)
        for _ in range(3):
            assert_replayed(await write.send(shared), first)
    assert len(events) == (2 if name == "batch" else 1)
    assert first.headers["log-position"] == str(events[-1].position)
    await assert_log_and_projection_agree(shared.services.database)


@pytest.mark.parametrize("name", ["create", "patch", "batch"])
async def test_a_key_with_another_body_is_refused_and_nothing_is_written(shared: InProcess, name: str) -> None:
    write = await Write.prepared(shared, name)
    other = b'[{"name":"Pen","price":1}]' if name == "batch" else write.other
    first = await write.send(shared)
    async with unchanged_log(shared.services.database):
        check_problem(await write.send(shared, body=other), 422, "idempotency-key-reused")
        # A body that the route does not accept is not compared.
        check_problem(await write.send(shared, body=b"7"), 422, "invalid-body")
        assert_replayed(await write.send(shared), first)
    # The same meaning is not the same body.
    check_problem(await write.send(shared, body=write.body + b" "), 422, "idempotency-key-reused")


@pytest.mark.parametrize("name", ["delete", "restore"])
async def test_a_body_that_the_route_ignores_makes_no_other_request(shared: InProcess, name: str) -> None:
    write = await Write.prepared(shared, name)
    first = await write.send(shared)
    assert_replayed(await write.send(shared, body=b"anything"), first)


async def test_a_key_is_valid_for_one_method_and_path(shared: InProcess) -> None:
    one, two = await create(shared), await create(shared)
    key = f"key-{next(numbers)}"
    async with appended(shared.services.database) as events:
        for path in (one, two):
            assert (await patch(shared, path, {"name": "Nib"}, idempotency_key=key)).status_code == 200
            assert (await shared.client.delete(path, headers={"Idempotency-Key": key})).status_code == 204
            assert (await restore(shared, path, idempotency_key=key)).status_code == 200
        body = b'{"name":"Pen","price":1}'
        for path, content in (("/items", body), ("/items/batch", b"[%s]" % body)):
            answer = await shared.client.post(path, content=content, headers={**JSON, "Idempotency-Key": key})
            assert answer.status_code == 201
            assert "idempotency-replayed" not in answer.headers
    assert len(events) == 8
    assert len({recorded.metadata.command_id for recorded in events}) == 8


async def test_without_a_key_the_same_request_is_another(shared: InProcess) -> None:
    assert await create(shared) != await create(shared)


async def test_the_original_response_is_replayed_whatever_happened_to_the_item_since(shared: InProcess) -> None:
    making = await Write.prepared(shared, "create")
    made = await making.send(shared)
    path = made.headers["location"]
    changing = Write("PATCH", path, b'{"name":"Nib","price":"2.5"}', b"")
    deleting = Write("DELETE", path, b"", b"")
    restoring = Write("POST", f"{path}/restore", b"", b"")
    firsts: list[tuple[Write, httpx.Response]] = [(making, made)]
    for write in (changing, deleting, restoring):
        firsts.append((write, await write.send(shared)))
        for earlier, first in firsts:
            assert_replayed(await earlier.send(shared), first)
    for number in range(40):  # past two snapshots
        await patch(shared, path, {"price": number + 3, "in_stock": number % 2 == 0})
    for last in ("changed", "deleted"):
        async with unchanged_log(shared.services.database):
            for earlier, first in firsts:
                assert_replayed(await earlier.send(shared), first)
        if last == "changed":
            await remove(shared, path)
    assert firsts[1][1].json() == {"id": made.json()["id"], "name": "Nib", "price": 2.5, "in_stock": True}


@pytest.mark.parametrize("name", ["patch", "delete", "restore"])
async def test_a_replay_ignores_if_match(shared: InProcess, name: str) -> None:
    write = await Write.prepared(shared, name)
    first = await write.send(shared, if_match='"2.1"')
    assert_replayed(await write.send(shared, if_match='"2.1"'), first)
    assert_replayed(await write.send(shared, if_match='"x"'), first)


async def test_a_rejected_write_is_evaluated_again_with_its_key(shared: InProcess) -> None:
    path = await create(shared)
    deleting, restoring = Write("DELETE", path, b"", b""), Write("POST", f"{path}/restore", b"", b"")
    changing = Write("PATCH", path, b'{"name":"Nib"}', b"")
    async with unchanged_log(shared.services.database):
        for _ in range(2):
            check_problem(await restoring.send(shared), 409, "item-not-deleted")
            check_problem(await deleting.send(shared, if_match='"2.2"'), 412, "precondition-failed")
            check_problem(await changing.send(shared, if_match='"2.2"'), 412, "precondition-failed")
    await patch(shared, path, {"price": 2})
    deleted = await deleting.send(shared, if_match='"2.2"')
    async with unchanged_log(shared.services.database):
        check_problem(await changing.send(shared), 404, "item-not-found")
    restored = await restoring.send(shared)
    changed = await changing.send(shared)
    for write, first in ((deleting, deleted), (restoring, restored), (changing, changed)):
        assert_replayed(await write.send(shared), first)


async def test_a_patch_that_changed_nothing_leaves_its_key_unused(shared: InProcess) -> None:
    path = await create(shared)
    write = Write("PATCH", path, b'{"name":"Pen"}', b"")
    async with unchanged_log(shared.services.database):
        for _ in range(2):
            answer = await write.send(shared)
            assert (answer.status_code, answer.headers["etag"]) == (200, '"2.1"')
    await patch(shared, path, {"name": "Ink"})
    changed = await write.send(shared)  # it has had no effect yet
    assert (changed.json()["name"], changed.headers["etag"]) == ("Pen", '"2.3"')
    assert_replayed(await write.send(shared), changed)


@pytest.mark.parametrize("name", ROUTES)
async def test_fifty_at_once_have_one_effect(shared: InProcess, name: str) -> None:
    write = await Write.prepared(shared, name)
    answers: list[httpx.Response] = []
    sends = 50 if name != "batch" else 16  # as many batches as may wait
    async with appended(shared.services.database) as events:
        answers += await asyncio.gather(*(write.send(shared) for _ in range(sends)))
    assert len(events) == (2 if name == "batch" else 1)
    first = next(answer for answer in answers if "idempotency-replayed" not in answer.headers)
    answers.remove(first)
    for answer in answers:
        assert_replayed(answer, first)


async def test_of_two_concurrent_bodies_with_one_key_one_is_written(shared: InProcess) -> None:
    for _ in range(10):
        write = await Write.prepared(shared, "create")
        async with appended(shared.services.database) as events:
            one, other = await asyncio.gather(write.send(shared), write.send(shared, body=write.other))
        assert sorted((one.status_code, other.status_code)) == [201, 422]
        assert len(events) == 1


@pytest.mark.parametrize("name", ROUTES)
async def test_another_process_replays_the_response(shared: InProcess, name: str) -> None:
    write = await Write.prepared(shared, name)
    first = await write.send(shared)
    async with another(shared) as later, unchanged_log(shared.services.database):
        assert_replayed(await write.send(later), first)
        if write.other:
            status, code = (422, "invalid-body") if name == "batch" else (422, "idempotency-key-reused")
            check_problem(await write.send(later, body=write.other), status, code)


async def test_a_restarted_service_still_replays(database_url: str) -> None:
    async with InProcess.over(database_url) as running:
        writes = [await Write.prepared(running, name) for name in ROUTES]
        firsts = [await write.send(running) for write in writes]
    async with InProcess.over(database_url) as reopened, unchanged_log(reopened.services.database):
        for write, first in zip(writes, firsts, strict=True):
            assert_replayed(await write.send(reopened), first)


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("committed", [True, False], ids=["took place", "failed"])
@pytest.mark.parametrize("failures", [1, 4])
async def test_a_keyed_write_has_one_effect_after_an_unknown_commit(
    shared: InProcess,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    committed: bool,
    failures: int,
) -> None:
    write = await Write.prepared(shared, name)
    monkeypatch.setattr(writer_module, "_RETRY_PAUSES_SECONDS", (0, 0, 0))
    lose_commits(monkeypatch, shared.services.database, failures, committed=committed)
    async with appended(shared.services.database) as events:
        first = await write.send(shared)
        if failures == 4 and not committed:
            problem: dict[str, Any] = check_problem(first, 503, "outcome-unknown")
            assert problem["outcome"] == "unknown"
            first = await write.send(shared)
        assert "idempotency-replayed" not in first.headers  # a commit that took place was found by the next try
        again = await write.send(shared)
        assert (again.status_code, again.text) == (first.status_code, first.text)
        assert again.headers["idempotency-replayed"] == "true"
    assert first.is_success
    assert len(events) == (2 if name == "batch" else 1)
    await assert_log_and_projection_agree(shared.services.database)


@pytest.mark.parametrize("committed", [True, False], ids=["took place", "failed"])
async def test_a_replay_survives_an_unknown_commit(
    shared: InProcess, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    monkeypatch.setattr(writer_module, "_RETRY_PAUSES_SECONDS", (0, 0, 0))
    for name in ROUTES:
        write = await Write.prepared(shared, name)
        first = await write.send(shared)
        with monkeypatch.context() as patched:
            lose_commits(patched, shared.services.database, 2, committed=committed)
            async with unchanged_log(shared.services.database):
                assert_replayed(await write.send(shared), first)
