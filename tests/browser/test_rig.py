"""The rig sees what it is for: errors of a page, other hosts, and what hinders users."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.rig.axe import assert_accessible, every_look
from tests.browser.rig.chromium import MISSING
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import PUBLIC_KEY, LiveService
from tests.browser.rig.watch import Watch

ROOT = Path(__file__).parents[2]
GOOD = '<!doctype html><html lang="en"><title>A page</title><main><h1>Fine</h1></main></html>'
WORKER = "new Worker(URL.createObjectURL(new Blob([`fetch('http://b.example/')`])))"
IMAGE = "document.body.append(Object.assign(new Image(), {src: 'http://c.example/'}))"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('broken')", "console error: broken"),
        ("console.warn('old')", "console warning: old"),
        ("setTimeout(() => { throw new Error('thrown') })", "uncaught: thrown"),
        ("void Promise.reject(new Error('lost'))", "uncaught: lost"),
        ("void fetch('http://a.example/').catch(() => 0)", "request to another host: http://a.example/"),
        ("void fetch('http://a.example/').catch(() => 0)", "request failed: GET http://a.example/"),
        (WORKER, "request to another host: http://b.example/"),
        (IMAGE, "request to another host: http://c.example/"),
    ],
)
def test_what_a_page_must_not_do_is_seen(context: BrowserContext, script: str, problem: str) -> None:
    watch, page = Watch(context), context.new_page()
    page.set_content(GOOD)
    watch.finish()
    page.evaluate(f"() => {{ {script} }}")
    deadline = time.monotonic() + 60
    while not any(problem in seen for seen in watch.problems):
        assert time.monotonic() < deadline, watch.problems
        page.wait_for_timeout(10)
    with pytest.raises(AssertionError, match="The page did what it must not do"):
        watch.finish()


def test_an_expected_problem_is_accepted_and_must_happen(context: BrowserContext) -> None:
    watch, page = Watch(context), context.new_page()
    watch.expect("status of 412")
    watch.tolerate("perhaps")
    with pytest.raises(AssertionError, match="expected, and did not happen: status of 412"):
        watch.finish()
    page.evaluate("console.error('a status of 412')")
    watch.finish()
    page.evaluate("console.error('a status of 500')")
    with pytest.raises(AssertionError, match="a status of 500"):
        watch.finish()


@every_look
@pytest.mark.parametrize(
    ("html", "rule"),
    [
        (GOOD.replace(' lang="en"', ""), "html-has-lang"),
        (GOOD.replace("Fine", "<button></button>"), "button-name"),
        (GOOD.replace("<h1>", '<h1 style="color:#777;background:#666">'), "color-contrast"),
    ],
)
def test_what_hinders_users_is_listed(page: Page, html: str, rule: str) -> None:
    page.set_content(GOOD)
    assert_accessible(page)
    page.set_content(html)
    with pytest.raises(AssertionError, match=f"(?s)(serious|critical): {rule}: .*Fix any of the following"):
        assert_accessible(page)


def test_a_live_service_is_seeded_keyed_and_signed(keyed_service: LiveService) -> None:
    events = keyed_service.request("GET", "/events?limit=1000", "auditor").json()
    assert [event["position"] for event in events] == list(range(1, EVENTS + 1))
    assert len({event["type"] for event in events}) == 4
    assert PUBLIC_KEY.partition("+")[0] in keyed_service.request("GET", "/log/checkpoint").text


def test_a_holder_of_a_key_is_signed_in(keyed_service: LiveService, console: Callable[..., Page]) -> None:
    page = console(keyed_service, "/items", "reader")
    assert page.url == f"{keyed_service.url}/console#/items"
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_a_page_is_shown_by_a_service_that_starts_again(
    open_service: LiveService, console: Callable[..., Page], watch: Watch
) -> None:
    page = console(open_service)
    assert page.title()
    open_service.stop()
    watch.tolerate_outage()
    assert page.evaluate("fetch('../livez').then(() => 'there', () => 'gone')") == "gone"
    open_service.start()
    assert page.evaluate("fetch('../livez').then(answer => answer.status)") == 200


@pytest.mark.parametrize("covered_up", [False, True])
def test_history_can_be_changed_as_the_owner_can(open_service: LiveService, covered_up: bool) -> None:
    before = open_service.request("GET", "/log/checkpoint").text
    open_service.tamper("UPDATE events SET actor = 'mallory' WHERE position = 7", covered_up=covered_up)
    assert open_service.request("GET", "/events/7").json()["actor"] == "mallory"
    open_service.stop()
    open_service.start()
    assert (open_service.request("GET", "/log/checkpoint").text != before) is covered_up


def test_a_picture_is_written_only_when_it_is_asked_for(
    page: Page, picture: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*.png")}
    page.set_content(GOOD)
    monkeypatch.delenv("ITEMLEDGER_TEST_PICTURES", raising=False)
    picture("rig")
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*.png")} == before
    monkeypatch.setenv("ITEMLEDGER_TEST_PICTURES", str(tmp_path))
    picture("rig")
    first = (tmp_path / "console-rig.png").read_bytes()
    picture("rig")
    assert (tmp_path / "console-rig.png").read_bytes() == first
    assert first.startswith(b"\x89PNG")


def test_without_a_browser_the_run_stops_and_says_how_to_get_one(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    environment.pop("ITEMLEDGER_TEST_CHROMIUM", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/browser"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (4, f"ERROR: {MISSING}")


def test_no_test_of_a_browser_is_collected_unless_it_is_named() -> None:
    others = [f"--ignore={path}" for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "browser"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "tests", *others],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "tests/test_postgres_rig.py::" in done.stdout
    assert f"{Path(__file__).relative_to(ROOT)}::" not in done.stdout
