"""HEAD, OPTIONS and 405 on every path; FasterAPI supports none of them."""

import pytest

from api.app import ROUTES
from api.console.routes import FILES
from api.edge.routing import Route
from tests.support.clients.http import call, check_problem, part, unchanged_log
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: One path for each template.
EXAMPLES = {
    **{"{item_id}": "1", "{position}": "1", "{key_id}": "85fy6djd"},
    **{"{asset}": "start.js", "{code}": "not-found", "{name}": "items"},
    **dict(zip(("{folder}", "{file}"), next(iter(FILES)), strict=True)),
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get", "")


def example(path: str) -> str:
    for name, value in EXAMPLES.items():
        path = path.replace(name, value)
    return path


ALLOWED: dict[str, set[str]] = {}
for route in ROUTES:
    ALLOWED.setdefault(example(route.path), {"OPTIONS"}).update(
        {route.method, "HEAD"} if route.method == "GET" else {route.method}
    )


#: Tested in test_stream.py, test_export_http.py and auth/test_keys_over_http.py: responses without a length, and a key,
#: whose existence makes authentication required.
ELSEWHERE = {"/events/stream", "/events/export", example("/keys/{key_id}")}
#: The query that a path needs to be answered with 200.
QUERIES = {"/log/consistency": "?from=1"}


@pytest.mark.parametrize(
    "path", [path for path, methods in ALLOWED.items() if "GET" in methods and path not in ELSEWHERE]
)
async def test_head_has_the_headers_of_get_and_no_body(shared: InProcess, path: str) -> None:
    path, named = path + QUERIES.get(path, ""), {"x-request-id": "same"}
    get = await shared.client.get(path, headers=named)
    head = await shared.client.head(path, headers=named)
    assert get.status_code == head.status_code == 200
    assert (head.content, len(get.content)) == (b"", int(get.headers["content-length"]))
    assert head.headers == get.headers


@pytest.mark.parametrize("path", ["/items", "/items/1", "/docs", "/nothing", "/items/99"])
async def test_head_sends_no_byte_of_a_body(shared: InProcess, path: str) -> None:
    # Raw: an HTTP client would drop the bytes that must not be there.
    answer = await call(shared.app, "HEAD", path, part(b""))
    assert answer is not None
    assert (answer.content, int(answer.headers["content-length"]) > 0) == (b"", True)


async def test_head_of_an_unknown_path_or_item_is_a_404_without_a_body(shared: InProcess) -> None:
    for path in ("/nothing", "/items/99", "/items/x"):
        answer = await shared.client.head(path)
        assert (answer.status_code, answer.content) == (404, b"")
        assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ALLOWED)
async def test_options_lists_the_methods(shared_on_sqlite: InProcess, path: str) -> None:
    answer = await shared_on_sqlite.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == ", ".join(sorted(ALLOWED[path]))


@pytest.mark.parametrize("path", ALLOWED)
async def test_any_other_method_is_refused_with_the_list(shared_on_sqlite: InProcess, path: str) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        for method in METHODS:
            if method in ALLOWED[path]:
                continue
            # Raw, since HTTP clients write methods in capitals: they are case-sensitive.
            answer = await call(shared_on_sqlite.app, method, path, part(b'{"name":"a","price":1}'))
            assert answer is not None
            if method == "HEAD":
                assert (answer.status_code, answer.content) == (405, b"")
            else:
                check_problem(answer, 405, "method-not-allowed")
            assert answer.headers["allow"] == ", ".join(sorted(ALLOWED[path]))


async def test_options_of_an_unknown_path_is_not_found(shared_on_sqlite: InProcess) -> None:
    check_problem(await shared_on_sqlite.client.options("/nothing"), 404, "not-found")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is not None], ids=lambda route: route.path)
async def test_options_names_the_media_types_of_each_body(shared_on_sqlite: InProcess, route: Route) -> None:
    answer = await shared_on_sqlite.client.options(example(route.path))
    assert answer.headers[f"accept-{route.method.lower()}"] == ", ".join(route.media_types)
