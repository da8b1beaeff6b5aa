"""Live projections: folded in the transaction that appends."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, MetaData, Table, select

from eventstore.database import table_swap
from eventstore.errors import NewerTableError, UnwritableTableError
from eventstore.item import Transition
from eventstore.log import head
from eventstore.log.write_set import TableChanges
from projections.projection import Projection, projections_table


class LiveProjections:
    """Keeps the tables of `projections` in step, in the transaction that appends; see eventstore's Projector.

    A projection without a row in `projections` has no table yet: its rebuild creates both. A table of an older version
    is kept in step in the columns that it has, and serves until a rebuild replaces it. A table of newer code, or of a
    projection that this code does not have, cannot be kept in step, and neither can an older one with a column that
    needs a value which this code does not know: then nothing is folded.
    """

    def __init__(self, projections: Sequence[Projection], versions: Mapping[str, int] | None = None) -> None:
        """Keep the tables of `projections`, which were of `versions` at the start; `refresh` reads them again."""
        self._projections = {projection.name: projection for projection in projections}
        self._targets: list[tuple[Projection, Table]] = []
        self._versions = dict(versions or {})
        #: Why the tables cannot be kept in step.
        self._refusal: NewerTableError | None = None
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
            rows = connection.execute(select(projections_table).order_by(projections_table.c.name))
            self._versions = {name: version for name, version in rows}  # noqa: C416
            self._targets, self._refusal = [], None
            try:
                self._targets = self._find_targets(connection)
            except NewerTableError as error:
                self._refusal = error
        self.revision = revision

    def _find_targets(self, connection: Connection) -> list[tuple[Projection, Table]]:
        if newer := [
            f"{name} is at version {version}" for name, version in self._versions.items() if self._is_newer(name)
        ]:
            raise NewerTableError(", ".join(newer))
        projections = [self._projections[name] for name in self._versions]
        return [
            (one, one.table if self._versions[one.name] == one.version else _older(connection, one.table))
            for one in projections
        ]

    def _is_newer(self, name: str) -> bool:
        return name not in self._projections or self._versions[name] > self._projections[name].version

    def version_of(self, projection: Projection) -> int:
        """Return the version of the table, as of the last append; the code's if it has none."""
        return self._versions.get(projection.name, projection.version)

    def fold(self, transitions: Sequence[Transition]) -> list[TableChanges]:
        """See Projector. Raises NewerTableError where a table is of newer code, or UnwritableTableError."""
        if self._refusal:
            raise self._refusal.with_traceback(None)  # of an earlier batch
        return [TableChanges(table, projection.fold(transitions)) for projection, table in self._targets]


def _older(connection: Connection, table: Table) -> Table:
    """Return `table` with only those of its columns that the database's table has. Raises UnwritableTableError."""
    names = table_swap.column_names(connection, table.name)
    if unknown := set(table_swap.required_columns(connection, table.name)) - set(table.columns.keys()):
        columns = ", ".join(sorted(unknown))
        raise UnwritableTableError(f"{table.name} needs {columns}; run `itemledger rebuild {table.name}`")
    known = (column for column in table.columns if column.name in names)
    return Table(table.name, MetaData(), *(Column(c.name, c.type, primary_key=c.primary_key) for c in known))
