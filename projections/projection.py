"""What a projection is, and the one way that events reach its table: live and in a replay alike."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Integer, Table, Text, bindparam, delete, update

from eventstore.dialect import upsert
from eventstore.events import RecordedEvent
from eventstore.tables import BigInt, metadata

Row = Mapping[str, Any]

#: How far each projection has come: its table is the fold of the events 1 to `position`.
checkpoints = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),
    #: The version of the code that filled the table.
    Column("version", Integer, nullable=False),
    Column("position", BigInt, nullable=False),
)

_ADVANCE = (
    update(checkpoints)
    .where(checkpoints.c.position == bindparam("behind"))
    .values(position=bindparam("reached", type_=BigInt))
)


class Projection(Protocol):
    """A read model: a pure fold from a run of events to the rows that change, keyed by the table's one-column key."""

    name: str
    #: Raise it when `fold` would answer otherwise for events that were folded before.
    version: int
    table: Table

    def load(self, connection: Connection, table: Table, events: Sequence[RecordedEvent]) -> Mapping[int, Row]:
        """Read what `fold` needs to know of the time before `events`, from `table` or from the log."""
        ...

    def fold(self, events: Sequence[RecordedEvent], rows: Mapping[int, Row]) -> Mapping[int, Row | None]:
        """Give each row that `events` change as it is after them, None where there is none any more."""
        ...


class CheckpointError(Exception):
    """A projection has not folded all events before the ones it was given."""


def apply(connection: Connection, projection: Projection, table: Table, events: Sequence[RecordedEvent]) -> None:
    """Fold a run of events into `table` (the projection's own, or a shadow of it): one upsert and one delete."""
    changes = projection.fold(events, projection.load(connection, table, events))
    if changed := [row for row in changes.values() if row is not None]:
        upsert(connection, table, changed)
    if gone := [key for key, row in changes.items() if row is None]:
        (key_column,) = table.primary_key
        connection.execute(delete(table).where(key_column.in_(gone)))


class LiveProjections:
    """Keeps the tables of `projections` in step, in the transaction that appends; see eventstore's Projector."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = projections

    def project(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Fold a run of events into every table. Raises CheckpointError where a table has not come as far as that."""
        for projection in self._projections:
            apply(connection, projection, projection.table, events)
        bounds = {"behind": events[0].position - 1, "reached": events[-1].position}
        if connection.execute(_ADVANCE, bounds).rowcount != len(self._projections):
            raise CheckpointError(f"not every projection stood at position {bounds['behind']}")
