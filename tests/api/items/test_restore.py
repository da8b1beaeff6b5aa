"""Restore: a deleted item gets its id and last state back, with a new ETag."""

import asyncio

import pytest

from eventstore.events import ItemDeleted, ItemRestored
from tests.api.edge.test_bad_requests import INVALID_IDS
from tests.support.clients.http import JSON, check_problem, unchanged_log
from tests.support.clients.requests import appended, create, patch, remove, restore
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def deleted(service: InProcess) -> str:
    """Create, change and delete an item. Clients last saw the ETag `"2.2"`."""
    path = await create(service, "F\u00fcller", "99999999999999.9999", in_stock=False)
    await patch(service, path, {"name": "Nib"})
    await remove(service, path)
    return path


async def test_a_deleted_item_is_restored_to_its_last_state(shared: InProcess) -> None:
    path = await create(shared, "F\u00fcller", "99999999999999.9999", in_stock=False)
    last = await patch(shared, path, {"name": "Nib"})
    await remove(shared, path)
    async with appended(shared.services.database) as events:
        answer = await restore(shared, path)
    assert (answer.status_code, answer.text) == (200, last.text)
    assert [(recorded.event, recorded.version) for recorded in events] == [(ItemRestored(), 4)]
    assert answer.headers["log-position"] == str(events[0].position)
    shown = await shared.client.get(path)
    assert (shown.text, shown.headers["etag"]) == (answer.text, answer.headers["etag"])
    await assert_log_and_projection_agree(shared.services.database)


async def test_a_restored_item_has_a_new_etag(shared: InProcess) -> None:
    path = await deleted(shared)
    assert (await restore(shared, path)).headers["etag"] == '"2.4"'
    for stale in ('"2.1"', '"2.2"', '"2.3"'):
        check_problem(await patch(shared, path, {"price": 2}, if_match=stale), 412, "precondition-failed")
    assert (await shared.client.get(path, headers={"If-None-Match": '"2.2"'})).status_code == 200
    assert (await shared.client.get(path, headers={"If-None-Match": '"2.4"'})).status_code == 304


async def test_an_item_that_is_not_deleted_cannot_be_restored(shared: InProcess) -> None:
    path = await deleted(shared)
    await restore(shared, path)
    for live in (path, await create(shared)):
        async with unchanged_log(shared.services.database):
            for headers in ({}, {"if_match": "*"}, {"if_match": '"2.1"'}, {"if_match": '"x"'}):
                check_problem(await restore(shared, live, **headers), 409, "item-not-deleted")


async def test_an_item_that_never_existed_cannot_be_restored(shared: InProcess) -> None:
    urls = [f"/items/{text}" for text in INVALID_IDS if text.isascii() and text.isprintable() and "." not in text]
    change = await patch(shared, await create(shared), {"price": 3})  # a position that created no item
    async with unchanged_log(shared.services.database):
        for path in ("/items/999999999", f"/items/{change.headers['log-position']}", *urls):
            assert check_problem(await restore(shared, path), 404, "item-not-found")["detail"] == "Item not found"


@pytest.mark.parametrize("sent", ['"2.2"', "*", '"2.7", "2.2"', '"a,b",W/"x" ,"2.2"'])
async def test_if_match_compares_with_the_etag_before_the_deletion(shared: InProcess, sent: str) -> None:
    assert (await restore(shared, await deleted(shared), if_match=sent)).status_code == 200


@pytest.mark.parametrize("sent", ['"2.3"', '"2.1"', '"2.4"', 'W/"2.2"', "2.2", "", '"1.2"'])
async def test_another_etag_restores_nothing(shared: InProcess, sent: str) -> None:
    path = await deleted(shared)
    async with unchanged_log(shared.services.database):
        check_problem(await restore(shared, path, if_match=sent), 412, "precondition-failed")
    check_problem(await shared.client.get(path), 404, "item-not-found")


@pytest.mark.parametrize("body", [b'{"name":"Other","price":7}', b"{", b"\xff", b"[" * 100, b"null"])
@pytest.mark.parametrize("headers", [{}, JSON, {"content-type": "text/plain"}], ids=["bare", "json", "text"])
async def test_a_body_is_ignored(shared: InProcess, body: bytes, headers: dict[str, str]) -> None:
    path = await deleted(shared)
    answer = await shared.client.post(f"{path}/restore", content=body, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (200, "Nib")


async def test_an_item_can_be_deleted_and_restored_repeatedly(shared: InProcess) -> None:
    path = await deleted(shared)
    first = (await restore(shared, path)).json()
    for version in range(5, 65, 2):
        assert (await shared.client.delete(path, headers={"If-Match": f'"2.{version - 1}"'})).status_code == 204
        check_problem(await shared.client.get(path), 404, "item-not-found")
        answer = await restore(shared, path, if_match=f'"2.{version - 1}"')
        assert (answer.json(), answer.headers["etag"]) == (first, f'"2.{version + 1}"')
    await assert_log_and_projection_agree(shared.services.database)


async def test_a_list_shows_a_restored_item_in_its_order(shared: InProcess) -> None:
    paths = [await create(shared, f"Listed {name}", price) for name, price in (("b", 2), ("a", 3), ("c", 1))]
    urls = [f"/items?name=listed&sort={sort}" for sort in ("id", "name", "-price")]
    before = [(await shared.client.get(url)).json() for url in urls]
    assert [len(items) for items in before] == [3, 3, 3]
    await remove(shared, paths[1])
    assert [item["name"] for item in (await shared.client.get(urls[0])).json()] == ["Listed b", "Listed c"]
    await restore(shared, paths[1])
    assert [(await shared.client.get(url)).json() for url in urls] == before


@pytest.mark.parametrize("changes", [14, 15, 16, 17, 45])
async def test_a_restore_is_exact_after_any_number_of_changes(shared: InProcess, changes: int) -> None:
    """A snapshot is saved after every sixteenth change."""
    path = await create(shared)
    last = await shared.client.get(path)
    for number in range(changes):
        field = [{"name": f"Pen {number}"}, {"price": f"{number}.25"}, {"in_stock": number % 2 == 1}][number % 3]
        last = await patch(shared, path, field)
        assert last.headers["etag"] == f'"2.{number + 2}"'
    await remove(shared, path)
    answer = await restore(shared, path, if_match=last.headers["etag"])
    assert (answer.text, answer.headers["etag"]) == (last.text, f'"2.{changes + 3}"')
    assert (await shared.client.get(path)).text == last.text
    changed = await patch(shared, path, {"name": "Ink"})
    assert changed.json() == {**last.json(), "name": "Ink"}
    await assert_log_and_projection_agree(shared.services.database)


async def test_of_many_concurrent_restores_one_succeeds(shared: InProcess) -> None:
    path = await deleted(shared)
    async with appended(shared.services.database) as events:
        answers = await asyncio.gather(*(restore(shared, path) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert [recorded.event for recorded in events] == [ItemRestored()]


async def test_concurrent_deletes_and_restores_each_see_the_previous_state(shared: InProcess) -> None:
    path = await create(shared)
    async with appended(shared.services.database) as events:
        asked = [shared.client.delete(path) if n % 2 else restore(shared, path) for n in range(40)]
        answers = await asyncio.gather(*asked)
    # They are decided in order of arrival: the first restore finds a live item, then they alternate.
    assert [answer.status_code for answer in answers] == [409, 204] + [200, 204] * 19
    assert [type(recorded.event) for recorded in events] == [ItemDeleted] + [ItemRestored, ItemDeleted] * 19
    await assert_log_and_projection_agree(shared.services.database)
