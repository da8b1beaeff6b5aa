"""`/` leads browsers to the console, and names to other clients where everything is."""

import pytest

from api.app import ROUTES
from api.auth.scopes import Scope
from tests.support.clients.http import call, part
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

module = pytest.mark.asyncio(loop_scope="module")

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
PREFER_HTML = [
    CHROME,
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",  # Firefox and Safari
    *("text/html", "Text/HTML; charset=utf-8", "text/*", "application/json;q=0.5, text/html;q=0.6"),
    *("application/json;q=0, */*", "text/html, */*;q=0.99"),
]
PREFER_JSON = [
    "*/*",  # curl, fetch
    *("", "application/json", "application/*", "application/json, text/html", "text/html, application/json"),
    *("text/html;q=0.5, application/json;q=0.6", "text/html;q=0.8, */*;q=0.9", "text/html;q=0", "text/html;q=high"),
    *("image/png", "nonsense"),
]


@module
@pytest.mark.parametrize("accept", PREFER_HTML)
async def test_a_browser_is_led_to_the_console(shared_on_sqlite: InProcess, accept: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await shared_on_sqlite.client.request(method, "/", headers={"accept": accept})
        assert (answer.status_code, answer.content) == (303, b"")
        assert (answer.headers["location"], answer.headers["vary"]) == ("console", "accept")
    followed = await shared_on_sqlite.client.get("/", headers={"accept": accept}, follow_redirects=True)
    assert (followed.status_code, followed.url.path) == (200, "/console")
    assert followed.headers["content-type"].startswith("text/html")


@module
@pytest.mark.parametrize("accept", [None, *PREFER_JSON])
async def test_any_other_client_gets_json(shared_on_sqlite: InProcess, accept: str | None) -> None:
    # Raw: an HTTP client would send an `Accept` of its own.
    headers = [] if accept is None else [("accept", accept)]
    answer = await call(shared_on_sqlite.app, "GET", "/", part(b""), headers=headers)
    assert answer is not None
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.json()["console"], answer.headers["vary"]) == ("/console", "accept")


@module
async def test_it_names_a_path_below_every_resource_and_each_answers(shared: InProcess) -> None:
    named = (await shared.client.get("/")).json()
    resources = {route.path.split("/")[1] for route in ROUTES if route.path != "/"}
    assert {path.split("/")[1] for path in named.values()} == resources - {"problems"}, "problems name their own"
    for path in named.values():
        answer = await shared.client.get(path)
        assert answer.status_code == 200, path


async def test_it_needs_no_credential_where_keys_exist_and_checks_none(service: InProcess) -> None:
    key = await make_key(service.services.database, "shop", Scope.ITEMS_READ)
    as_read(service)
    assert (await service.client.get("/items")).status_code == 401
    for headers in ({}, bearer(key.text), bearer("nonsense")):
        assert (await service.client.get("/", headers=headers)).status_code == 200
        browser = await service.client.get("/", headers={**headers, "accept": CHROME})
        assert browser.headers["location"] == "console"


@module
async def test_it_shows_no_version(shared_on_sqlite: InProcess) -> None:
    document = (await shared_on_sqlite.client.get("/openapi.json")).json()
    answer = await shared_on_sqlite.client.get("/")
    assert document["info"]["version"] not in answer.text, "strangers may read it"
