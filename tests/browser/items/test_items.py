"""The list of items: any moment, what changed since, filters, orders and pages."""

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.browser.items.folded import all_events, existing, folded
from tests.browser.items.items_page import list_at, list_of_now, shown_rows, sign_in
from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]


def test_the_list_shows_what_the_slider_says_at_each_position_by_keyboard(
    open_service: LiveService, console: Console
) -> None:
    events = all_events(open_service)
    page = console(open_service, "/items")
    expect(list_of_now(page)).to_be_visible()
    slider = page.get_by_role("slider", name="Position in the log")
    slider.focus()
    page.keyboard.press("Home")
    # The first, around deletions (15) and restores (19), and the last before now.
    for before, position in pairwise((0, 0, 1, 14, 15, 18, 19, EVENTS - 1)):
        for _ in range(position - before):
            page.keyboard.press("ArrowRight")
        expect(list_at(page, position)).to_be_visible()
        expect(slider).to_have_attribute("aria-valuetext", _value_text(events, position))
        assert page.url.endswith(f"#/items?as_of={position}")
        assert {row.id: row.old for row in shown_rows(page, marked=False)} == existing(events, position)
    page.keyboard.press("End")
    expect(list_of_now(page)).to_be_visible()
    assert page.url.endswith("#/items")
    assert {row.id: row.new for row in shown_rows(page)} == existing(events, EVENTS)
    page.keyboard.press("PageDown")
    expect(list_of_now(page)).to_have_count(0)
    assert int(slider.input_value()) < EVENTS - 1


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-price"])
def test_what_changed_since_is_marked_in_every_order(shared_service: LiveService, console: Console, sort: str) -> None:
    events = all_events(shared_service)
    now = folded(events, EVENTS)
    page = console(shared_service, f"/items?as_of=17&sort={sort}")
    expect(list_at(page, 17)).to_be_visible()
    rows = shown_rows(page)
    assert {row.id: row.old for row in rows} == existing(events, 17)
    for row in rows:
        expected = "deleted" if now[row.id].deleted else "same" if now[row.id] == row.old else "changed"
        assert (row.mark, row.new) == (expected, None if now[row.id].deleted else now[row.id])
    assert {row.mark for row in rows} == {"same", "changed", "deleted"}
    expect(page.get_by_text("deleted since").first).to_be_visible()


def test_the_list_of_now_marks_what_was_created_and_restored_since(open_service: LiveService, console: Console) -> None:
    lamp = open_service.request("POST", "/items", json={"name": "Lamp", "price": "10"}).json()["id"]
    events = all_events(open_service)
    page = console(open_service, "/items?as_of=17")  # where item 5 is deleted
    page.get_by_role("link", name="Items now, with those created since").click()
    expect(page.get_by_text("created since", exact=True)).to_be_visible()
    rows = {row.id: row for row in shown_rows(page)}
    then = existing(events, 17)
    assert {item_id: row.new for item_id, row in rows.items()} == existing(events, lamp)
    assert (rows[lamp].mark, rows[5].mark) == ("created", "restored")
    for row in rows.values():
        if row.mark in ("same", "changed"):
            assert (row.old, row.mark) == (then[row.id], "same" if row.old == row.new else "changed")
        else:
            assert row.id not in then


