"""The projections kept in step: folded in the transaction that appends."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, MetaData, Table, bindparam, inspect, select, update

from eventstore.events import RecordedEvent
from eventstore.log.tables import BigInt
from projections.projection import Projection, apply, checkpoints

_ADVANCE = (
    update(checkpoints)
    .where(checkpoints.c.position == bindparam("behind"))
    .values(position=bindparam("reached", type_=BigInt))
    .returning(checkpoints.c.name, checkpoints.c.version)
)


class CheckpointError(Exception):
    """The projections' tables are not what this version of the code can keep in step; the message says why."""


class NewerTableError(CheckpointError):
    """A table belongs to code that is newer than this process's, which is to be stopped."""


class LiveProjections:
    """Keeps the tables of `projections` in step, in the transaction that appends; see eventstore's Projector.

    A projection without a checkpoint has no table yet: whoever builds it sets both. One whose table is of an older
    version is kept in step as far as that table goes, and serves until a rebuild puts a new one in its place.
    """

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = {projection.name: projection for projection in projections}
        #: What the database last said there is, by name and version, and the tables to write accordingly.
        self._standing: set[tuple[str, int]] = set()
        self._targets: list[tuple[Projection, Table]] = []

    def project(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Fold a run of events into every table.

        Raises CheckpointError where a table has not come as far as that, NewerTableError where it is of newer code.
        """
        bounds = {"behind": events[0].position - 1, "reached": events[-1].position}
        advanced = {(name, version) for name, version in connection.execute(_ADVANCE, bounds)}
        if advanced != self._standing:
            self._targets = self._find_targets(connection, advanced, bounds["behind"])
            self._standing = advanced
        for projection, table in self._targets:
            apply(connection, projection, table, events)

    def _find_targets(
        self, connection: Connection, advanced: set[tuple[str, int]], behind: int
    ) -> list[tuple[Projection, Table]]:
        targets = []
        for name, version, position in connection.execute(select(checkpoints)):
            if (name, version) not in advanced:
                raise CheckpointError(f"{name} stood at position {position}, while the log was at position {behind}")
            projection = self._projections.get(name)
            if projection is None or version > projection.version:
                raise NewerTableError(f"{name} is at version {version}, which this version of the code does not have")
            table = projection.table if version == projection.version else _as_it_is(connection, projection.table)
            targets.append((projection, table))
        return targets


def _as_it_is(connection: Connection, table: Table) -> Table:
    """Give `table` with those of its columns that the database's has."""
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    kept = (column for column in table.columns if column.name in there)
    return Table(table.name, MetaData(), *(Column(c.name, c.type, primary_key=c.primary_key) for c in kept))
