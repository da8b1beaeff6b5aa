"""`/console` and its files: served to anyone, exactly those of its folder, never stale, under the general policy."""

import tomllib
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from api.auth.scopes import Scope
from api.console.routes import FILES, STATIC
from api.edge import static_files
from api.edge.rate_limits import RateLimits
from api.http.security_headers import CONTENT_SECURITY_POLICY
from api.settings import Settings
from tests.api.ops.test_docs import Page
from tests.support.clients.http import call, check_problem, part
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
PAGE, FILE = "/console", "/console/{}/{}".format(*next(iter(FILES)))
#: Every file in the folder that a browser loads, by its path. No name starts with a dot: editors write those.
SERVED = {
    "/console" if path.parent == STATIC else f"/console/{path.relative_to(STATIC).as_posix()}": path
    for path in STATIC.rglob("[!.]*")
    if path.is_file() and path.suffix != ".ts"  # types, for the checker alone
}

module = pytest.mark.asyncio(loop_scope="module")


@module
async def test_every_file_of_the_folder_is_served_as_it_is(shared_on_sqlite: InProcess) -> None:
    assert {PAGE, FILE} <= SERVED.keys()
    for target, path in SERVED.items():
        answer = await shared_on_sqlite.client.get(target)
        assert (answer.status_code, answer.content) == (200, path.read_bytes()), target
        assert answer.headers["content-type"] == TYPES[path.suffix], target
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff", "a browser runs no script of another type"


@module
async def test_the_page_has_nothing_inline_and_refers_only_to_this_service(shared_on_sqlite: InProcess) -> None:
    answer = await shared_on_sqlite.client.get(PAGE)
    page = Page(answer.text)
    assert page.inline == [], "its policy would block it"
    assert page.references
    for reference in page.references:
        target = httpx.URL("http://host/base/console").join(reference)  # also below the path of a proxy
        assert (target.host, target.path.startswith("/base/")) == ("host", True), reference
        found = await shared_on_sqlite.client.get(target.path.removeprefix("/base"))
        assert found.status_code == 200, reference


@module
@pytest.mark.parametrize(
    "target",
    [
        *("/console/", "/console/app", "/console/app/", "/console/static/console.html", "/console/console.html"),
        *("/console/style/none.css", "/console/nowhere/console.css", "/console/app/examples.json", "/Console"),
        *("/console/app/..", "/console/../routes.py", "/console/app/../routes.py", "/console/./routes.py"),
        *("/console/%2e%2e/routes.py", "/console/app/%2e%2e%2f%2e%2e%2froutes.py", "/console/..%2froutes.py"),
        *("/console/app/..%2f..%2froutes.py", "/console/..%2F..%2Fexamples.json", "/console%2fapp%2fmain.js"),
        *("/console/app/..%5c..%5croutes.py", "/console/app/%00", f"{FILE}%00", f"{FILE}%20", f"{FILE}/", f"/{FILE}"),
        *(
            "/console/style//etc/passwd",
            "/console//etc/passwd",
            "/console/%2fetc/passwd",
            "/console/*/*",
            "/console/app/*",
        ),
    ],
)
async def test_nothing_else_is_found(shared_on_sqlite: InProcess, target: str) -> None:
    # Raw, since HTTP clients resolve dots.
    answer = await call(shared_on_sqlite.app, "GET", unquote(target), part(b""), raw_path=target.encode())
    assert answer is not None
    check_problem(answer, 404, "not-found")


@module
async def test_an_escaped_name_is_the_name(shared_on_sqlite: InProcess) -> None:
    escaped = FILE[:-1] + f"%{ord(FILE[-1]):02x}"
    answer = await shared_on_sqlite.client.get(escaped)
    assert answer.content == SERVED[FILE].read_bytes()


@module
@pytest.mark.parametrize("target", [PAGE, FILE, "/docs", "/docs/start.js"])
async def test_a_browser_asks_again_and_loads_only_what_changed(shared_on_sqlite: InProcess, target: str) -> None:
    client = shared_on_sqlite.client
    first = await client.get(target)
    assert first.headers["cache-control"] == "no-cache"
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await client.get(target, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert again.headers["cache-control"] == "no-cache"
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    other = await client.get(target, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@module
async def test_the_tag_changes_with_the_content(
    shared_on_sqlite: InProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tags = {(await shared_on_sqlite.client.get(target)).headers["etag"] for target in SERVED}
    assert len(tags) == len({path.read_bytes() for path in SERVED.values()})
    folder_and_name = next(iter(FILES))
    changed = tmp_path / f"changed{FILES[folder_and_name].suffix}"
    changed.write_bytes(FILES[folder_and_name].read_bytes() + b"\n")
    monkeypatch.setitem(FILES, folder_and_name, changed)
    after = await shared_on_sqlite.client.get(FILE)
    assert after.content == changed.read_bytes()
    assert after.headers["etag"] not in tags


@module
async def test_a_file_is_read_once(shared_on_sqlite: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[Path]()
    original = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        read.append(path)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    static_files._read.cache_clear()
    for _ in range(3):
        await shared_on_sqlite.client.get(FILE)
    assert read == [SERVED[FILE]]


@module
@pytest.mark.parametrize("target", [PAGE, FILE])
async def test_head_has_the_length_and_no_body(shared_on_sqlite: InProcess, target: str) -> None:
    answer = await shared_on_sqlite.client.head(target)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(SERVED[target].read_bytes())


async def test_it_needs_no_credential_where_keys_exist_and_checks_none(service: InProcess) -> None:
    key = await make_key(service.services.database, "shop", Scope.ITEMS_READ)
    as_read(service)
    assert (await service.client.get("/items")).status_code == 401
    for headers in ({}, bearer(key.text), bearer("nonsense")):
        for target in (PAGE, FILE):
            assert (await service.client.get(target, headers=headers)).status_code == 200


async def test_its_files_count_against_the_address_and_its_calls_against_the_credential(service: InProcess) -> None:
    assert len(SERVED) < 200, "the documentation says so"
    key = ("authorization", f"Bearer {(await make_key(service.services.database)).text}")
    as_read(service)
    service.app._limits = RateLimits(Settings(rate_limit=len(SERVED)), lambda: 0.0)

    async def status(target: str, *headers: tuple[str, str]) -> int:
        answer = await call(service.app, "GET", target, part(b""), headers=headers, client=("203.0.113.7", 1))
        assert answer is not None
        return answer.status_code

    assert await status("/me", key) == 200
    # With a credential too: it is not checked.
    assert {await status(target, key) for target in SERVED} == {200}
    assert await status(PAGE) == 429
    assert [await status("/me", key) for _ in SERVED] == [*[200] * (len(SERVED) - 1), 429]


async def test_it_is_served_to_other_machines(service: InProcess) -> None:
    for target, status in ((PAGE, 200), (FILE, 200), ("/items", 401)):
        answer = await call(service.app, "GET", target, part(b""), client=("203.0.113.7", 1))
        assert answer is not None
        assert answer.status_code == status


def test_an_installed_service_has_every_file() -> None:
    package = STATIC.parents[1]
    configured = tomllib.loads((package.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    installed = {path for pattern in configured[package.name] for path in package.glob(pattern)}
    assert {*SERVED.values(), package / "console" / "examples.json", package / "me" / "examples.json"} <= installed
