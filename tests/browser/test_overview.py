"""The overview: the log live, the checkpoint, the projections, and the days as charts and as numbers."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.rig.axe import every_look
from tests.browser.rig.databases import on_sqlite
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService, run
from tests.browser.rig.visibility import HIDE
from tests.browser.rig.watch import Watch
from tests.support.postgres import as_owner
from tests.support.rebuilding import run_sql

Console = Callable[..., Page]
LAST_DAY = date(2026, 1, 14)


def figure(page: Page, name: str) -> Locator:
    """Return a figure of the overview."""
    return page.locator(f"[data-figure={name}]")


def append(service: LiveService) -> None:
    """Append an event to the log."""
    service.request("POST", "/items", json={"name": "Compass", "price": "7.5"})


def is_stream(request: Request) -> bool:
    """Return whether a request is for the live feed."""
    return "/events/stream" in request.url


def test_the_figures_move_when_an_event_is_appended(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/overview")
    expect(figure(page, "position")).to_have_text(str(EVENTS))
    expect(figure(page, "rate")).to_have_text("0")
    append(open_service)
    expect(figure(page, "position")).to_have_text(str(EVENTS + 1))
    expect(figure(page, "rate")).to_have_text(re.compile(r"^0\.\d$"))
    last = page.get_by_role("link", name=str(EVENTS + 1), exact=True)
    assert last.get_attribute("href") == f"#/history/{EVENTS + 1}"


def test_the_figures_go_on_over_a_restart_of_the_service(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.tolerate_outage()
    page = console(open_service, "/overview")
    expect(page.get_by_text("live", exact=True).first).to_be_visible()
    open_service.stop()
    expect(page.get_by_text("reconnecting …")).to_be_visible()
    expect(figure(page, "rate")).to_have_text("\N{EN DASH}")
    open_service.start()
    append(open_service)
    expect(figure(page, "position")).to_have_text(str(EVENTS + 1), timeout=30_000)


def test_nothing_is_read_while_the_page_is_hidden(shared_service: LiveService, console: Console, page: Page) -> None:
    page.clock.install()
    console(shared_service, "/overview")
    expect(figure(page, "rate")).to_have_text("0")
    with page.expect_event("requestfailed", is_stream):  # it was given up
        page.evaluate(HIDE, True)
    requests = list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.clock.run_for(120_000)
    assert not requests
    with page.expect_request(is_stream), page.expect_request("**/projections"):
        page.evaluate(HIDE, False)


def test_the_live_feed_ends_when_the_view_is_left(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/overview")
    expect(figure(page, "rate")).to_have_text("0")
    with page.expect_event("requestfailed", is_stream):
        page.get_by_role("link", name="Keys").click()


@on_sqlite
def test_the_checkpoint_is_that_of_the_service_and_the_last_one_kept_is_named(
    open_service: LiveService, console: Console
) -> None:
    head = open_service.request("GET", "/log/checkpoint", headers={"accept": "application/json"}).json()
    page = console(open_service, "/overview")
    expect(figure(page, "root")).to_have_text(head["root_hash"])
    expect(figure(page, "size")).to_have_text(f"{EVENTS} events")
    expect(figure(page, "kept")).to_contain_text("none yet")
    page.evaluate(
        """async text => {
            const { KeptCheckpoints } = await import(new URL("console/audit/kept_checkpoints.js", location.href));
            const { BASE } = await import(new URL("console/app/api.js", location.href));
            await new KeptCheckpoints(BASE.href).keep([text]);
        }""",
        head["checkpoint"],
    )
    page.reload()
    expect(figure(page, "kept")).to_have_text(re.compile(rf"^\d+ s ago, at {EVENTS} events$"))


@on_sqlite
def test_what_the_credential_may_not_see_is_explained(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/overview", "reader")
    expect(page.get_by_text("lacks the scope events:read")).to_have_count(2)
    expect(page.get_by_text("lacks the scope projections:rebuild")).to_have_count(1)
    expect(page.get_by_role("img", name="Chart: Events per day")).to_be_visible()
    expect(page.get_by_text("ready", exact=True)).to_be_visible()


@on_sqlite
def test_a_service_that_is_not_ready_says_why(open_service: LiveService, console: Console, watch: Watch) -> None:
    watch.expect("status of 503 .*/readyz")
    run(run_sql(as_owner(open_service.database_url), "UPDATE projections SET version = version + 1"))
    page = console(open_service, "/overview")
    expect(page.get_by_text("not ready", exact=True)).to_be_visible()
    expect(page.get_by_text("a newer one has taken over").first).to_be_visible()
    expect(page.get_by_role("table").get_by_text("newer", exact=True)).to_have_count(3)


def test_each_chart_has_its_numbers_and_days_without_events_keep_the_totals(
    open_service: LiveService, console: Console
) -> None:
    known = {day["day"]: day for day in open_service.request("GET", "/activity").json(parse_float=Decimal)}
    page = console(open_service, f"/overview?to={LAST_DAY + timedelta(days=3)}")
    days = [LAST_DAY + timedelta(days=3 - number) for number in range(31)]
    totals: dict[str, Any] = {"alive": 0, "stock_value": Decimal(0)}
    expected = dict[str, tuple[list[str], str, str]]()
    for day in reversed(days):
        found: dict[str, Any] = known.get(str(day), {})
        totals = {name: found.get(name, value) for name, value in totals.items()}
        happened = [str(found.get(name, 0)) for name in ("created", "changed", "deleted", "restored")]
        expected[str(day)] = (happened, str(totals["alive"]), _price(totals["stock_value"]))
    assert any(len(value.replace(",", "")) > 17 for _, _, value in expected.values()), "more digits than a float has"
    assert expected[str(days[0])][1] != "0"
    numbers = [_numbers(page, caption) for caption in CAPTIONS]
    for events, items, values in zip(*numbers, strict=True):
        assert events[0] == items[0] == values[0]
        assert (events[1:], items[1], values[1]) == expected.pop(events[0])
    assert not expected


def test_the_range_is_in_the_address(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, f"/overview?to={LAST_DAY}")
    expect(page.get_by_text(f"2025-12-15 to {LAST_DAY}").first).to_be_visible()
    page.get_by_label("Range").select_option("90 days")
    expect(page.get_by_text(f"2025-10-17 to {LAST_DAY}").first).to_be_visible()
    assert "days=90" in page.url
    page.go_back()
    expect(page.get_by_text(f"2025-12-15 to {LAST_DAY}").first).to_be_visible()
    expect(page.get_by_label("Range")).to_have_value("31")


def test_days_without_activity_lead_to_the_last_that_has_some(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/overview?to=2026-03-31")
    page.get_by_role("link", name=str(LAST_DAY)).click()
    expect(page.get_by_text(f"2025-12-15 to {LAST_DAY}").first).to_be_visible()
    assert f"to={LAST_DAY}" in page.url


def test_charts_are_drawn_again_for_another_scheme_and_width(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, f"/overview?to={LAST_DAY}")
    canvas = page.get_by_role("img", name="Chart: Events per day").locator("canvas")
    expect(canvas).to_be_visible()
    drawn = canvas.evaluate("one => one.toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => document.querySelector('.plot canvas').toDataURL() !== '{drawn}'")
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function("() => document.querySelector('.plot canvas').clientWidth < 360")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_rate_is_that_of_the_last_seconds(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/keys")
    rates = page.evaluate(
        """async () => {
            const { Rate } = await import(new URL("console/overview/rate.js", location.href));
            const rate = new Rate();
            const unknown = rate.perSecond(0);
            rate.add(0, 1000);
            const short = rate.perSecond(900);
            const idle = rate.perSecond(5000);
            for (let ms = 5000; ms <= 15000; ms += 10) rate.add(ms, 1000 + (ms - 5000) / 10);
            return [unknown, short, idle, rate.perSecond(15000), rate.perSecond(20000), rate.perSecond(25001)];
        }"""
    )
    assert rates == [None, None, 0, pytest.approx(100, rel=0.02), pytest.approx(50, rel=0.02), 0]


@every_look
def test_the_overview_is_accessible(shared_service: LiveService, console: Console, axe: Callable[[], None]) -> None:
    page = console(shared_service, f"/overview?to={LAST_DAY}")
    expect(figure(page, "root")).to_be_visible()
    expect(page.locator(".plot canvas")).to_have_count(3)
    expect(figure(page, "rate")).to_have_text("0")
    for caption in CAPTIONS:
        _numbers(page, caption)
    axe()


@on_sqlite
def test_the_picture_of_the_overview(
    open_service: LiveService, console: Console, page: Page, picture: Callable[[str], None]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 1200})
    page.clock.set_fixed_time(f"{LAST_DAY}T18:00:00Z")  # ages are the same in every run
    console(open_service, f"/overview?to={LAST_DAY}")
    expect(figure(page, "root")).to_be_visible()
    expect(figure(page, "kept")).to_contain_text("none yet")
    expect(page.locator(".plot canvas")).to_have_count(3)
    expect(page.get_by_role("table").get_by_text("live", exact=True)).to_have_count(3)
    expect(figure(page, "rate")).to_have_text("0")
    picture("overview")


CAPTIONS = ("Events per day", "Items at the end of the day", "Value of the items in stock")


def _numbers(page: Page, caption: str) -> list[list[str]]:
    page.get_by_text(f"Numbers: {caption}").click()
    table = page.get_by_role("region", name=caption).get_by_role("table")
    expect(table.locator("tbody tr")).to_have_count(31)
    rows: list[list[str]] = table.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return rows


def _price(value: Decimal) -> str:
    whole, _, fraction = f"{value:,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
