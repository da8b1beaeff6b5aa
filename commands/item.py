"""One item: its commands and `decide`. Pure: no clock, no database, no randomness."""

from decimal import Decimal
from typing import assert_never

from msgspec import UNSET, Struct, UnsetType

from commands.errors import ItemNotDeletedError, ItemNotFoundError, VersionMismatchError
from commands.name import Name
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored
from eventstore.item import Item, LiveItem, NoItem


class CreateItem(Struct, frozen=True):
    """Create an item."""

    name: Name
    price: Decimal
    in_stock: bool = True


class ChangeItem(Struct, frozen=True):
    """Change fields of an item. An absent field stays unchanged."""

    item_id: int
    name: Name | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET
    #: Preconditions: the item's version must be one of these.
    versions: frozenset[int] | None = None


class DeleteItem(Struct, frozen=True):
    """Delete an item for clients."""

    item_id: int
    #: Preconditions: the item's version must be one of these.
    versions: frozenset[int] | None = None


class RestoreItem(Struct, frozen=True):
    """Restore a deleted item to its last state."""

    item_id: int
    #: Preconditions: the last version that clients saw must be one of these.
    versions: frozenset[int] | None = None


Command = CreateItem | ChangeItem | DeleteItem | RestoreItem


def decide(command: Command, item: Item) -> list[Event]:
    """Return the events that `command` produces for `item`; none where nothing changes.

    Raises CommandRejectedError. A second creation raises ValueError, since the log assigns ids.
    """
    match command:
        case CreateItem(name, price, in_stock):
            if not isinstance(item, NoItem):
                raise ValueError(f"the item was already created: {item!r}")
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
    if isinstance(item, NoItem):
        raise ItemNotFoundError
    if isinstance(item, LiveItem):
        raise ItemNotDeletedError
    _expect(versions, item.version - 1)  # clients last saw the version before the deletion


def _expect(versions: frozenset[int] | None, version: int) -> None:
    if versions is not None and version not in versions:
        raise VersionMismatchError(version)
