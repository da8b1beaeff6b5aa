"""Reading and appending events. The only INSERT INTO events of the project is here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, Select, and_, bindparam, case, func, select, update

from eventstore import codec
from eventstore.database.dialect import insert, lateral_lookup, no_index, numbers, unnest_ids
from eventstore.events import Metadata, ProposedEvent, RecordedEvent
from eventstore.log.tables import events, log_head, log_tiles, snapshots
from eventstore.merkle import hashing

#: Behind every event there will ever be.
END = 2**63 - 1


class Head(Struct, frozen=True):
    """Where the log ends."""

    #: The last event's position, which is also the number of events and of the tree's leaves.
    position: int
    #: When it was recorded, in microseconds since the epoch, UTC.
    recorded_at: int
    frontier: hashing.Frontier


_HEAD = select(log_head.c.position, log_head.c.recorded_at, log_head.c.frontier).where(log_head.c.id == 1)
_LOCK_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = (
    update(log_head)
    .where(log_head.c.id == 1)
    .values({name: bindparam(f"new_{name}") for name in ("position", "recorded_at", "frontier")})
)
_COLUMNS = (
    events.c.position,
    events.c.item_id,
    events.c.version,
    events.c.type,
    events.c.data,
    events.c.recorded_at,
    events.c.actor,
    events.c.command_id,
    events.c.ordinal,
    events.c.fingerprint,
    events.c.correlation_id,
    events.c.causation_id,
)
_RECORDED: Select[*tuple[Any, ...]] = select(*_COLUMNS)
#: The last event's position, without the append lock: it may have moved on when it is known.
POSITION = select(log_head.c.position).where(log_head.c.id == 1)


def lock_head(connection: Connection) -> Head:
    """Take the append lock until the transaction ends, and give the log's head as the last appender left it.

    The lock is the head's row. Under READ COMMITTED whoever waited for it reads it anew, and every later statement sees
    what was committed meanwhile. On SQLite, which knows no such clause, BEGIN IMMEDIATE has taken the lock already.
    """
    return _head(connection.execute(_LOCK_HEAD).one())


def read_head(connection: Connection) -> Head:
    """Give the log's head, without the append lock: it may have moved on when this returns."""
    return _head(connection.execute(_HEAD).one())


def _head(row: Row[int, int, bytes]) -> Head:
    return Head(row.position, row.recorded_at, hashing.unpack(row.frontier))


def append(
    connection: Connection, head: Head, proposed: Sequence[ProposedEvent], now: int
) -> tuple[Head, list[RecordedEvent]]:
    """Write `proposed` behind `head` and move the head; give the new head and the events as recorded.

    The caller holds the append lock and read `head` under it. `now` is in microseconds since the epoch; time in the log
    never goes back, so a clock that does is overruled. Raises sqlalchemy.exc.IntegrityError where a version or a
    command's ordinal is already taken.
    """
    recorded_at = max(now, head.recorded_at)
    recorded, rows = [], []
    for position, event in enumerate(proposed, head.position + 1):
        rows.append(_row(position, recorded_at, event))
        recorded.append(
            RecordedEvent(
                position, event.item_id, event.version, recorded_at, event.event, event.metadata, event.ordinal
            )
        )
    return extend(connection, head, rows), recorded


