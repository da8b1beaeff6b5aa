"""The life of one item: its commands, its states, `decide` and `evolve`. Pure: no clock, no database, no randomness."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, assert_never

from msgspec import UNSET, Meta, Struct, UnsetType

from commands.errors import ItemNotDeletedError, ItemNotFoundError, VersionMismatchError
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, RecordedEvent

#: Not all blank, and no control character. It reads alike in Python and in JSON Schema (ECMA 262), which differ in what
#: `$` is, so that `(?![\s\S])` is the end, and in whether `\s` has U+FEFF. It can't be made to backtrack: each part is
#: tried once.
NAME_PATTERN = r"^(?![\s\ufeff]*$)[^\u0000-\u001f\u007f-\u009f]*(?![\s\S])"
#: Not empty, and no control character: what can be part of a name.
TEXT_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]+(?![\s\S])"
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=NAME_PATTERN)]


class CreateItem(Struct, frozen=True):
    """Make an item begin to exist."""

    name: Name
    price: Decimal
    in_stock: bool = True


class ChangeItem(Struct, frozen=True):
    """Give fields of an item new values; a field that is absent stays as it is."""

    item_id: int
    name: Name | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET
    #: Only if the item's version is one of these.
    versions: frozenset[int] | None = None


class DeleteItem(Struct, frozen=True):
    """Make an item cease to exist for clients."""

    item_id: int
    #: Only if the item's version is one of these.
    versions: frozenset[int] | None = None


class RestoreItem(Struct, frozen=True):
    """Bring a deleted item back as it last was."""

    item_id: int
    #: Only if the version that it last had for clients is one of these.
    versions: frozenset[int] | None = None


Command = CreateItem | ChangeItem | DeleteItem | RestoreItem


class NoItem(Struct, frozen=True):
    """Nothing that we know of has happened yet; to a new item nothing at all."""

    version: int = 0


class LiveItem(Struct, frozen=True):
    """An item that clients see."""

    version: int
    name: str
    price: Decimal
    in_stock: bool


class DeletedItem(Struct, frozen=True):
    """An item that was deleted, as it last was."""

    version: int
    name: str
    price: Decimal
    in_stock: bool


Item = NoItem | LiveItem | DeletedItem


def decide(command: Command, item: Item) -> list[Event]:
    """Give the events that `command` makes of `item`; none where nothing changes.

    Raises CommandRejectedError, and ValueError for an item that begins a second time: ids are given by the log.
    """
    match command:
        case CreateItem(name, price, in_stock):
            if not isinstance(item, NoItem):
                raise ValueError(f"an item begins once, and this one already has: {item!r}")
            return [ItemCreated(name, price, in_stock)]
        case ChangeItem(_, name, price, in_stock, versions):
            live = _live(item, versions)
            changed = ItemChanged(
                UNSET if name == live.name else name,
                UNSET if price == live.price else price,
                UNSET if in_stock == live.in_stock else in_stock,
            )
            return [] if changed == ItemChanged() else [changed]
        case DeleteItem(_, versions):
            _live(item, versions)
            return [ItemDeleted()]
        case RestoreItem(_, versions):
            _deleted(item, versions)
            return [ItemRestored()]
        case _:
            assert_never(command)


def _live(item: Item, versions: frozenset[int] | None) -> LiveItem:
    if not isinstance(item, LiveItem):
        raise ItemNotFoundError
    _expect(versions, item.version)
    return item


def _deleted(item: Item, versions: frozenset[int] | None) -> None:
    match item:
        case NoItem():
            raise ItemNotFoundError
        case LiveItem():
            raise ItemNotDeletedError
        case DeletedItem(version):
            _expect(versions, version - 1)  # clients last saw what the deletion ended
        case _:
            assert_never(item)


def _expect(versions: frozenset[int] | None, version: int) -> None:
    if versions is not None and version not in versions:
        raise VersionMismatchError(version)


def evolve(item: Item, event: Event) -> Item:
    """Give `item` after `event`. Raises ValueError for a history that `decide` can't have made."""
    match event, item:
        case ItemCreated(name, price, in_stock), NoItem():
            return LiveItem(item.version + 1, name, price, in_stock)
        case ItemChanged(name, price, in_stock), LiveItem():
            return LiveItem(
                item.version + 1,
                item.name if name is UNSET else name,
                item.price if price is UNSET else price,
                item.in_stock if in_stock is UNSET else in_stock,
            )
        case ItemDeleted(), LiveItem(version, name, price, in_stock):
            return DeletedItem(version + 1, name, price, in_stock)
        case ItemRestored(), DeletedItem(version, name, price, in_stock):
            return LiveItem(version + 1, name, price, in_stock)
        case ((ItemCreated() | ItemChanged() | ItemDeleted() | ItemRestored()), _):
            raise ValueError(f"{event.type} can't happen to {item!r}")
        case _:
            assert_never(event)


def fold(stream: Iterable[RecordedEvent]) -> Item:
    """Give the item that a stream, from its beginning or from a snapshot, has made."""
    item: Item = NoItem()
    for recorded in stream:
        if isinstance(item, NoItem):
            item = NoItem(recorded.version - 1)  # a snapshot begins where it was taken
        item = evolve(item, recorded.event)
    return item