def test_an_item_that_left_the_filter_is_changed_and_not_deleted(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/items?as_of=14&in_stock=false&name=PENCIL&min_price=0.85&max_price=1")
    expect(list_at(page, 14)).to_be_visible()
    (row,) = shown_rows(page)
    assert (row.id, row.mark, row.new) == (4, "changed", folded(all_events(shared_service), EVENTS)[4])


def test_a_time_stands_for_the_last_event_until_then(shared_service: LiveService, console: Console) -> None:
    events = all_events(shared_service)
    page = console(shared_service, "/items")
    moment = page.get_by_label("Position or time")
    for typed, time in {
        "2026-01-08": "2026-01-08T00:00:00Z",
        "2026-01-07 12:30": "2026-01-07T12:30:00Z",
        "2026-01-07T12:30:00+02:00": "2026-01-07T10:30:00Z",
        events[16]["recorded_at"]: events[16]["recorded_at"],
        "2020-01-01": "2020-01-01T00:00:00Z",
    }.items():
        moment.fill(typed)
        page.keyboard.press("Enter")
        position = sum(datetime.fromisoformat(one["recorded_at"]) <= datetime.fromisoformat(time) for one in events)
        expect(list_at(page, position)).to_be_visible()
        expect(page.get_by_role("slider")).to_have_value(str(position))
        expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", _value_text(events, position))
        assert {row.id: row.old for row in shown_rows(page, marked=False)} == existing(events, position)
    moment.fill("7")
    page.keyboard.press("Enter")
    expect(list_at(page, 7)).to_be_visible()
    page.get_by_role("button", name="Now").click()
    expect(list_of_now(page)).to_be_visible()


def test_a_moment_that_is_not_one_is_refused_at_its_field(
    shared_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 400")
    page = console(shared_service, "/items?as_of=1000")
    moment = page.get_by_label("Position or time")
    expect(moment).to_have_accessible_description(
        f"The log ends at position {EVENTS}. Later positions are still to come"
    )
    moment.fill("yesterday")
    page.keyboard.press("Enter")
    expect(moment).to_have_accessible_description("Expected a position, or an RFC 3339 time with Z or an offset")
    expect(moment).to_have_attribute("aria-invalid", "true")


def test_back_returns_to_each_state_before(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/items")
    slider = page.get_by_role("slider")
    expect(slider).to_have_value(str(EVENTS))
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(list_at(page, EVENTS - 3)).to_be_visible()
    page.get_by_label("Name contains").fill("ink")
    page.keyboard.press("Enter")
    expect(page.locator("main tbody tr")).to_have_count(2)
    page.get_by_role("link", name="History of Ink, royal blue").click()
    expect(page.get_by_role("heading", name="Item 2")).to_be_visible()
    page.go_back()
    expect(page.locator("main tbody tr")).to_have_count(2)
    expect(page.get_by_label("Name contains")).to_have_value("ink")
    page.go_back()
    expect(page.get_by_label("Name contains")).to_have_value("")
    expect(slider).to_have_value(str(EVENTS - 3))
    page.go_back()
    expect(list_of_now(page)).to_be_visible()
    expect(slider).to_have_value(str(EVENTS))


def test_a_list_is_called_what_it_is_while_another_one_is_loading(
    shared_service: LiveService, console: Console
) -> None:
    page = console(shared_service, "/items")
    moment = page.get_by_label("Position or time")
    expect(list_of_now(page)).to_be_visible()
    page.route("**/audit/items?*as_of=5", lambda _: None)  # never answered
    with page.expect_request("**/audit/items?*as_of=5"):
        moment.fill("5")
        page.keyboard.press("Enter")
    expect(page.get_by_text("Loading …")).to_be_visible()
    expect(list_of_now(page)).to_be_visible()
    expect(list_at(page, 5).or_(list_at(page, EVENTS))).to_have_count(0)
    moment.fill("7")  # while 5 is still loading: the latest wins
    page.keyboard.press("Enter")
    expect(list_at(page, 7)).to_be_visible()
    assert {row.id: row.old for row in shown_rows(page)} == existing(all_events(shared_service), 7)
    page.go_back()
    page.go_back()
    expect(list_of_now(page)).to_be_visible()


@pytest.mark.parametrize("as_of", ["", "time"])
def test_pages_show_each_item_once(open_service: LiveService, console: Console, as_of: str) -> None:
    batch = [{"name": f"Card {number}", "price": "1"} for number in range(110)]
    ids = [item["id"] for item in open_service.request("POST", "/items/batch", json=batch).json()]
    time = all_events(open_service)[-1]["recorded_at"]
    page = console(open_service, "/items?sort=-id&name=card" + (f"&as_of={time}" if as_of else ""))
    shown: list[int] = []
    for count in (50, 50, 10):
        expect(page.locator("main tbody tr")).to_have_count(count)
        expect(page.get_by_role("cell", name=str(ids[-1 - len(shown)]), exact=True)).to_be_visible()
        shown += [row.id for row in shown_rows(page, marked=False)]
        if count == 50:
            page.get_by_role("link", name="Next page").click()
    assert shown == ids[::-1]
    expect(page.get_by_text("Last page")).to_be_visible()
    page.get_by_role("link", name="First page").click()
    expect(page.get_by_role("cell", name=str(ids[-1]), exact=True)).to_be_visible()


def test_filters_and_orders_are_in_the_address(shared_service: LiveService, console: Console, watch: Watch) -> None:
    page = console(shared_service, "/items")
    page.get_by_label("Order").select_option("Price, high to low")
    expect(page.locator("main tbody tr").first).to_contain_text("Gold nib")
    page.get_by_label("In stock").select_option("No")
    expect(page.locator("main tbody tr")).to_have_count(2)
    assert page.url.endswith("#/items?sort=-price&in_stock=false") or page.url.endswith("in_stock=false&sort=-price")
    page.reload()
    expect(page.get_by_label("Order")).to_have_value("-price")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("main tbody tr")).to_have_count(len(existing(all_events(shared_service), EVENTS)))
    watch.expect("status of 400")
    page.get_by_label("Price from").fill("cheap")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Price from")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("Bad Request")


def test_a_list_of_now_offers_to_reload_when_the_log_has_grown(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/items?sort=-id")
    expect(list_of_now(page)).to_be_visible()
    open_service.request("POST", "/items", json={"name": "Lamp", "price": "10"})
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("link", name="Lamp")).to_be_visible()
    expect(page.get_by_role("button", name="Reload")).to_have_count(0)


def test_each_credential_is_offered_what_it_may_do(keyed_service: LiveService, console: Console, watch: Watch) -> None:
    watch.expect("status of 401")
    page = console(keyed_service, "/items")
    writes = (
        page.get_by_role("button", name="Create an item")
        .or_(page.get_by_role("button", name="Edit"))
        .or_(page.get_by_role("button", name="Delete"))
    )
    sign_in(page, keyed_service, "reader")
    expect(list_of_now(page)).to_be_visible()
    expect(page.get_by_text("lacks the scope events:read")).to_be_visible()
    expect(page.get_by_text("needs the scope items:write")).to_be_visible()
    expect(page.get_by_role("slider").or_(writes)).to_have_count(0)
    page.goto(f"{keyed_service.url}/console#/items?as_of=5")  # a link that someone sent
    expect(page.get_by_role("table")).to_have_count(0)
    page.get_by_role("link", name="Items of now").click()
    expect(list_of_now(page)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, keyed_service, "auditor")
    expect(page.get_by_role("slider")).to_be_visible()
    expect(list_of_now(page)).to_be_visible()
    expect(writes).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, keyed_service, "clerk")
    expect(page.get_by_role("button", name="Edit Gold nib")).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(0)


@every_look
def test_the_list_is_accessible(shared_service: LiveService, console: Console, axe: Callable[[], None]) -> None:
    for view, name in {
        "/items": "Items",
        "/items?as_of=17": "Items at position 17",
        "/items?as_of=6&show=now": "Items now",
        "/items?as_of=0": "Items at position 0",
    }.items():
        page = console(shared_service, view)
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
        shown_rows(page)
        axe()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def _value_text(events: list[dict[str, object]], position: int) -> str:
    if position == 0:
        return f"0 of {EVENTS}"
    return f"{position} of {EVENTS}, {str(events[position - 1]['recorded_at'])[:19].replace('T', ' ')} UTC"
