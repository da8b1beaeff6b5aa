"""Create, edit, delete and restore: exact, once, and never over what another client did."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.items.folded import all_events
from tests.browser.items.items_page import list_of_now, sign_in, tab_to
from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]
#: More digits than a JavaScript number holds: through one it would be 12345678901234.568.
EXACT = "12345678901234.5678"


def test_an_item_is_created_edited_deleted_and_restored_by_keyboard(
    keyed_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 401")
    page = console(keyed_service, "/items?sort=-id")
    sign_in(page, keyed_service, "clerk")
    dialog = page.get_by_role("dialog")
    tab_to(page, page.get_by_role("button", name="Create an item"))
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Desk lamp")
    page.keyboard.press("Tab")
    page.keyboard.type("19.90")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Created Desk lamp")).to_be_visible()
    expect(page.get_by_role("button", name="Create an item")).to_be_focused()

    tab_to(page, page.get_by_role("button", name="Edit Desk lamp"))
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_label("In stock"))
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Changed Desk lamp")).to_be_visible()

    tab_to(page, page.get_by_role("button", name="Delete Desk lamp"))
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("19.90")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Delete Desk lamp")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Deleted Desk lamp")).to_be_focused()
    expect(page.get_by_role("button", name="Edit Desk lamp")).to_have_count(0)

    tab_to(page, page.get_by_role("button", name="Restore"))
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_role("button", name="Restore"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Edit Desk lamp")).to_be_visible()
    assert [(event["type"], event["data"], event["actor"]) for event in all_events(keyed_service)[EVENTS:]] == [
        ("item.created.v1", {"name": "Desk lamp", "price": "19.9", "in_stock": True}, "clerk"),
        ("item.changed.v1", {"in_stock": False}, "clerk"),
        ("item.deleted.v1", {}, "clerk"),
        ("item.restored.v1", {}, "clerk"),
    ]


def test_a_price_of_18_digits_keeps_them_all(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/items?sort=-id")
    dialog = _create(page, "Exact", EXACT)
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("cell", name="12,345,678,901,234.5678")).to_be_visible()
    page.get_by_role("button", name="Edit Exact").click()
    expect(dialog.get_by_label("Price")).to_have_value(EXACT)
    dialog.get_by_label("Name").fill("Exactly")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Exactly")).to_contain_text("12,345,678,901,234.5678")
    page.get_by_role("button", name="Edit Exactly").click()
    dialog.get_by_label("Price").fill("-99999999999999.9999")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Exactly")).to_contain_text("-99,999,999,999,999.9999")
    assert [event["data"] for event in all_events(open_service)[EVENTS:]] == [
        {"name": "Exact", "price": EXACT, "in_stock": True},
        {"name": "Exactly"},
        {"price": "-99999999999999.9999"},
    ]


def test_faults_are_shown_at_their_fields(shared_service: LiveService, console: Console, watch: Watch) -> None:
    watch.expect("status of 422")
    page = console(shared_service, "/items")
    dialog = _create(page, "Lamp", "1.23456")
    price = dialog.get_by_label("Price")
    expect(price).to_have_attribute("aria-invalid", "true")
    expect(price).to_have_accessible_description(
        "The price is not valid. Use a decimal number with at most 4 fractional digits, above -10^14 and below 10^14"
    )
    expect(price).to_be_focused()
    expect(dialog.get_by_role("alert")).to_contain_text("Request id:")
    assert len(all_events(shared_service)) == EVENTS


@pytest.mark.parametrize("choice", ["Apply mine on top", "Take theirs", "Cancel"])
def test_a_lost_race_shows_both_states_and_overwrites_nothing_unasked(
    open_service: LiveService, console: Console, watch: Watch, choice: str
) -> None:
    watch.expect("status of 412")
    page = console(open_service, "/items")
    page.get_by_role("button", name="Edit Ink, royal blue").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Price").fill("8")
    open_service.request("PATCH", "/items/2", json={"name": "Ink, navy", "price": "7.5"})
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("row", name="Name")).to_have_text(
        "Name Ink, royal blue Ink, navy changed Ink, royal blue"
    )
    expect(dialog.get_by_role("row", name="Price")).to_have_text("Price 7.20 7.50 changed 8.00 changed")
    assert len(all_events(open_service)) == EVENTS + 1
    dialog.get_by_role("button", name=choice).click()
    expect(dialog).to_have_count(0)
    price = "8.00" if choice == "Apply mine on top" else "7.50"
    expect(page.get_by_role("row", name="Ink, navy")).to_contain_text(price)
    later = [event["data"] for event in all_events(open_service)[EVENTS + 1 :]]
    assert later == ([{"price": "8"}] if choice == "Apply mine on top" else [])


def test_an_item_that_was_changed_meanwhile_is_not_deleted_unseen(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 412")
    page = console(open_service, "/items")
    page.get_by_role("button", name="Delete Ink, royal blue").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("7.20")
    open_service.request("PATCH", "/items/2", json={"price": "7.5"})
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.locator("del")).to_have_text("7.20")
    expect(dialog.locator("ins")).to_have_text("7.50")
    dialog.get_by_role("button", name="Delete it as it is now").click()
    expect(page.get_by_role("status").filter(has_text="Deleted Ink, royal blue")).to_be_visible()
    assert all_events(open_service)[-1]["type"] == "item.deleted.v1"


def test_an_item_that_was_deleted_meanwhile_is_not_edited(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 404")
    page = console(open_service, "/items")
    page.get_by_role("button", name="Edit Ink, royal blue").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Price").fill("8")
    open_service.request("DELETE", "/items/2")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Another client deleted this item")
    expect(dialog.get_by_role("button")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Edit Ink, royal blue")).to_have_count(0)


def test_a_write_whose_answers_are_lost_takes_place_once(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("ERR_FAILED")
    watch.expect("status of 503")
    page = console(open_service, "/items?sort=-id")
    keys: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 3:
            return route.continue_()
        route.fetch()
        return route.abort() if len(keys) == 1 else route.fulfill(status=503, json={"code": "busy", "title": "Busy"})

    page.route("**/items", lose)
    dialog = _create(page, "Lamp", "10")
    for problem in ("No answer", "Busy"):  # which says nothing about the first request
        expect(dialog.get_by_role("alert")).to_contain_text(problem)
        expect(dialog).to_contain_text("It is not known whether this took place")
        expect(dialog.get_by_label("Name")).to_be_disabled()
        dialog.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status").filter(has_text="Created Lamp")).to_be_visible()
    assert len(set(keys)) == 1
    assert [event["data"]["name"] for event in all_events(open_service)[EVENTS:]] == ["Lamp"]


def test_each_write_has_a_key_of_its_own(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/items?sort=-id")
    for count in (1, 2):
        _create(page, "Lamp", "10")
        expect(page.get_by_role("button", name="Edit Lamp")).to_have_count(count)


@every_look
def test_each_dialog_is_accessible(
    shared_service: LiveService, console: Console, axe: Callable[[], None], watch: Watch
) -> None:
    watch.expect("status of 422")
    watch.expect("status of 412")
    page = console(shared_service, "/items")
    dialog = _create(page, " ", EXACT)
    expect(dialog.get_by_role("alert")).to_be_visible()
    axe()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete Gold nib").click()
    expect(dialog).to_be_visible()
    axe()
    page.keyboard.press("Escape")
    page.route("**/items/8", lambda route: route.continue_(headers={**route.request.headers, "if-match": '"2.1"'}))
    page.get_by_role("button", name="Edit Gold nib").click()
    dialog.get_by_label("Price").fill(EXACT)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("table")).to_be_visible()
    axe()


def _create(page: Page, name: str, price: str) -> Locator:
    expect(list_of_now(page)).to_be_visible()
    page.get_by_role("button", name="Create an item").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Price").fill(price)
    dialog.get_by_role("button", name="Create").click()
    return dialog
