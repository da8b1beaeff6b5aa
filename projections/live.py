"""Live projections: folded in the transaction that appends."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, MetaData, Table, bindparam, select, update

from eventstore.database import table_swap
from eventstore.events import RecordedEvent
from eventstore.log.tables import BigInt
from projections.projection import Projection, apply, projections_table

_ADVANCE = (
    update(projections_table)
    .where(projections_table.c.position == bindparam("behind"))
    .values(position=bindparam("reached", type_=BigInt))
    .returning(projections_table.c.name, projections_table.c.version)
)


class CheckpointError(Exception):
    """The projections' tables cannot be kept in step by this version of the code; the message says why."""


class NewerTableError(CheckpointError):
    """A table belongs to newer code than this process runs, so this process must be stopped."""


class LiveProjections:
    """Keeps the tables of `projections` in step, in the transaction that appends; see eventstore's Projector.

    A projection without a row in `projections` has no table yet: its rebuild creates both. A table of an older version
    is kept in step in the columns that it has, and serves until a rebuild replaces it.
    """

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = {projection.name: projection for projection in projections}
        #: The names and versions that the database last reported, and the tables to write accordingly.
        self._versions: set[tuple[str, int]] = set()
        self._targets: list[tuple[Projection, Table]] = []

    def project(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Fold a run of events into every table.

        Raises CheckpointError where a table is not at the position before them, NewerTableError where it is of newer
        code.
        """
        bounds = {"behind": events[0].position - 1, "reached": events[-1].position}
        advanced = {(name, version) for name, version in connection.execute(_ADVANCE, bounds)}
        if advanced != self._versions:
            self._targets = self._find_targets(connection, advanced, bounds["behind"])
            self._versions = advanced
        for projection, table in self._targets:
            apply(connection, projection, table, events)

    def _find_targets(
        self, connection: Connection, advanced: set[tuple[str, int]], behind: int
    ) -> list[tuple[Projection, Table]]:
        targets = []
        for name, version, position in connection.execute(select(projections_table)):
            if (name, version) not in advanced:
                raise CheckpointError(f"{name} is at position {position}, while the log was at position {behind}")
            projection = self._projections.get(name)
            if projection is None or version > projection.version:
                raise NewerTableError(f"{name} is at version {version}, which this version of the code does not have")
            table = projection.table if version == projection.version else _older(connection, projection.table)
            targets.append((projection, table))
        return targets


def _older(connection: Connection, table: Table) -> Table:
    """Return `table` with only those of its columns that the database's table has."""
    names = table_swap.column_names(connection, table.name)
    columns = (column for column in table.columns if column.name in names)
    return Table(table.name, MetaData(), *(Column(c.name, c.type, primary_key=c.primary_key) for c in columns))
