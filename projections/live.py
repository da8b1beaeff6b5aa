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
    is kept in step in the columns that it has, and serves until a rebuild replaces it.
    """

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = {projection.name: projection for projection in projections}
        self._targets: list[tuple[Projection, Table]] = []
        self.revision: int | None = None

    @property
    def tables(self) -> Sequence[Table]:
        """See Projector."""
        return [table for _, table in self._targets]

    def refresh(self, connection: Connection) -> None:
        """See Projector. Raises NewerTableError where a table is of newer code."""
        with connection.begin():
            # First: if a table changes after this, the revision does too, and the commit's guard fails.
            revision = head.read_head(connection).tables_revision
            self._targets = self._find_targets(connection)
        self.revision = revision

    def _find_targets(self, connection: Connection) -> list[tuple[Projection, Table]]:
        targets = []
        for name, version in connection.execute(select(projections_table).order_by(projections_table.c.name)):
            projection = self._projections.get(name)
            if projection is None or version > projection.version:
                raise NewerTableError(f"{name} is at version {version}")
            table = projection.table if version == projection.version else _older(connection, projection.table)
            targets.append((projection, table))
        return targets

    def fold(self, transitions: Sequence[Transition]) -> list[TableChanges]:
        """See Projector."""
        return [TableChanges(table, projection.fold(transitions)) for projection, table in self._targets]


def _older(connection: Connection, table: Table) -> Table:
    """Return `table` with only those of its columns that the database's table has."""
    names = table_swap.column_names(connection, table.name)
    columns = (column for column in table.columns if column.name in names)
    return Table(table.name, MetaData(), *(Column(c.name, c.type, primary_key=c.primary_key) for c in columns))
