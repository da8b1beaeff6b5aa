"""The history: filters, pages, the live feed over pauses and restarts, and exports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]

_POSITIONS = "() => [...document.querySelectorAll('tr[data-position]')].map(row => Number(row.dataset.position))"
#: Chromium's dialog cannot be used without a window; files of the page's own behave the same.
_PICKER = """window.showSaveFilePicker = async ({suggestedName}) =>
    (await navigator.storage.getDirectory()).getFileHandle(suggestedName, {create: true})"""
_SAVED = """async name => {
    const directory = await navigator.storage.getDirectory();
    const file = await directory.getFileHandle(name).catch(() => null);
    return file && (await file.getFile()).text();
}"""
#: A tick of Chromium's log of answers of 400 and more.
_REFUSED = "status of {}"


def positions(page: Page) -> list[int]:
    """Return the positions of the rows, from top to bottom."""
    return list(page.evaluate(_POSITIONS))


def expect_positions(page: Page, expected: list[int]) -> None:
    """Wait until the table has these rows."""
    page.wait_for_function(f"expected => JSON.stringify(({_POSITIONS})()) === JSON.stringify(expected)", arg=expected)


def create(service: LiveService, count: int) -> None:
    """Create items in one batch."""
    items = [{"name": f"Item {number}", "price": 1} for number in range(count)]
    service.request("POST", "/items/batch", json=items)


def newest(service: LiveService, **filters: str | int) -> list[dict[str, Any]]:
    """Return the events that the service lists."""
    events = service.request("GET", f"/events?{urlencode({'sort': '-position', 'limit': 1000, **filters})}").json()
    return list(events)


def test_events_are_newest_first_with_who_and_by_which_credential(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/history")
    expect_positions(page, list(range(EVENTS, 0, -1)))
    for event in newest(open_service):
        row = page.locator(f"tr[data-position='{event['position']}']")
        text = row.inner_text()
        assert all(str(value) in text for value in (event["actor"], event["credential"] or "", event["correlation_id"]))
        assert all(name in text for name in event["data"])
    expect(page.get_by_text("Eraser <b>soft</b>")).to_be_visible()
    expect(page.get_by_text("99999999999999.9999", exact=True)).to_be_visible()
    page.get_by_role("link", name="17", exact=True).first.click()
    expect(page.get_by_role("heading", name="Event 17")).to_be_focused()
    page.go_back()
    expect_positions(page, list(range(EVENTS, 0, -1)))


@pytest.mark.parametrize(
    "filters",
    [
        {"item_id": 4},
        {"type": "item.deleted.v1"},
        {"actor": "clara"},
        {"credential": "key:5f0c2a7e9b114d38"},
        {"correlation_id": "order-3"},
        {"command_id": "seed-017"},
        {"from": "2026-01-08T00:00:00Z"},
        {"to": "2026-01-08T23:59:59.999999Z"},
        {"after": 30},
        {"before": 12},
        {"actor": "shop", "item_id": 1, "after": 2},
    ],
    ids="-".join,
)
def test_each_filter_is_in_the_address_and_in_the_form(
    shared_service: LiveService, console: Console, filters: dict[str, str | int]
) -> None:
    expected = [event["position"] for event in newest(shared_service, **filters)]
    assert 0 < len(expected) < EVENTS
    page = console(shared_service, f"/history?{urlencode(filters)}")
    expect_positions(page, expected)
    for name, value in filters.items():
        expect(page.locator(f"[name={name}]")).to_have_value(str(value))
    page.get_by_role("link", name="Clear").click()
    expect_positions(page, list(range(EVENTS, 0, -1)))
    for name, value in filters.items():
        if not page.locator(f"[name={name}]").is_visible():
            page.get_by_text("More filters").click()
        if name == "type":
            page.get_by_label("Type").select_option(str(value))
        else:
            page.locator(f"[name={name}]").fill(str(value))
    page.get_by_role("button", name="Apply").click()
    expect_positions(page, expected)
    page.go_back()
    expect_positions(page, list(range(EVENTS, 0, -1)))


def test_a_value_in_the_table_adds_its_filter_and_a_chip_removes_it(
    shared_service: LiveService, console: Console
) -> None:
    page = console(shared_service, "/history?actor=shop")
    page.locator("tr[data-position='1']").get_by_role("link", name="1", exact=True).last.click()
    expect_positions(page, [event["position"] for event in newest(shared_service, actor="shop", item_id=1)])
    page.get_by_role("link", name="Remove the filter Actor: shop").click()
    expect_positions(page, [event["position"] for event in newest(shared_service, item_id=1)])


def test_a_day_or_a_minute_is_enough_of_a_time(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/history")
    page.locator("[name=from]").fill("2026-01-08")
    page.locator("[name=to]").fill("2026-01-08")
    page.get_by_role("button", name="Apply").click()
    expect_positions(page, [16, 15, 14, 13])
    page.locator("[name=from]").fill("2026-01-08 11:07")
    page.get_by_role("button", name="Apply").click()
    expect_positions(page, [16, 15, 14])


def test_a_value_that_the_service_refuses_is_explained(
    shared_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect(_REFUSED.format(400))
    page = console(shared_service, "/history?from=yesterday")
    expect(page.get_by_role("alert")).to_contain_text("from")
    expect(page.get_by_role("alert")).to_contain_text("Request id")


def test_pages_lead_to_the_oldest_event(open_service: LiveService, console: Console) -> None:
    create(open_service, 70)
    page = console(open_service, "/history")
    total = EVENTS + 70
    expect_positions(page, list(range(total, total - 50, -1)))
    page.get_by_role("link", name="Older events").click()
    expect_positions(page, list(range(total - 50, total - 100, -1)))
    page.get_by_role("link", name="Older events").click()
    expect_positions(page, list(range(total - 100, 0, -1)))
    expect(page.get_by_text("No older events")).to_be_visible()
    page.get_by_role("link", name="First page").click()
    expect_positions(page, list(range(total, total - 50, -1)))


def test_live_events_come_once_each_over_a_restart_of_the_service(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    page = console(open_service, "/history?follow=1")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    create(open_service, 3)
    expect_positions(page, list(range(EVENTS + 3, 0, -1)))
    watch.tolerate_outage()
    open_service.stop()
    expect(page.get_by_text("Waiting to reconnect")).to_be_visible()
    open_service.start()
    create(open_service, 4)
    expect_positions(page, list(range(EVENTS + 7, 0, -1)))
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("7 new events", exact=True).first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("count", [30, 700])
def test_a_pause_holds_events_back_and_a_resume_shows_them_once_each(
    open_service: LiveService, console: Console, count: int
) -> None:
    page = console(open_service, "/history?follow=1")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    create(open_service, count)
    waiting = f"{count} events waiting" if count < 500 else "More than 500 events are waiting"
    expect(page.locator(".waiting")).to_contain_text(waiting)
    create(open_service, 1)
    assert positions(page) == list(range(EVENTS, 0, -1))
    page.get_by_role("button", name="Resume").click()
    last = EVENTS + count + 1
    expect_positions(page, list(range(last, max(0, last - 200), -1)))
    create(open_service, 2)
    expect_positions(page, list(range(last + 2, max(0, last + 2 - 200), -1)))
    expect(page.get_by_text(f"{count + 3} new events", exact=True).first).to_be_visible()


def test_filters_apply_to_live_events(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/history?type=item.deleted.v1&follow=1")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    before = positions(page)
    create(open_service, 2)
    open_service.request("DELETE", f"/items/{EVENTS + 1}")
    expect_positions(page, [EVENTS + 3, *before])


def test_what_bounds_a_page_is_not_followed(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/history?from=2026-01-08T00:00:00Z&actor=shop")
    expect(page.get_by_role("button", name="Follow new events")).to_be_disabled()
    expect(page.get_by_text("a stream has no end")).to_be_visible()
    page.get_by_role("link", name="Follow without").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert "from=" not in page.url
    assert "actor=shop" in page.url
    expect(page.locator("[name=from]")).to_be_disabled()


@pytest.mark.parametrize(
    ("label", "format", "file"),
    [
        ("JSON Lines", "jsonl", "events.jsonl"),
        ("CSV", "csv", "events.csv"),
        ("CloudEvents", "cloudevents", "events.cloudevents.json"),
    ],
)
@pytest.mark.parametrize("picked", [False, True], ids=["in memory", "to a file"])
def test_an_export_is_what_the_service_answers_byte_for_byte(
    shared_service: LiveService, console: Console, page: Page, label: str, format: str, file: str, picked: bool
) -> None:
    page.add_init_script(_PICKER if picked else "delete window.showSaveFilePicker")
    console(shared_service, "/history?actor=shop&from=2026-01-06T00:00:00Z")
    expected = shared_service.request(
        "GET", f"/events/export?actor=shop&from=2026-01-06T00:00:00Z&format={format}"
    ).content
    button = page.get_by_role("button", name=label)
    if picked:
        button.click()
        expect(page.get_by_text("The export is complete")).to_be_visible()
        saved = page.evaluate(_SAVED, file).encode()
    else:
        with page.expect_download() as downloading:
            button.click()
        assert downloading.value.suggested_filename == file
        saved = Path(downloading.value.path()).read_bytes()
        expect(page.get_by_text("The export is complete")).to_be_visible()
    assert saved == expected


@pytest.mark.parametrize("picked", [False, True], ids=["in memory", "to a file"])
def test_an_export_that_was_cut_off_is_reported_and_nothing_is_saved(
    open_service: LiveService, console: Console, page: Page, watch: Watch, picked: bool
) -> None:
    create(open_service, 600)
    open_service.tamper("UPDATE events SET data = 'not JSON' WHERE position = 600")  # the service cuts the answer there
    watch.expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
    watch.tolerate(_REFUSED.format(500))  # of the page with that event
    page.add_init_script(_PICKER if picked else "delete window.showSaveFilePicker")
    console(open_service, "/history?before=100")
    page.get_by_role("link", name="Remove the filter Before position").click()
    downloads: list[object] = []
    page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 (Playwright asks for its arity)
    page.get_by_role("button", name="JSON Lines").click()
    alert = page.get_by_role("alert").filter(has_text="The export failed")
    expect(alert).to_contain_text("Nothing was saved")
    expect(page.get_by_text("The export is complete")).to_have_count(0)
    assert downloads == []
    assert page.evaluate(_SAVED, "events.jsonl") is None


def test_an_export_over_the_limit_says_when_to_retry(
    keyed_service: LiveService, console: Console, watch: Watch
) -> None:
    page = console(keyed_service, "/history", "auditor")
    for _ in range(10):
        keyed_service.request("GET", "/events/export?after=39", "auditor")
    page.evaluate("delete window.showSaveFilePicker")
    watch.expect(_REFUSED.format(429))
    page.get_by_role("button", name="CSV").click()
    expect(page.get_by_role("alert")).to_contain_text("Retry after")


@every_look
@pytest.mark.parametrize("address", ["/history", "/history?actor=shop&follow=1", "/history?before=20"])
def test_the_history_is_accessible(
    shared_service: LiveService, console: Console, axe: Callable[[], None], address: str
) -> None:
    page = console(shared_service, address)
    expect(page.locator("tr[data-position]").first).to_be_visible()
    if "follow" in address:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
    axe()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_picture_of_the_history(
    shared_service: LiveService, console: Console, picture: Callable[[str], None]
) -> None:
    page = console(shared_service, "/history")
    expect_positions(page, list(range(EVENTS, 0, -1)))
    picture("history")
