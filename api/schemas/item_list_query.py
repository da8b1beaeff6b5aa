"""The query of `GET /items`: filters, an order, and cursors that lead from page to page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.pagination import page_links
from api.http.query_params import MinPosition, wrong
from commands.item import TEXT_PATTERN, Name
from commands.price import PRICE_PATTERN
from projections.items.items import price_units
from projections.items.lists import Filter, Order, PageKey

_Price = Annotated[str, Meta(pattern=PRICE_PATTERN)]
_NamePart = Annotated[str, Meta(min_length=1, max_length=255, pattern=TEXT_PATTERN)]
_Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Units = Annotated[int, Meta(gt=-(10**18), lt=10**18)]

#: What a cursor holds, by what the list is sorted by: a mark of the list, and a place in it.
_CURSORS: dict[str, Any] = {
    "id": tuple[str, None, _Id],
    "name": tuple[str, Name, _Id],
    "price": tuple[str, _Units, _Id],
}


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which items, in which order, and which page of them."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many items at most", examples=[20])] = 100
    cursor: Annotated[
        str,
        Meta(
            max_length=2048,
            description="Where the page begins: from the `Link` of the page before, and not to be made or taken apart",
            examples=["WyI3M2QxMmYxZjU2NGE2YmE2IixudWxsLDEwMF0"],
        ),
    ] = ""
    in_stock: Annotated[
        bool | UnsetType, Meta(description="Only items that are, or are not, in stock", examples=[True])
    ] = UNSET
    min_price: Annotated[
        _Price | UnsetType, Meta(description="Only items that cost at least this", examples=["9.99"])
    ] = UNSET
    max_price: Annotated[
        _Price | UnsetType, Meta(description="Only items that cost at most this", examples=["100"])
    ] = UNSET
    name: Annotated[
        _NamePart | UnsetType,
        Meta(description="Only items whose name contains this, in upper or lower case", examples=["pen"]),
    ] = UNSET
    sort: Annotated[
        Literal["id", "-id", "name", "-name", "price", "-price"],
        Meta(
            description="The order, `-` for descending; items alike in it by id. Names are ordered by code point",
            examples=["-price"],
        ),
    ] = "id"
    min_position: MinPosition = 0

    def filter(self) -> Filter:
        """Give the filters."""
        return Filter(
            None if self.in_stock is UNSET else self.in_stock,
            _units(self.min_price),
            _units(self.max_price),
            None if self.name is UNSET else self.name,
        )

    def order(self) -> Order:
        """Give the order."""
        by = self.sort.lstrip("-")
        return Order(msgspec.convert(by, Literal["id", "name", "price"]), by != self.sort)

    def after(self) -> PageKey | None:
        """Give the place behind which the page begins, None for the first. Raises Problem (400)."""
        if not self.cursor:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            of, key, item_id = msgspec.json.decode(urlsafe_b64decode(padded), type=_CURSORS[self.sort.lstrip("-")])
        except ValueError:  # what all of binascii, msgspec and str.encode raise
            raise wrong("cursor", "Not a cursor of this list") from None
        if of != self._mark():
            raise wrong("cursor", "The cursor is of a list with other filters, or in another order")
        return PageKey(key, item_id)

    def links(self, path: str, after: PageKey | None) -> bytes:
        """Write the `Link` header (RFC 8288): to the first page, and to the one that begins behind `after`."""
        return page_links(path, msgspec.to_builtins(self), "cursor", None if after is None else self._cursor(after))

    def _cursor(self, after: PageKey) -> str:
        written = msgspec.json.encode((self._mark(), after.key, after.id))
        return urlsafe_b64encode(written).decode().rstrip("=")

    def _mark(self) -> str:
        """Give a mark of the list that a cursor belongs to."""
        return sha256(msgspec.json.encode(self._list())).hexdigest()[:16]

    def _list(self) -> list[object]:
        """Give what makes it this list. What may differ between its pages is left out."""
        return [self.sort, self.filter()]


def _units(price: str | UnsetType) -> int | None:
    return None if price is UNSET else price_units(Decimal(price))
