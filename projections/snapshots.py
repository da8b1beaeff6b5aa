"""Compare snapshots with the log: decisions start from them, so a wrong one would corrupt every later event."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, tee

from sqlalchemy import Connection

from eventstore.errors import CorruptEventError, UnknownEventTypeError
from eventstore.events import ItemCreated, ItemEvent
from eventstore.item import Item, LiveItem, states
from eventstore.log import snapshots
from eventstore.log.snapshots import Stored
from eventstore.log.streams import read_streams
from projections.items.items import row_of
from projections.rebuild.rebuild_state import Sample

#: The columns of an item's row that a snapshot holds.
_COLUMNS = ("name", "price", "in_stock")


def check(connection: Connection, item_ids: Iterable[int]) -> Iterator[tuple[Stored, list[Sample]]]:
    """Compare the snapshots of the given items with their events; yield each snapshot with the values that differ."""
    stored: dict[int, dict[int, Stored]] = {}
    for snapshot in snapshots.read(connection, item_ids):
        stored.setdefault(snapshot.item_id, {})[snapshot.version] = snapshot
    for item_id, stream in groupby(
        read_streams(connection, stored, ignore_snapshots=True), key=lambda event: event.item_id
    ):
        yield from _check_item(stream, stored.pop(item_id))
    for orphans in stored.values():  # of items without events
        yield from ((snapshot, [_without_event(snapshot)]) for snapshot in orphans.values())


def _check_item(stream: Iterable[ItemEvent], stored: Mapping[int, Stored]) -> Iterator[tuple[Stored, list[Sample]]]:
    rest = dict(stored)
    events, folded = tee(stream)
    for event, state in zip(events, states(folded), strict=True):
        if snapshot := rest.pop(event.version, None):
            yield snapshot, list(_differences(snapshot, event, state))
    yield from ((snapshot, [_without_event(snapshot)]) for snapshot in rest.values())


def _differences(snapshot: Stored, event: ItemEvent, state: Item) -> Iterator[Sample]:
    try:
        content = snapshot.event()
    except UnknownEventTypeError:
        return  # written by a newer version of the code perhaps; no decision of this version starts from it
    except CorruptEventError as error:
        yield _sample(snapshot, "data", snapshot.data, str(error))
        return
    if snapshot.position != event.position:
        yield _sample(snapshot, "position", snapshot.position, event.position)
    if not isinstance(content, ItemCreated):
        yield _sample(snapshot, "type", snapshot.type, ItemCreated.type)
        return
    if not isinstance(state, LiveItem):
        yield _sample(snapshot, "deleted", live=False, rebuilt=True)
        return
    live = row_of(event.item_id, LiveItem(event.version, content.name, content.price, content.in_stock))
    rebuilt = row_of(event.item_id, state)
    for column in _COLUMNS:
        if live[column] != rebuilt[column]:
            yield _sample(snapshot, column, live[column], rebuilt[column])


def _without_event(snapshot: Stored) -> Sample:
    return _sample(snapshot, "version", snapshot.version, None)


def _sample(snapshot: Stored, column: str, live: object, rebuilt: object) -> Sample:
    return Sample(snapshot.item_id, f"{column}, version {snapshot.version}", live, rebuilt)
