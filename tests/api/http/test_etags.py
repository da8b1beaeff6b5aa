"""Conditional requests (RFC 9110, section 13): clients read changes, and delete only what they have seen."""

import pytest

from tests.support.clients.http import call, check_problem, part, unchanged_log
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAG = '"2.1"'


async def create(service: InProcess) -> str:
    """Create an item and return its path."""
    answer = await service.client.post("/items", json={"name": "Pen", "price": 1})
    assert answer.headers["etag"] == TAG
    return answer.headers["location"]


@pytest.mark.parametrize("sent", [TAG, f"W/{TAG}", "*", f'"other", {TAG}', f'"a,b",W/{TAG} ,"c"', f" {TAG} "])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_item_that_the_client_has_is_not_sent_again(shared: InProcess, sent: str, method: str) -> None:
    path = await create(shared)
    answer = await shared.client.request(method, path, headers={"If-None-Match": sent})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", TAG)
    assert answer.headers["log-position"] == path.removeprefix("/items/")
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("sent", ['"2.2"', '"2.11"', '"21.1"', "2.1", "", '"', 'w/"2.1x"', '"x", W/"2.2"', '"*"'])
async def test_an_item_that_the_client_does_not_have_is_sent(shared: InProcess, sent: str) -> None:
    path = await create(shared)
    answer = await shared.client.get(path, headers={"If-None-Match": sent})
    assert (answer.status_code, answer.json()["name"]) == (200, "Pen")


async def test_an_unknown_item_is_not_found_rather_than_unmodified(shared: InProcess) -> None:
    check_problem(await shared.client.get("/items/999", headers={"If-None-Match": "*"}), 404, "item-not-found")


@pytest.mark.parametrize("sent", [TAG, "*", f'"2.7", {TAG}', f"{TAG},{TAG}"])
async def test_a_delete_that_names_the_version_takes_place(shared: InProcess, sent: str) -> None:
    path = await create(shared)
    answer = await shared.client.delete(path, headers={"If-Match": sent})
    assert (answer.status_code, answer.content) == (204, b"")
    check_problem(await shared.client.get(path), 404, "item-not-found")


# A weak tag never matches strongly, nor does a tag of another projection version.
@pytest.mark.parametrize("sent", ['"2.2"', '"1.1"', f"W/{TAG}", "2.1", "", '"x"', '"*"', f'"2.{10**18}"', '"2.01"'])
async def test_a_delete_that_names_other_versions_changes_nothing(shared: InProcess, sent: str) -> None:
    path = await create(shared)
    async with unchanged_log(shared.services.database):
        answer = await shared.client.delete(path, headers={"If-Match": sent})
    assert "version 1" in check_problem(answer, 412, "precondition-failed")["detail"]


@pytest.mark.parametrize("sent", [TAG, "*", '"2.2"'])
async def test_no_tag_deletes_a_deleted_item(shared: InProcess, sent: str) -> None:
    path = await create(shared)
    await shared.client.delete(path)
    async with unchanged_log(shared.services.database):
        again = await shared.client.delete(path, headers={"If-Match": sent})
    check_problem(again, 404, "item-not-found")


@pytest.mark.parametrize(("method", "header", "status"), [("GET", "If-None-Match", 304), ("DELETE", "If-Match", 204)])
@pytest.mark.parametrize("tags", [(TAG, '"x"'), ('"x"', TAG)])
async def test_several_lines_of_a_header_are_one_list(
    shared: InProcess, method: str, header: str, status: int, tags: tuple[str, str]
) -> None:
    path = await create(shared)
    answer = await call(shared.app, method, path, part(b""), headers=[(header, tag) for tag in tags])
    assert answer is not None
    assert answer.status_code == status