def extend(connection: Connection, head: Head, rows: Sequence[Mapping[str, Any]]) -> Head:
    """Write `rows` of `events`, hashed as they are, behind `head`, which the caller holds; move the head and give it.

    Their positions go on where the head's ends, and their times don't go back: what writes them sees to that. Raises
    sqlalchemy.exc.IntegrityError where a version or a command's ordinal is already taken.
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
    connection: Connection, item_ids: Iterable[int], through: int = END, *, whole: bool = False
) -> Iterator[RecordedEvent]:
    """Read what the given items come from, up to position `through`, each item's in the order of its versions.

    An item's first event is what its newest snapshot tells, or else the one that created it; see `snapshots.py`. Where
    `whole` is asked for it is always the latter: a replay takes nothing for true that was derived.
    """
    wanted: dict[str, object] = {"item_ids": numbers(connection, item_ids), "through": through}
    if whole:
        return map(_recorded, connection.execute(_whole_streams(connection.dialect.name), wanted))
    wanted["readable"] = list(codec.CODEC.readers)
    return map(_recorded, connection.execute(_streams(connection.dialect.name), wanted))


@lru_cache
def _whole_streams(dialect: str) -> Select[Any]:
    wanted = unnest_ids(dialect, "item_ids")
    of_item = and_(events.c.item_id == wanted.c.value, no_index(events.c.position) <= bindparam("through"))
    found, on_found = lateral_lookup(dialect, events, of_item)
    columns = (found.c[column.name] for column in _COLUMNS)
    return select(*columns).select_from(wanted.join(found, on_found)).order_by(found.c.item_id, found.c.version)


@lru_cache
def _streams(dialect: str) -> Select[Any]:
    wanted = unnest_ids(dialect, "item_ids")
    earlier = snapshots.alias()
    newest = (
        select(func.max(earlier.c.version))
        .where(
            earlier.c.item_id == wanted.c.value,
            earlier.c.position <= bindparam("through"),
            # A newer version of the code may have been here, and gone: what only it can read is as good as not there.
            earlier.c.type.in_(bindparam("readable", expanding=True)),
        )
        .correlate(wanted)
        .scalar_subquery()
    )
    taken, on_newest = lateral_lookup(
        dialect, snapshots, and_(snapshots.c.item_id == wanted.c.value, snapshots.c.version == newest)
    )
    since, on_since = lateral_lookup(
        dialect,
        events,
        and_(
            events.c.item_id == wanted.c.value,
            events.c.version >= func.coalesce(taken.c.version, 1),
            no_index(events.c.position) <= bindparam("through"),
        ),
    )
    told = taken.c.version == since.c.version
    columns = {name: case((told, taken.c[name]), else_=since.c[name]).label(name) for name in ("type", "data")}
    return (
        select(*(columns.get(column.name, since.c[column.name]) for column in _COLUMNS))
        .select_from(wanted)
        .outerjoin(taken, on_newest)
        .join(since, on_since)
        .order_by(since.c.item_id, since.c.version)
    )


def read_commands(connection: Connection, command_ids: Iterable[str]) -> Iterator[RecordedEvent]:
    """Read the events that the given commands have recorded, in position order: none for one that never committed."""
    of_commands = _RECORDED.where(events.c.command_id.in_(sorted(command_ids)))
    return map(_recorded, connection.execute(of_commands.order_by(events.c.position)))


def lengths(connection: Connection, item_ids: Iterable[int]) -> dict[int, int]:
    """Give the number of events of each of the given items, by id; of those that there are."""
    wanted = {"item_ids": numbers(connection, item_ids)}
    rows = connection.execute(_lengths(connection.dialect.name), wanted)
    return {item_id: length for item_id, length in rows if length is not None}


@lru_cache
def _lengths(dialect: str) -> Select[Any]:
    wanted = unnest_ids(dialect, "item_ids")
    length = select(func.max(events.c.version)).where(events.c.item_id == wanted.c.value).correlate(wanted)
    return select(wanted.c.value, length.scalar_subquery())


def head_position(connection: Connection) -> int:
    """Give the last event's position, without the append lock: it may have moved on when this returns."""
    return int(connection.execute(POSITION).scalar_one())


def _row(position: int, recorded_at: int, event: ProposedEvent) -> dict[str, Any]:
    metadata, data = event.metadata, codec.encode(event.event)
    return {
        "position": position,
        "item_id": event.item_id,
        "version": event.version,
        "type": event.event.type,
        "data": data,
        "recorded_at": recorded_at,
        "actor": metadata.actor,
        "command_id": metadata.command_id,
        "ordinal": event.ordinal,
        "fingerprint": metadata.fingerprint,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        "leaf_hash": hashing.leaf_hash(codec.leaf(position, recorded_at, event, data)),
    }


def _recorded(row: Row[*tuple[Any, ...]]) -> RecordedEvent:
    # By place: a replay that asks each of a row's columns by its name takes twice as long.
    (
        position, item_id, version, type_, data, recorded_at, actor, command_id, ordinal, fingerprint, correlation_id,
        causation_id,
    ) = row  # fmt: skip
    metadata = Metadata(command_id, actor, fingerprint, correlation_id, causation_id)
    event = codec.decode(position, type_, data)
    return RecordedEvent(position, item_id, version, recorded_at, event, metadata, ordinal)
