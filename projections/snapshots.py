"""Whether snapshots are what the log says: decisions begin with them, and a wrong one would spoil all that follow."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby, tee

from sqlalchemy import Connection

from eventstore.errors import CorruptEventError, UnknownEventTypeError
from eventstore.events import ItemCreated, ItemEvent
from eventstore.log import log, snapshots
from eventstore.log.snapshots import Stored
from projections.items.items import ITEMS, states
from projections.projection import Row
from projections.rebuild.rebuild_state import Sample

#: Items whose snapshots are read at a time.
_ITEMS = 100
#: What a snapshot says of an item.
_TOLD = ("name", "price", "in_stock")


def check_all(connection: Connection, tick: Callable[[], None]) -> Iterator[tuple[Stored, list[Sample]]]:
    """Hold every snapshot against the events of its item: give each with what is wrong with it, nothing for most."""
    after = 0
    while item_ids := snapshots.items_behind(connection, after, _ITEMS):
        tick()
        yield from check(connection, item_ids)
        after = item_ids[-1]


def check(connection: Connection, item_ids: Iterable[int]) -> Iterator[tuple[Stored, list[Sample]]]:
    """Hold the snapshots of the given items against their events; give each with what is wrong with it."""
    wanted = list(item_ids)
    stored: dict[int, dict[int, Stored]] = {}
    for snapshot in snapshots.read(connection, wanted):
        stored.setdefault(snapshot.item_id, {})[snapshot.version] = snapshot
    for item_id, stream in groupby(
        log.read_streams(connection, stored, ignore_snapshots=True), key=lambda fact: fact.item_id
    ):
        yield from _check_item(stream, stored.pop(item_id))
    for alien in stored.values():  # of items that never were
        yield from ((snapshot, [_nowhere(snapshot)]) for snapshot in alien.values())


def _check_item(stream: Iterable[ItemEvent], stored: Mapping[int, Stored]) -> Iterator[tuple[Stored, list[Sample]]]:
    left = dict(stored)
    facts, followed = tee(stream)
    for fact, after in zip(facts, states(followed), strict=True):
        if snapshot := left.pop(fact.version, None):
            yield snapshot, list(_wrong(snapshot, fact, after))
    yield from ((snapshot, [_nowhere(snapshot)]) for snapshot in left.values())


def _wrong(snapshot: Stored, fact: ItemEvent, after: Row | None) -> Iterator[Sample]:
    try:
        event = snapshot.event()
    except UnknownEventTypeError:
        return  # no decision begins with what can't be read; a newer version of the code may have left it
    except CorruptEventError as error:
        yield _sample(snapshot, "data", snapshot.data, str(error))
        return
    if snapshot.position != fact.position:
        yield _sample(snapshot, "position", snapshot.position, fact.position)
    if not isinstance(event, ItemCreated):
        yield _sample(snapshot, "type", snapshot.type, ItemCreated.type)
        return
    if after is None:
        yield _sample(snapshot, "deleted", live=False, rebuilt=True)
        return
    told = ITEMS.fold([ItemEvent(fact.position, fact.item_id, fact.version, fact.recorded_at, event)], {})[fact.item_id]
    assert told is not None
    for column in _TOLD:
        if told[column] != after[column]:
            yield _sample(snapshot, column, told[column], after[column])


def _nowhere(snapshot: Stored) -> Sample:
    return _sample(snapshot, "version", snapshot.version, None)


def _sample(snapshot: Stored, column: str, live: object, rebuilt: object) -> Sample:
    return Sample(snapshot.item_id, f"{column}, version {snapshot.version}", live, rebuilt)
