"""Reads the streams of items, and the events of commands."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, func, select

from eventstore import codec
from eventstore.database.functions import no_index
from eventstore.database.parameters import id_values, in_texts, lateral_lookup, text_values, unnest_ids
from eventstore.events import Metadata, RecordedEvent
from eventstore.log.head import END
from eventstore.log.tables import events, snapshots

#: In the order that `recorded` reads them.
COLUMNS = tuple(column for column in events.c if column is not events.c.leaf_hash)


def read_streams(
    connection: Connection, item_ids: Iterable[int], through: int = END, *, ignore_snapshots: bool = False
) -> Iterator[RecordedEvent]:
    """Read the streams of items up to position `through`, each in the order of its versions.

    A stream begins with the item's newest snapshot, or else with its creation; see `snapshots.py`. A replay uses
    `ignore_snapshots`, since it must not rely on derived data.
    """
    dialect = connection.dialect.name
    statement = _sorted(_whole_streams if ignore_snapshots else streams, dialect)
    return map(recorded, connection.execute(statement, stream_parameters(dialect, item_ids, through)))


def stream_parameters(dialect: str, item_ids: Iterable[int], through: int) -> dict[str, object]:
    """Return the parameters of `streams`, to read up to position `through`."""
    readable = text_values(dialect, codec.CODEC.readers)
    return {"item_ids": id_values(dialect, item_ids), "through": through, "readable": readable}


@lru_cache
def _sorted(statement: Callable[[str], Select[Any]], dialect: str) -> Select[Any]:
    rows = statement(dialect)
    return rows.order_by(rows.selected_columns.item_id, rows.selected_columns.version)


def _whole_streams(dialect: str) -> Select[Any]:
    ids = unnest_ids(dialect, "item_ids")
    of_item = and_(events.c.item_id == ids.c.value, no_index(events.c.position) <= bindparam("through"))
    found, on_found = lateral_lookup(dialect, events, of_item)
    columns = (found.c[column.name] for column in COLUMNS)
    return select(*columns).select_from(ids.join(found, on_found))


@lru_cache
def streams(dialect: str) -> Select[Any]:
    """Return the query for streams, each from its newest snapshot that this code can read, in any order."""
    ids = unnest_ids(dialect, "item_ids")
    earlier = snapshots.alias()
    newest = (
        select(func.max(earlier.c.version))
        .where(
            earlier.c.item_id == ids.c.value,
            earlier.c.position <= bindparam("through"),
            # A newer version of the code may have run before a downgrade: ignore snapshots that only it can read.
            in_texts(dialect, earlier.c.type, "readable"),
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
        select(*(columns.get(column.name, since.c[column.name]) for column in COLUMNS))
        .select_from(ids)
        .outerjoin(snapshot, on_newest)
        .join(since, on_since)
    )


def read_commands(connection: Connection, command_ids: Iterable[str]) -> Iterator[RecordedEvent]:
    """Read the events of commands in position order: none for a command that never committed."""
    dialect = connection.dialect.name
    parameters = {"command_ids": text_values(dialect, command_ids)}
    return map(recorded, connection.execute(commands(dialect).order_by(events.c.position), parameters))


def commands(dialect: str) -> Select[Any]:
    """Return the query for the events of the commands in `command_ids`, in any order."""
    return select(*COLUMNS).where(in_texts(dialect, events.c.command_id, "command_ids"))


def recorded(row: Sequence[Any]) -> RecordedEvent:
    """Return the event of a row with COLUMNS. Raises UnknownEventTypeError or CorruptEventError."""
    # By index: a replay that reads each column by name takes twice as long.
    (
        position, item_id, version, type_, data, recorded_at, actor, credential, command_id, ordinal, fingerprint,
        correlation_id, causation_id,
    ) = row  # fmt: skip
    metadata = Metadata(command_id, actor, credential, fingerprint, correlation_id, causation_id)
    event = codec.decode(position, type_, data)
    return RecordedEvent(position, item_id, version, recorded_at, event, metadata, ordinal)
