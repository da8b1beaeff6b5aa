"""Reading and appending events. The only INSERT INTO events of the project is here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, Select, and_, bindparam, case, func, select, update

from eventstore import codec
from eventstore.database.bulk import insert
from eventstore.database.functions import no_index
from eventstore.database.parameters import lateral_lookup, numbers, unnest_ids
from eventstore.events import Metadata, ProposedEvent, RecordedEvent
from eventstore.log.tables import events, log_head, log_tiles, snapshots
from eventstore.merkle import hashing

#: Greater than every position.
END = 2**63 - 1


class Head(Struct, frozen=True):
    """The end of the log."""

    #: The last event's position, which is also the number of events and of the tree's leaves.
    position: int
    #: The last event's time, in microseconds since the epoch, UTC.
    recorded_at: int
    frontier: hashing.Frontier


_HEAD = select(log_head.c.position, log_head.c.recorded_at, log_head.c.frontier).where(log_head.c.id == 1)
_LOCK_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = (
    update(log_head)
    .where(log_head.c.id == 1)
    .values({name: bindparam(f"new_{name}") for name in ("position", "recorded_at", "frontier")})
)
#: In the order that `_recorded` reads them.
_COLUMNS = tuple(column for column in events.c if column is not events.c.leaf_hash)
_leaf = itemgetter(*codec.LEAF)
#: The last event's position, read without the append lock, so the log may already have grown.
POSITION = select(log_head.c.position).where(log_head.c.id == 1)


def lock_head(connection: Connection) -> Head:
    """Take the append lock until the transaction ends, and return the log's head as the last appender left it.

    The lock is the head's row. Under READ COMMITTED a transaction that waited for it reads the new row, and its later
    statements see what was committed meanwhile. SQLite has no such clause, but BEGIN IMMEDIATE already took the lock.
    """
    return _head(connection.execute(_LOCK_HEAD).one())


def read_head(connection: Connection) -> Head:
    """Return the log's head, read without the append lock, so the log may already have grown."""
    return _head(connection.execute(_HEAD).one())


def head_position(connection: Connection) -> int:
    """Return the last event's position, read without the append lock, so the log may already have grown."""
    return int(connection.execute(POSITION).scalar_one())


def _head(row: Row[int, int, bytes]) -> Head:
    return Head(row.position, row.recorded_at, hashing.unpack(row.frontier))


def append(
    connection: Connection, head: Head, proposed: Sequence[ProposedEvent], now: int
) -> tuple[Head, list[RecordedEvent]]:
    """Append `proposed` after `head`; return the new head and the recorded events.

    The caller holds the append lock and read `head` under it. `now` is in microseconds since the epoch. Time in the log
    never goes back, so a clock that does is overruled. Raises sqlalchemy.exc.IntegrityError where a version or a
    command's ordinal exists already.
    """
    recorded_at = max(now, head.recorded_at)
    numbered = list(enumerate(proposed, head.position + 1))
    recorded = [
        RecordedEvent(position, e.item_id, e.version, recorded_at, e.event, e.metadata, e.ordinal)
        for position, e in numbered
    ]
    return extend(connection, head, [event_row(position, recorded_at, event) for position, event in numbered]), recorded


def extend(connection: Connection, head: Head, rows: Sequence[Mapping[str, Any]]) -> Head:
    """Append `rows` of `events`, with their hashes, after `head`, which the caller holds; return the new head.

    The caller ensures that positions continue the head's and that times never go back. Raises
    sqlalchemy.exc.IntegrityError where a version or a command's ordinal exists already.
    """
    frontier, tiles = hashing.append(head.position, head.frontier, [row["leaf_hash"] for row in rows])
    moved = Head(head.position + len(rows), rows[-1]["recorded_at"], frontier)
    insert(connection, events, rows)
    if tiles:
        insert(connection, log_tiles, [{"level": lv, "index": ix, "hash": hashed} for lv, ix, hashed in tiles])
    connection.execute(
        _MOVE_HEAD,
        {"new_position": moved.position, "new_recorded_at": moved.recorded_at, "new_frontier": hashing.pack(frontier)},
    )
    return moved


