"""Pictures of the items in docs/images/; those of other views are taken by the tests of these views."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.items.items_page import shown_rows
from tests.browser.rig.services import LiveService

Console = Callable[..., Page]


def test_the_picture_of_the_items(
    shared_service: LiveService, console: Console, picture: Callable[[str], None]
) -> None:
    page = console(shared_service, "/items?as_of=17")
    expect(page.get_by_role("region", name="Items at position 17", exact=True)).to_be_visible()
    assert any(row.mark == "changed" for row in shown_rows(page))
    picture("items")


def test_the_picture_of_an_item(shared_service: LiveService, console: Console, picture: Callable[[str], None]) -> None:
    page = console(shared_service, "/items/1?as_of=13")
    expect(page.get_by_role("list", name="Versions")).to_be_visible()
    picture("item")
