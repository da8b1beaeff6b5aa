"""Live projections: folded in the transaction that appends."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, MetaData, Table, select

from eventstore.database import table_swap
from eventstore.errors import NewerTableError
from eventstore.item import Transition
from eventstore.log import head
from eventstore.log.write_set import TableChanges
from projections.projection import Projection, projections_table


class LiveProjections:
    """Keeps the tables of `projections` in step, in the transaction that appends; see eventstore's Projector.

    A projection without a row in `projections` has no table yet: its rebuild creates both. A table of an older version
    is kept in step in the columns that it has, and serves until a rebuild replaces it. A table of newer code, or of a
    projection that this code does not have, cannot be kept in step: then nothing is folded.
    """

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = {projection.name: projection for projection in projections}
        self._targets: list[tuple[Projection, Table]] = []
        self._newer = ""
        self.revision: int | None = None

    @property
    def tables(self) -> Sequence[Table]:
        """See Projector."""
        return [table for _, table in self._targets]

    def refresh(self, connection: Connection) -> None:
        """See Projector."""
        with connection.begin():
            # First: if a table changes after this, the revision does too, and the commit's guard fails.
            revision = head.read_head(connection).tables_revision
            versions = connection.execute(select(projections_table).order_by(projections_table.c.name)).all()
            newer = [row for row in versions if self._is_newer(*row)]
            self._newer = ", ".join(f"{name} is at version {version}" for name, version in newer)
            self._targets = [] if newer else [self._target(connection, *row) for row in versions]
        self.revision = revision

    def _is_newer(self, name: str, version: int) -> bool:
        return name not in self._projections or version > self._projections[name].version

    def _target(self, connection: Connection, name: str, version: int) -> tuple[Projection, Table]:
        projection = self._projections[name]
        return projection, projection.table if version == projection.version else _older(connection, projection.table)

    def fold(self, transitions: Sequence[Transition]) -> list[TableChanges]:
        """See Projector. Raises NewerTableError where a table is of newer code."""
        if self._newer:
            raise NewerTableError(self._newer)
        return [TableChanges(table, projection.fold(transitions)) for projection, table in self._targets]


def _older(connection: Connection, table: Table) -> Table:
    """Return `table` with only those of its columns that the database's table has."""
    names = table_swap.column_names(connection, table.name)
    columns = (column for column in table.columns if column.name in names)
    return Table(table.name, MetaData(), *(Column(c.name, c.type, primary_key=c.primary_key) for c in columns))
