"""PATCH: a JSON Merge Patch changes exactly the fields it names."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from eventstore.events import ItemChanged
from eventstore.log.tables import events
from tests.api.edge.test_bad_requests import INVALID_IDS
from tests.api.http.test_bad_bodies import MALFORMED, NOT_JSON, WRONG_NAMES, WRONG_PRICES
from tests.support.clients.http import check_problem, unchanged_log
from tests.support.clients.requests import appended, create, exact, patch, remove
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import InProcess, beside_another

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A patch of "Pen", 1, in stock, and the whole data of its event.
CHANGES: dict[str, tuple[dict[str, Any], ItemChanged]] = {
    "name": ({"name": "Ink"}, ItemChanged(name="Ink")),
    "price": ({"price": 2.5}, ItemChanged(price=Decimal("2.5"))),
    "in_stock": ({"in_stock": False}, ItemChanged(in_stock=False)),
    "all": (
        {"name": "Ink", "price": "-0.0001", "in_stock": False},
        ItemChanged("Ink", Decimal("-0.0001"), False),
    ),
    "all, of which one is new": ({"name": "Pen", "price": 1, "in_stock": False}, ItemChanged(in_stock=False)),
    "the name in another case": ({"name": "pen", "price": "1.0000"}, ItemChanged(name="pen")),
}
PRICES = ["99999999999999.9999", "-99999999999999.9999", "0.0001", "4503599627370.4971", "0.1", "12.5"]


@pytest.mark.parametrize("case", CHANGES)
async def test_a_patch_changes_the_fields_it_names_and_the_event_has_no_others(shared: InProcess, case: str) -> None:
    body, expected_event = CHANGES[case]
    path = await create(shared)
    async with appended(shared.services.database) as recorded:
        answer = await patch(shared, path, body)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2.2"')
    assert [event.event for event in recorded] == [expected_event]
    assert answer.headers["log-position"] == str(recorded[0].position)
    expected = {"id": recorded[0].item_id, "name": "Pen", "price": Decimal(1), "in_stock": True, **body}
    assert exact(answer) == expected | {"price": Decimal(str(expected["price"]))}
    shown = await shared.client.get(path)
    assert (shown.text, shown.headers["etag"]) == (answer.text, answer.headers["etag"])


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
@pytest.mark.parametrize("parameter", ["", ";charset=utf-8", '; charset="UTF-8"'])
async def test_a_patch_may_have_the_media_type_of_merge_patch_or_json(
    shared: InProcess, media_type: str, parameter: str
) -> None:
    path = await create(shared)
    for spelt in (media_type, media_type.title()):
        answer = await patch(shared, path, {"name": spelt}, content_type=spelt + parameter)
        assert (answer.status_code, answer.json()["name"]) == (200, spelt)


@pytest.mark.parametrize(
    "media_type",
    [
        *("", "text/plain", "application/json-patch+json", "application/merge-patch", "application/problem+json"),
        *("application/merge-patch+json; charset=latin-1", "application/merge-patch+json, application/json", "*/*"),
    ],
)
async def test_another_media_type_is_rejected(shared: InProcess, media_type: str) -> None:
    path = await create(shared)
    async with unchanged_log(shared.services.database):
        answer = await patch(shared, path, {"name": "Ink"}, content_type=media_type)
    check_problem(answer, 415, "unsupported-media-type")


async def test_options_list_the_media_types_of_a_patch(shared: InProcess) -> None:
    answer = await shared.client.options("/items/1")
    assert answer.headers["accept-patch"] == "application/merge-patch+json, application/json"
    assert "accept-patch" not in (await shared.client.options("/items")).headers


@pytest.mark.parametrize("price", PRICES)
@pytest.mark.parametrize("sent", ["{}", '"{}"'], ids=["number", "string"])
async def test_a_patched_price_is_exact(shared: InProcess, price: str, sent: str) -> None:
    path = await create(shared)
    async with appended(shared.services.database) as recorded:
        answer = await patch(shared, path, b'{"price": %s }' % sent.format(price).encode())
    assert [event.event for event in recorded] == [ItemChanged(price=Decimal(price))]
    assert exact(answer)["price"] == Decimal(price)
    assert exact(await shared.client.get(path))["price"] == Decimal(price)


@pytest.mark.parametrize(
    "body",
    [
        *(b"{}", b" {\n} ", b'{"name":"Pen"}', b'{"price":1}', b'{"price":"1.0000"}', b'{"price":1e0}'),
        *(b'{"price":10.0e-1}', b'{"in_stock":true}', b'{"name":"Pen","price":"1","in_stock":true}'),
    ],
)
async def test_a_patch_that_changes_nothing_appends_nothing(shared: InProcess, body: bytes) -> None:
    path = await create(shared)
    before = await shared.client.get(path)
    async with unchanged_log(shared.services.database):
        answer = await patch(shared, path, body)
    assert (answer.status_code, answer.text) == (200, before.text)
    assert (answer.headers["etag"], answer.headers["log-position"]) == ('"2.1"', before.headers["log-position"])


async def test_a_patch_from_zero_to_negative_zero_changes_nothing(shared: InProcess) -> None:
    path = await create(shared, price=0)
    async with unchanged_log(shared.services.database):
        assert (await patch(shared, path, b'{"price":-0.0}')).status_code == 200


WRONG: dict[str, tuple[bytes, str]] = {
    **{f"{field} null": (b'{"%s":null}' % field.encode(), f"/{field}") for field in ("name", "price", "in_stock")},
    **{f"name {value}": (b'{"name":%s}' % value.encode(), "/name") for value in ("1", "true", "[]", "{}")},
    **{f"price {value}": (b'{"price":%s}' % value.encode(), "/price") for value in ("true", "[]", '{"a":1}')},
    **{f"in_stock {value}": (b'{"in_stock":%s}' % value.encode(), "/in_stock") for value in ("1", "0", '"true"')},
    **{f"a whole {text}": (text.encode(), "") for text in ("[]", "null", '"x"', "1", "true", '[{"name":"Ink"}]')},
    "unknown": (b'{"name":"Ink","colour":"red"}', "/colour"),
    "the id": (b'{"id":1}', "/id"),
    "other case": (b'{"Name":"Ink"}', "/Name"),
    "a second is wrong": (b'{"name":"Ink","price":2,"in_stock":3}', "/in_stock"),
    **{name: (WRONG_NAMES[name][0].replace(b',"price":1', b""), "/name") for name in list(WRONG_NAMES)[::9]},
    **{
        f"price {name}": (WRONG_PRICES[name][0].replace(b'"name":"a",', b""), "/price")
        for name in list(WRONG_PRICES)[::3]
    },
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_invalid_patch_is_rejected_with_a_pointer_and_changes_nothing(shared: InProcess, case: str) -> None:
    body, pointer = WRONG[case]
    async with unchanged_log(shared.services.database):
        answer = await patch(shared, "/items/1", body)
    (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
    assert (fault["pointer"], fault["detail"] != "") == (pointer, True)
    assert (await shared.client.get("/items/1")).json()["name"] == "Fountain pen"


async def test_a_patch_that_is_not_json_changes_nothing(shared: InProcess) -> None:
    async with unchanged_log(shared.services.database):
        for body, pointer in NOT_JSON.values():
            (fault,) = check_problem(await patch(shared, "/items/1", body), 422, "invalid-body")["errors"]
            assert fault["pointer"] == pointer
        for body in MALFORMED.values():
            check_problem(await patch(shared, "/items/1", body), 400, "malformed-body")


async def test_an_unknown_or_deleted_item_cannot_be_changed(shared: InProcess) -> None:
    path = await create(shared)
    await remove(shared, path)
    urls = [f"/items/{text}" for text in INVALID_IDS if text.isascii() and text.isprintable() and "." not in text]
    async with unchanged_log(shared.services.database):
        for url in (path, "/items/999999999", *urls):
            for headers in ({}, {"if_match": "*"}, {"if_match": '"2.1"'}):
                problem = check_problem(await patch(shared, url, {"name": "Ink"}, **headers), 404, "item-not-found")
                assert problem["detail"] == "Item not found", url


@pytest.mark.parametrize("sent", ['"2.1"', "*", '"2.7", "2.1"', '"a,b",W/"x" ,"2.1"', ' "2.1" '])
@pytest.mark.parametrize("name", ["Ink", "Pen"])
async def test_a_patch_with_the_current_etag_is_applied(shared: InProcess, sent: str, name: str) -> None:
    path = await create(shared)
    answer = await patch(shared, path, {"name": name}, if_match=sent)
    assert (answer.status_code, answer.json()["name"]) == (200, name)
    assert answer.headers["etag"] == ('"2.2"' if name == "Ink" else '"2.1"')


@pytest.mark.parametrize("sent", ['"2.2"', '"1.1"', 'W/"2.1"', "2.1", "", '"x"', '"*"', '"2.2", W/"2.1"', '"2.01"'])
@pytest.mark.parametrize("name", ["Ink", "Pen"])
async def test_a_patch_with_another_etag_changes_nothing(shared: InProcess, sent: str, name: str) -> None:
    path = await create(shared)
    async with unchanged_log(shared.services.database):
        answer = await patch(shared, path, {"name": name}, if_match=sent)
    assert "version 1" in check_problem(answer, 412, "precondition-failed")["detail"]


async def test_every_etag_identifies_one_state(shared: InProcess) -> None:
    path = await create(shared)
    tags = [(await shared.client.get(path)).headers["etag"]]
    for number in range(20):
        answer = await patch(shared, path, {"price": number % 2 + 2}, if_match=tags[-1])
        assert answer.status_code == 200
        check_problem(await patch(shared, path, {"price": 9}, if_match=tags[-1]), 412, "precondition-failed")
        tags.append(answer.headers["etag"])
    assert len(set(tags)) == 21


async def race(one: InProcess, other: InProcess, path: str, rounds: int) -> None:
    """Run two concurrent PATCHes with the same ETag repeatedly: one wins each time, and its change is visible."""
    tag = (await one.client.get(path)).headers["etag"]
    for number in range(rounds):
        sent = [{"name": f"{number} {who}"} for who in ("a", "b")]
        answers = await asyncio.gather(
            *(patch(service, path, body, if_match=tag) for service, body in zip((one, other), sent, strict=True))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        winner = 0 if answers[0].status_code == 200 else 1
        check_problem(answers[1 - winner], 412, "precondition-failed")
        shown = await one.client.get(path)
        assert shown.json()["name"] == sent[winner]["name"]
        tag = shown.headers["etag"]
        assert tag == answers[winner].headers["etag"]


async def test_of_two_clients_with_the_same_etag_exactly_one_wins(shared: InProcess) -> None:
    await race(shared, shared, await create(shared), 40)
    await assert_log_and_projection_agree(shared.services.database)


async def test_of_two_clients_at_two_processes_exactly_one_wins(shared: InProcess) -> None:
    url = shared.url
    with beside_another():
        async with InProcess.over_as_it_is(url) as other:
            await race(shared, other, await create(shared), 40)
    await assert_log_and_projection_agree(shared.services.database)


async def test_concurrent_patches_of_different_fields_both_apply(shared: InProcess) -> None:
    path = await create(shared)
    bodies = [{"name": "Ink"}, {"price": 5}, {"in_stock": False}]
    answers = await asyncio.gather(*(patch(shared, path, body) for body in bodies))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    shown = (await shared.client.get(path)).json()
    assert (shown["name"], shown["price"], shown["in_stock"]) == ("Ink", 5, False)


async def test_fields_absent_from_a_patch_are_absent_from_the_stored_event(shared: InProcess) -> None:
    answer = await patch(shared, await create(shared), {"price": 2})
    stored = select(events.c.type, events.c.data).where(events.c.position == int(answer.headers["log-position"]))
    (row,) = await shared.services.database.read(stored)
    assert (row.type, json.loads(row.data)) == ("item.changed.v1", {"price": "2"})
