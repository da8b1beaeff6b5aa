"""The query of `GET /items`: filters, order, and page cursors."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.pagination import CURSOR, page_links
from api.http.query_params import MinPosition, wrong
from commands.name import TEXT_PATTERN, Name
from commands.price import PRICE_PATTERN
from projections.items.items import price_units
from projections.items.lists import Filter, Order, PageKey

_Price = Annotated[str, Meta(pattern=PRICE_PATTERN)] | UnsetType
_NamePart = Annotated[str, Meta(min_length=1, max_length=255, pattern=TEXT_PATTERN)] | UnsetType
_Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Units = Annotated[int, Meta(gt=-(10**18), lt=10**18)]

#: The type of a cursor by the list's sort key: the list's digest, the sort key's value, and the item's id.
_CURSOR_TYPES: dict[str, Any] = {
    "id": tuple[str, None, _Id],
    "name": tuple[str, Name, _Id],
    "price": tuple[str, _Units, _Id],
}


class ItemListQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filters, order and page of a list of items."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="The maximum number of items to return", examples=[20])] = 100
    cursor: Annotated[
        str, Meta(max_length=2048, description=CURSOR, examples=["WyI3M2QxMmYxZjU2NGE2YmE2IixudWxsLDEwMF0"])
    ] = ""
    in_stock: Annotated[
        bool | UnsetType, Meta(description="Only items that are in stock (`true`) or not (`false`)", examples=[True])
    ] = UNSET
    min_price: Annotated[_Price, Meta(description="Only items with at least this price", examples=["9.99"])] = UNSET
    max_price: Annotated[_Price, Meta(description="Only items with at most this price", examples=["100"])] = UNSET
    name: Annotated[
        _NamePart, Meta(description="Only items whose name contains this text. Case is ignored", examples=["pen"])
    ] = UNSET
    sort: Annotated[
        Literal["id", "-id", "name", "-name", "price", "-price"],
        Meta(
            description="The sort key, with `-` for descending. Equal items are sorted by id, names by code point",
            examples=["-price"],
        ),
    ] = "id"
    min_position: MinPosition = 0

    def filter(self) -> Filter:
        """Return the filters."""
        return Filter(
            None if self.in_stock is UNSET else self.in_stock,
            _units(self.min_price),
            _units(self.max_price),
            None if self.name is UNSET else self.name,
        )

    def order(self) -> Order:
        """Return the order."""
        return Order(msgspec.convert(self._key, Literal["id", "name", "price"]), self._key != self.sort)

    def after(self) -> PageKey | None:
        """Return the key that the page starts after, None for the first page. Raises Problem (400)."""
        if not self.cursor:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            digest, key, item_id = msgspec.json.decode(urlsafe_b64decode(padded), type=_CURSOR_TYPES[self._key])
        except ValueError:  # binascii, msgspec and str.encode all raise it
            raise wrong("cursor", "Not a cursor of this list") from None
        if digest != self._digest():
            raise wrong("cursor", "The cursor belongs to a list with other filters or another order")
        return PageKey(key, item_id)

    def links(self, path: str, after: PageKey | None) -> bytes:
        """Write the `Link` header (RFC 8288): to the first page, and to the one that starts after `after`."""
        return page_links(path, msgspec.to_builtins(self), "cursor", None if after is None else self._cursor(after))

    @property
    def _key(self) -> str:
        return self.sort.lstrip("-")

    def _cursor(self, after: PageKey) -> str:
        json = msgspec.json.encode((self._digest(), after.key, after.id))
        return urlsafe_b64encode(json).decode().rstrip("=")

    def _digest(self) -> str:
        return sha256(msgspec.json.encode(self._identity())).hexdigest()[:16]

    def _identity(self) -> list[object]:
        """Return what makes it this list, without what may differ between its pages."""
        return [self.sort, self.filter()]


def _units(price: str | UnsetType) -> int | None:
    return None if price is UNSET else price_units(Decimal(price))