def read_streams(
    connection: Connection, item_ids: Iterable[int], through: int = END, *, ignore_snapshots: bool = False
) -> Iterator[RecordedEvent]:
    """Read the streams of items up to position `through`, each in the order of its versions.

    A stream begins with the item's newest snapshot, or else with its creation; see `snapshots.py`. A replay uses
    `ignore_snapshots`, since it must not rely on derived data.
    """
    parameters: dict[str, object] = {"item_ids": numbers(connection, item_ids), "through": through}
    if ignore_snapshots:
        return map(_recorded, connection.execute(_whole_streams(connection.dialect.name), parameters))
    parameters["readable"] = list(codec.CODEC.readers)
    return map(_recorded, connection.execute(_streams(connection.dialect.name), parameters))


@lru_cache
def _whole_streams(dialect: str) -> Select[Any]:
    ids = unnest_ids(dialect, "item_ids")
    of_item = and_(events.c.item_id == ids.c.value, no_index(events.c.position) <= bindparam("through"))
    found, on_found = lateral_lookup(dialect, events, of_item)
    columns = (found.c[column.name] for column in _COLUMNS)
    return select(*columns).select_from(ids.join(found, on_found)).order_by(found.c.item_id, found.c.version)


@lru_cache
def _streams(dialect: str) -> Select[Any]:
    ids = unnest_ids(dialect, "item_ids")
    earlier = snapshots.alias()
    newest = (
        select(func.max(earlier.c.version))
        .where(
            earlier.c.item_id == ids.c.value,
            earlier.c.position <= bindparam("through"),
            # A newer version of the code may have run before a downgrade: ignore snapshots that only it can read.
            earlier.c.type.in_(bindparam("readable", expanding=True)),
        )
        .correlate(ids)
        .scalar_subquery()
    )
    snapshot, on_newest = lateral_lookup(
        dialect, snapshots, and_(snapshots.c.item_id == ids.c.value, snapshots.c.version == newest)
    )
    since, on_since = lateral_lookup(
        dialect,
        events,
        and_(
            events.c.item_id == ids.c.value,
            events.c.version >= func.coalesce(snapshot.c.version, 1),
            no_index(events.c.position) <= bindparam("through"),
        ),
    )
    is_first = snapshot.c.version == since.c.version
    columns = {name: case((is_first, snapshot.c[name]), else_=since.c[name]).label(name) for name in ("type", "data")}
    return (
        select(*(columns.get(column.name, since.c[column.name]) for column in _COLUMNS))
        .select_from(ids)
        .outerjoin(snapshot, on_newest)
        .join(since, on_since)
        .order_by(since.c.item_id, since.c.version)
    )


def read_commands(connection: Connection, command_ids: Iterable[str]) -> Iterator[RecordedEvent]:
    """Read the events of commands in position order: none for a command that never committed."""
    of_commands = select(*_COLUMNS).where(events.c.command_id.in_(sorted(command_ids)))
    return map(_recorded, connection.execute(of_commands.order_by(events.c.position)))


def event_row(position: int, recorded_at: int, event: ProposedEvent) -> dict[str, Any]:
    """Return the row of `events` for an event that is appended at `position`. Raises OldEventTypeError."""
    metadata = event.metadata
    row = {
        "position": position,
        "item_id": event.item_id,
        "version": event.version,
        "type": event.event.type,
        "data": codec.encode(event.event),
        "recorded_at": recorded_at,
        "actor": metadata.actor,
        "command_id": metadata.command_id,
        "ordinal": event.ordinal,
        "fingerprint": metadata.fingerprint,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
    }
    row["leaf_hash"] = hashing.leaf_hash(codec.encode_leaf(_leaf(row)))
    return row


def _recorded(row: Row[*tuple[Any, ...]]) -> RecordedEvent:
    # By index: a replay that reads each column by name takes twice as long.
    (
        position, item_id, version, type_, data, recorded_at, actor, command_id, ordinal, fingerprint, correlation_id,
        causation_id,
    ) = row  # fmt: skip
    metadata = Metadata(command_id, actor, fingerprint, correlation_id, causation_id)
    event = codec.decode(position, type_, data)
    return RecordedEvent(position, item_id, version, recorded_at, event, metadata, ordinal)
