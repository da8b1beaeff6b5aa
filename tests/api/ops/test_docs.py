"""`/docs` shows the document, loads nothing from other machines, and serves Swagger UI's files as released."""

import json
import re
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from tests.support.service import InProcess

#: SHA-256 of the files in the release swagger-ui-dist 5.31.0.
UPSTREAM = {
    "swagger-ui-bundle.js": "93b7b0862a80e2786f85b560be7693c2344354ffa7e7e224f850a54349724c31",
    "swagger-ui.css": "9e576f8322132c76949da47f9bb53c891373c303ea3a761ff548ffc9de50a98c",
    "favicon-32x32.png": "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
}
TYPES = {"js": "text/javascript", "css": "text/css", "png": "image/png"}


class Page(HTMLParser):
    """The references of a page, and its inline scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self._in: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag if tag in ("script", "style") else None
        for name, value in attrs:
            if name in ("src", "href", "action", "data", "srcset", "poster"):
                self.references.append(value or "")
            elif name.startswith("on") or name == "style":
                self.inline.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in and data.strip():
            self.inline.append(data)


async def test_the_page_loads_only_from_this_service(small: InProcess) -> None:
    answer = await small.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    page = Page(answer.text)
    assert page.inline == [], "its policy would block it"
    assert {path.removeprefix("/docs/") for path in page.references} == {*UPSTREAM, "start.js"}
    for path in page.references:
        assert (await small.client.get(path)).status_code == 200
    assert "//" not in answer.text


async def test_its_policy_allows_nothing_else(small: InProcess) -> None:
    policy = (await small.client.get("/docs")).headers["content-security-policy"]
    directives = {name: set(sources) for name, *sources in (part.split() for part in policy.split(";"))}
    assert directives["default-src"] == {"'self'"}
    assert directives.get("script-src", {"'self'"}) == {"'self'"}
    assert set().union(*directives.values()) <= {"'self'", "'none'", "'unsafe-inline'", "data:"}


async def test_the_start_script_fetches_only_our_document(small: InProcess) -> None:
    script = (await small.client.get("/docs/start.js")).text
    assert re.findall(r'fetch\("([^"]*)"', script) == ["/openapi.json"]
    assert "url:" not in script, "the page gets the document from there"
    assert "validatorUrl: null" in script, "otherwise it sends the document to an external validator"
    assert "//" not in script


async def test_the_page_asks_for_a_required_credential_and_does_not_store_it(small: InProcess) -> None:
    page = (await small.client.get("/docs")).text
    assert "<form hidden>" in page
    assert 'name="credential" type="password" autocomplete="off"' in page
    script = (await small.client.get("/docs/start.js")).text
    [scheme] = json.loads(small.services.openapi())["components"]["securitySchemes"]
    assert f'preauthorizeApiKey("{scheme}", credential)' in script, "requests that are tried out use it, too"
    for store in ("Storage", "cookie", "indexedDB", "history", "location", "persistAuthorization"):
        assert store not in script


async def test_the_style_sheet_loads_nothing(small: InProcess) -> None:
    css = (await small.client.get("/docs/swagger-ui.css")).text
    loaded = re.findall(r"url\(\s*[\"']?([^\"')]{0,40})", css)
    assert loaded
    assert [url for url in loaded if not url.startswith(("data:", "#"))] == []
    assert "@import" not in css


@pytest.mark.parametrize("name", UPSTREAM)
async def test_each_file_of_swagger_ui_is_as_released(small: InProcess, name: str) -> None:
    answer = await small.client.get(f"/docs/{name}")
    assert sha256(answer.content).hexdigest() == UPSTREAM[name]
    assert answer.headers["content-type"].partition(";")[0] == TYPES[name.rpartition(".")[2]]
