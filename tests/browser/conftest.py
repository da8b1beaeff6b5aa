"""Fixtures of the tests of the console: one Chromium for each process, a page for each test, and live services.

All is synchronous, Playwright's API too: a test reads as what a user does. Its event loop runs in the test's thread, so
no test here is a coroutine, and coroutines run by `rig.services.run`.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.rig.axe import LOOKS, assert_accessible
from tests.browser.rig.chromium import MISSING, find_chromium, running_chromium
from tests.browser.rig.seed import fill
from tests.browser.rig.services import LiveService, run
from tests.browser.rig.watch import Watch
from tests.support.postgres import PostgresServer

_ROOT = Path(__file__).parents[2]
_VIEWPORT = {"width": 1280, "height": 800}
_MAX_PICTURE_BYTES = 150 * 1024
_FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Stop before the first test without a browser."""
    if not hasattr(config, "workerinput") and find_chromium() is None:
        raise pytest.UsageError(MISSING)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Note for the fixtures of a test that it failed."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium for all tests of this process."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def look() -> dict[str, Any]:
    """How the page is shown; a test with `rig.axe.every_look` runs in each way."""
    return LOOKS["light"]


@pytest.fixture
def context(browser: Browser, look: dict[str, Any]) -> Iterator[BrowserContext]:
    """A browser without cookies, storage or cache."""
    context = browser.new_context(**{"viewport": _VIEWPORT, "locale": "en-GB", "timezone_id": "UTC", **look})
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """What no page may do: `watch.expect("status of 412")` accepts what the test itself causes."""
    watch = Watch(context)
    yield watch
    watch.finish()


@pytest.fixture
def page(context: BrowserContext, watch: Watch, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that is watched. A failed test leaves a picture of it in build/browser/."""
    page = context.new_page()
    yield page
    if request.node.stash.get(_FAILED, False) and not page.is_closed():
        name = re.sub(r"[^\w.-]+", "-", request.node.name)
        page.screenshot(path=_ROOT / "build" / "browser" / f"{name}.png")


@pytest.fixture
def console(page: Page, watch: Watch) -> Callable[..., Page]:
    """Open a view: `console(service, "/items?as_of=3")`, or as a holder of a key `console(service, "/", "admin")`."""

    def open_view(service: LiveService, view: str = "/", holder: str | None = None) -> Page:
        watch.origins.add(service.url)
        page.goto(f"{service.url}/console#{view}")
        if holder is not None:
            watch.tolerate(r"status of 401 .*/me\)$")  # so the page learns that a credential is needed
            page.get_by_label("Credential").fill(service.keys[holder])
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("heading", name="Sign in").wait_for(state="detached")
        return page

    return open_view


@pytest.fixture
def axe(page: Page) -> Callable[[], None]:
    """Fail if the page, as it is now, violates WCAG 2.2 A or AA."""
    return lambda: assert_accessible(page)


@pytest.fixture
def picture(page: Page) -> Callable[[str], None]:
    """Write console-NAME.png to the folder in ITEMLEDGER_TEST_PICTURES; without it nothing: see `make pictures`."""

    def write(name: str) -> None:
        if folder := os.environ.get("ITEMLEDGER_TEST_PICTURES"):
            path = Path(folder) / f"console-{name}.png"
            page.screenshot(path=path, animations="disabled", caret="hide", scale="css")
            assert path.stat().st_size <= _MAX_PICTURE_BYTES

    return write


@pytest.fixture(scope="session")
def _seeded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("seeded") / "itemledger.db"
    run(fill(f"sqlite+aiosqlite:///{path}"))
    return path.read_bytes()


@pytest.fixture(scope="session")
def _seeded_postgres(postgres_server: PostgresServer) -> str:
    run(fill(postgres_server.create_database("seeded")))
    return "seeded"


@pytest.fixture(params=["sqlite", "postgresql"])
def seeded_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, of each kind, with the events of `rig.seed`."""
    if request.param == "sqlite":
        yield _copy(request.getfixturevalue("_seeded_sqlite"), tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database(template=request.getfixturevalue("_seeded_postgres"))
    yield url
    server.drop_database(url)


def _copy(database: bytes, directory: Path) -> str:
    path = directory / "itemledger.db"
    path.touch(mode=0o600)
    path.write_bytes(database)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def open_service(seeded_url: str) -> Iterator[LiveService]:
    """A service without keys, of the test's own, on each database: every client may do everything."""
    with LiveService(seeded_url) as service:
        yield service


@pytest.fixture
def keyed_service(seeded_url: str) -> Iterator[LiveService]:
    """A service with the keys of `rig.services.HOLDERS`, of the test's own, on each database."""
    with LiveService(seeded_url, keyed=True) as service:
        yield service


@pytest.fixture(scope="session")
def shared_service(_seeded_sqlite: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """An open service on SQLite for all tests that only read, as those of looks and pictures do."""
    with LiveService(_copy(_seeded_sqlite, tmp_path_factory.mktemp("shared"))) as service:
        yield service
