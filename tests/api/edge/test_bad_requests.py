"""Invalid paths, queries and content types are refused before they reach a handler."""

from urllib.parse import unquote

import pytest

from api.app import ROUTES
from tests.api.edge.test_methods import example
from tests.support.clients.http import JSON, call, check_problem, part, unchanged_log
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"name":"a","price":1}'

#: Invalid item ids, decoded as servers pass them on.
INVALID_IDS = [
    *("0", "-1", "-0", "+1", "01", "1.0", "1e0", "1_0", "0x1", "abc", "null", "NaN", "1;", "1,2", ".", "..", "%", "**"),
    *(" 1", "1 ", "1\n", "1\t", "1\u00a0", "1\x00", "\u0661", "\uff11", "\u00b2", "\u0967", "\ufffd"),
    *("9223372036854775808", "18446744073709551616", "9" * 400),
]
UNKNOWN_PATHS = [
    *("", "//", "/item", "/items/", "//items", "/items//", "//items/1", "/items//1", "/items/1/", "/items/1/events"),
    *("/Items", "/items ", "/items.json", "/items/1/2", "/docs/", "/docs/../items", "/problems"),
    *(
        "/problems/",
        "/livez/",
        "/readyz/x",
        "/openapi.json/",
        "/favicon.ico",
        "/{item_id}",
        "*",
        "/items/*",
        "/items/*/",
    ),
]
BAD_VALUES = [
    *("limit=0", "limit=1001", "limit=abc", "limit=-1", "limit=", "limit=1.5", "limit= 5", "limit=+5", "limit=5%20"),
    *("limit=%00", "limit=1_0", "limit=0x10", "limit=nan", "limit=null", "limit=true", "limit=" + "9" * 5000),
    *("limit=%D9%A3", "limit=1;limit=2", "cursor=%21%21", "cursor=A", "cursor=%C3%A9", "cursor=W10", "cursor=Wy0xXQ"),
    *("cursor=WzEsMl0", "cursor=WyIxIl0", "cursor=e30", "cursor=MQ", "cursor=W25hbl0", "cursor=" + "A" * 513),
    *("cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", "cursor=%00", "cursor=" + "W1tb" * 100),
]
BAD_QUERIES = [
    *("limit=1&limit=2", "limit=1&limit=1", "cursor=&cursor=", "limit", "=1", "&", "limit=1&", "limit=1&&cursor="),
    *("%ff=1", "limit=%ff", "limit=%ed%a0%80", "a=1&" * 100),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("text", INVALID_IDS)
async def test_an_invalid_id_is_not_found(shared_on_sqlite: InProcess, method: str, text: str) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        answer = await call(shared_on_sqlite.app, method, f"/items/{text}", part(b""))
    assert answer is not None
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (404, b"")
    else:
        assert check_problem(answer, 404, "item-not-found")["detail"] == "Item not found"


@pytest.mark.parametrize("text", ["1%2f", "1%2F", "%2f1", "1%2fx", "1%252f", "%20", "1%20", "%31%00", "%D9%A1", "%ff"])
async def test_an_escape_does_not_make_an_id_valid(shared_on_sqlite: InProcess, text: str) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        for method in ("GET", "DELETE"):
            assert (await shared_on_sqlite.client.request(method, f"/items/{text}")).status_code == 404


@pytest.mark.parametrize("path", ["/items%2f1", "/items%2F1", "/docs%2fstart.js", "/%2fitems", "/problems%2Fnot-found"])
async def test_an_escaped_slash_does_not_separate_segments(shared_on_sqlite: InProcess, path: str) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        for method in ("GET", "DELETE"):
            check_problem(await shared_on_sqlite.client.request(method, path), 404, "not-found")


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
async def test_an_unknown_path_is_not_found_by_any_method(shared_on_sqlite: InProcess, path: str) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        for method in ("GET", "POST", "DELETE", "PUT"):
            answer = await call(shared_on_sqlite.app, method, path, part(BODY), headers=list(JSON.items()))
            assert answer is not None
            check_problem(answer, 404, "not-found")


@pytest.mark.parametrize("query", BAD_VALUES)
async def test_an_invalid_parameter_is_refused_by_its_name(shared_on_sqlite: InProcess, query: str) -> None:
    answer = await shared_on_sqlite.client.get(f"/items?{query}")
    problem = check_problem(answer, 400, "invalid-query")
    assert [fault["parameter"] for fault in problem["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_a_repeated_or_malformed_query_is_refused(shared_on_sqlite: InProcess, query: str) -> None:
    check_problem(await shared_on_sqlite.client.get(f"/items?{query}"), 400, "invalid-query")


@pytest.mark.parametrize("query", [b"\xff=1", b"limit=\xff", b"a\x00=1"])
async def test_raw_bytes_in_a_query_are_refused(shared_on_sqlite: InProcess, query: bytes) -> None:
    answer = await call(shared_on_sqlite.app, "GET", "/items?" + query.decode("latin-1"), part(b""))
    assert answer is not None
    check_problem(answer, 400, "invalid-query")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("parameter", ["limt", "Limit", "min-position", "", "\u00e9", "x'\"\n"])
async def test_every_route_refuses_a_parameter_it_does_not_know(
    shared_on_sqlite: InProcess, route: object, parameter: str
) -> None:
    method, path = route.method, example(route.path)  # type: ignore[attr-defined]
    async with unchanged_log(shared_on_sqlite.services.database):
        answer = await shared_on_sqlite.client.request(
            method, path, params={parameter: "1"}, content=BODY, headers=JSON
        )
    (fault,) = check_problem(answer, 400, "invalid-query")["errors"]
    assert fault["parameter"] == parameter


@pytest.mark.parametrize(
    "media_type",
    [
        *(None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/problem+json", "application/merge-patch+json", "application/jsonx", "xapplication/json"),
        *("application/json; charset=latin-1", "application/json; charset=utf-16", "application/json; charset"),
        *("application/json, application/json", "application/json; v=1", "*/*", "application/json;;"),
    ],
)
async def test_a_content_type_that_is_not_json_is_refused(shared_on_sqlite: InProcess, media_type: str | None) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        headers = {} if media_type is None else {"content-type": media_type}
        answer = await shared_on_sqlite.client.post("/items", content=BODY, headers=headers)
    check_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "media_type",
    [
        *(
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            'application/json;charset="UTF-8"',
        ),
        "application/json ; charset=Utf-8 ",
    ],
)
async def test_json_may_say_that_it_is_utf_8(shared: InProcess, media_type: str) -> None:
    answer = await shared.client.post("/items", content=BODY, headers={"content-type": media_type})
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["/docs/none.js", "/docs/..", "/docs/%2e%2e%2fpyproject.toml", "/problems/none"])
async def test_an_unknown_value_of_a_path_parameter_is_not_found(shared_on_sqlite: InProcess, path: str) -> None:
    # Raw, since HTTP clients resolve dots.
    answer = await call(shared_on_sqlite.app, "GET", unquote(path), part(b""), raw_path=path.encode())
    assert answer is not None
    check_problem(answer, 404, "not-found")
