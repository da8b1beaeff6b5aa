"""The view of one item: its versions, its state at each beside now, and what may be done."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.items.folded import Folded, all_events, folded
from tests.browser.items.items_page import sign_in
from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]


def test_each_version_says_who_when_and_what_changed(open_service: LiveService, console: Console) -> None:
    events = all_events(open_service)
    page = console(open_service, "/items/5")
    expect(page.get_by_role("heading", name="Item 5: Drawing table, oak")).to_be_visible()
    versions = page.get_by_role("list", name="Versions").get_by_role("listitem")
    own = [event for event in events if event["item_id"] == 5][::-1]
    expect(versions).to_have_count(len(own))
    for event, version in zip(own, versions.all(), strict=True):
        position = event["position"]
        text = version.inner_text()
        assert f"Version {event['version']}" in text
        assert event["type"].split(".")[1] in text
        assert event["recorded_at"][:19].replace("T", " ") in text
        assert f"By {event['actor']}" in text
        assert (event["credential"] or "By import") in text
        link = version.get_by_role("link", name=f"Event {position} and its proof")
        assert link.get_attribute("href") == f"#/history/{position}"
        before, after = folded(events, position - 1).get(5), folded(events, position)[5]
        old = _texts(None if before is None or before.deleted else before)
        new = _texts(None if after.deleted else after)
        changed = [field for field in range(3) if old[field] != new[field]]
        assert version.locator("del").all_inner_texts() == [old[field] for field in changed if old[field]]
        assert version.locator("ins").all_inner_texts() == [new[field] for field in changed if new[field]]


def test_the_state_at_each_version_is_shown_beside_now(open_service: LiveService, console: Console) -> None:
    events = all_events(open_service)
    now = _texts(folded(events, EVENTS)[5])
    page = console(open_service, "/items/5")
    for event in [event for event in events if event["item_id"] == 5]:
        position = event["position"]
        page.get_by_role("link", name=f"Show beside now : version {event['version']}").click()
        table = page.get_by_role("table", name=f"The item at position {position} and now")
        expect(table).to_be_visible()
        assert page.url.endswith(f"#/items/5?as_of={position}")
        expect(page.locator("li[aria-current]")).to_contain_text(f"Version {event['version']}")
        state = folded(events, position)[5]
        then = _texts(None if state.deleted else state)
        for index, field in enumerate(("name", "price", "in_stock")):
            row = table.locator(f"tr[data-field={field}]")
            expect(row.locator("td")).to_have_text([then[index], now[index]])
            expect(row.get_by_text("differs")).to_have_count(int(then[index] != now[index]))
    page.go_back()
    expect(page.locator("li[aria-current]")).to_have_count(1)
    page.get_by_role("link", name="Show now alone").click()
    expect(page.get_by_role("table", name="The item now")).to_be_visible()


def test_a_time_in_the_address_and_a_moment_before_the_item_are_shown(
    shared_service: LiveService, console: Console, watch: Watch
) -> None:
    time = all_events(shared_service)[14]["recorded_at"]
    page = console(shared_service, f"/items/5?as_of={time}")
    expect(page.get_by_role("table", name="The item at position 15 and now")).to_contain_text("version 2 deleted")
    page = console(shared_service, "/items/5?as_of=2")
    expect(page.get_by_role("table", name="The item at position 2 and now")).to_contain_text("did not exist yet")
    watch.expect("status of 400")
    page = console(shared_service, "/items/5?as_of=1000")
    expect(page.get_by_role("alert")).to_contain_text(f"The log ends at position {EVENTS}")


def test_an_item_is_edited_deleted_and_restored_where_its_history_is(
    open_service: LiveService, console: Console
) -> None:
    page = console(open_service, "/items/2")
    dialog = page.get_by_role("dialog")
    versions = page.get_by_role("list", name="Versions").get_by_role("listitem")
    before = sum(event["item_id"] == 2 for event in all_events(open_service))
    expect(versions).to_have_count(before)
    page.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Price").fill("7.1234")
    dialog.get_by_role("button", name="Save").click()
    expect(versions).to_have_count(before + 1)
    expect(versions.first).to_contain_text("7.20 → 7.1234")
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(versions).to_have_count(before + 2)
    expect(page.get_by_text("Clients no longer see it")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Restore").click()
    expect(dialog).to_contain_text("7.1234")
    dialog.get_by_role("button", name="Restore").click()
    expect(versions).to_have_count(before + 3)
    expect(page.get_by_role("table", name="The item now")).to_contain_text("7.1234")
    expect(page.get_by_role("button", name="Edit")).to_be_visible()


def test_a_deleted_item_is_not_restored_over_what_another_client_did(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 412")
    page = console(open_service, "/items/10")
    page.get_by_role("button", name="Restore").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("0.60")
    open_service.request("POST", "/items/10/restore")
    open_service.request("PATCH", "/items/10", json={"price": "5"})
    open_service.request("DELETE", "/items/10")
    dialog.get_by_role("button", name="Restore").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Precondition Failed")
    expect(dialog.get_by_role("button", name="Restore")).to_have_count(0)
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("list", name="Versions").get_by_role("listitem")).to_have_count(5)
    assert all_events(open_service)[-1]["type"] == "item.deleted.v1"


def test_a_long_history_is_paged_the_newest_first(open_service: LiveService, console: Console) -> None:
    for price in range(100, 118):
        open_service.request("PATCH", "/items/2", json={"price": price})
    own = [event["version"] for event in all_events(open_service) if event["item_id"] == 2][::-1]
    page = console(open_service, "/items/2")
    shown: list[int] = []
    while True:
        expect(page.locator(f"li[data-version='{own[len(shown)]}']")).to_be_visible()
        expect(page.locator("tr[data-field=price]")).to_have_text("Price 117.00")
        shown += [int(version) for version in page.evaluate(_VERSIONS)]
        if page.get_by_text("Last page").is_visible():
            break
        page.get_by_role("link", name="Next page").click()
    assert shown == own
    page.get_by_role("link", name="First page").click()
    expect(page.locator(f"li[data-version='{own[0]}']")).to_be_visible()


@pytest.mark.parametrize("item", ["999", "nothing"])
def test_an_unknown_item_is_the_problem_of_the_api(
    shared_service: LiveService, console: Console, watch: Watch, item: str
) -> None:
    watch.expect("status of 4")
    page = console(shared_service, f"/items/{item}")
    expect(page.get_by_role("alert")).to_contain_text("Item Not Found")
    expect(page.get_by_role("alert")).to_contain_text("Request id:")
    expect(page.get_by_role("button")).to_have_count(1)  # Skip to content


def test_each_credential_sees_what_it_may(keyed_service: LiveService, console: Console, watch: Watch) -> None:
    watch.expect("status of 401")
    page = console(keyed_service, "/items/2")
    sign_in(page, keyed_service, "reader")
    expect(page.get_by_role("table", name="The item now")).to_contain_text("Ink, royal blue")
    expect(page.get_by_text("lacks the scope events:read")).to_be_visible()
    expect(page.get_by_text("needs the scope items:write")).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, keyed_service, "auditor")
    expect(page.get_by_role("list", name="Versions")).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, keyed_service, "admin")
    expect(page.get_by_role("button", name="Edit")).to_be_visible()


@every_look
def test_an_item_is_accessible(shared_service: LiveService, console: Console, axe: Callable[[], None]) -> None:
    for view in ("/items/2", "/items/5?as_of=15", "/items/7", "/items/8?as_of=8"):
        page = console(shared_service, view)
        expect(page.get_by_role("heading", name=f"Item {view.split('/')[2].split('?')[0]}:")).to_be_visible()
        expect(page.get_by_role("list", name="Versions")).to_be_visible()
        axe()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


_VERSIONS = "() => [...document.querySelectorAll('li[data-version]')].map(one => one.dataset.version)"


def _texts(item: Folded | None) -> list[str]:
    """Return the fields as the page shows them, empty ones where there is no item."""
    if item is None:
        return ["", "", ""]
    whole, _, fraction = f"{item.price:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(2, "0")
    return [item.name, f"{int(whole):,}.{fraction}", "yes" if item.in_stock else "no"]
