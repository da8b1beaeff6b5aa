"""The list of items as a user reads it, and what a user does with it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.items.folded import Folded
from tests.browser.rig.services import LiveService

_READ_ROWS = """() => [...document.querySelectorAll("main tbody tr")].map(row => {
    const isCompared = row.closest("table").textContent.includes("Since then");
    const cells = [...row.cells].map(cell => {
        const part = name => cell.querySelector(name)?.textContent ?? null;
        const copy = cell.cloneNode(true);
        if (isCompared) for (const link of copy.querySelectorAll("a")) link.remove();
        return {del: part("del"), ins: part("ins"), text: copy.textContent.trim()};
    });
    return {isCompared, cells, mark: row.dataset.mark ?? null};
})"""


@dataclass(frozen=True)
class Row:
    """A row: the item as the earlier moment shows it, as the later one does, and the mark."""

    id: int
    mark: str | None
    old: Folded | None
    new: Folded | None


def shown_rows(page: Page, *, marked: bool = True) -> list[Row]:
    """Return the rows of the list that is there; with `marked`, once each of a compared list is marked."""
    if marked and "as_of=" in page.url:
        expect(page.locator("main tbody tr:not([data-mark])")).to_have_count(0)
    return [_row(row) for row in page.evaluate(_READ_ROWS)]


def list_at(page: Page, position: int) -> Locator:
    """Return the list as of a position."""
    return page.get_by_role("region", name=f"Items at position {position}", exact=True)


def list_of_now(page: Page) -> Locator:
    """Return the list of now."""
    return page.get_by_role("region", name="Items", exact=True)


def sign_in(page: Page, service: LiveService, holder: str) -> None:
    """Enter the key of a holder where the page asks for a credential."""
    page.get_by_label("Credential", exact=True).fill(service.keys[holder])
    page.keyboard.press("Enter")


def tab_to(page: Page, element: Locator) -> None:
    """Move the focus to an element by the Tab key alone."""
    expect(element).to_be_visible()
    for _ in range(150):
        if element.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {element}")


def _row(row: dict[str, Any]) -> Row:
    cells = row["cells"]
    fields = [cells[1], *cells[3:5]] if row["isCompared"] else cells[1:4]
    has_old = row["mark"] not in ("created", "restored")
    has_new = row["mark"] != "deleted"
    return Row(
        int(cells[0]["text"]),
        row["mark"],
        _item([cell["del"] or cell["text"] for cell in fields]) if has_old else None,
        _item([cell["ins"] or cell["text"] for cell in fields]) if has_new else None,
    )


def _item(texts: list[str]) -> Folded:
    name, price, in_stock = texts
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*\.\d{2,4}", price), price
    return Folded(name, Decimal(price.replace(",", "")), {"yes": True, "no": False}[in_stock])
