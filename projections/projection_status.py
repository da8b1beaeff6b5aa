"""The status of each projection: the version and position of its table, compared with the code and the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Executable, Row, Select, Subquery, select, true
from sqlalchemy.exc import DBAPIError

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.log.head import head_position
from eventstore.log.tables import log_head
from projections.projection import Projection, projections_table, set_version


class ProjectionStatus(Struct, frozen=True):
    """The status of one projection of this version of the code."""

    projection: Projection
    #: The log's position at that moment.
    log_position: int
    #: The version of the code that created its table, None without a table.
    table_version: int | None

    @property
    def position(self) -> int | None:
        """The log position of its table, None without a table: what appends also writes to every table."""
        return None if self.table_version is None else self.log_position

    @property
    def current(self) -> bool:
        """Whether its table is of this version of the code."""
        return self.table_version == self.projection.version

    @property
    def outdated(self) -> bool:
        """Whether a rebuild by this version of the code would help."""
        return self.table_version is None or self.table_version < self.projection.version


#: An outer join: a log whose projections have no rows is still a row.
_STATUSES = select(log_head.c.position.label("log_position"), projections_table).join_from(
    log_head, projections_table, true(), isouter=True
)


async def projection_statuses(database: Database, projections: Sequence[Projection]) -> list[ProjectionStatus]:
    """Return the status of each of `projections`, all as of one moment. Raises UnavailableError."""
    rows = await database.read(_STATUSES)
    by_name = {row.name: row.version for row in rows}
    return [
        ProjectionStatus(projection, rows[0].log_position, by_name.get(projection.name)) for projection in projections
    ]


async def foreign_projections(database: Database, projections: Sequence[Projection]) -> list[str]:
    """Return the names of projections that have a table and are not in `projections`. Raises UnavailableError."""
    known = {projection.name for projection in projections}
    rows = await database.read(select(projections_table.c.name).order_by(projections_table.c.name))
    return [row.name for row in rows if row.name not in known]


def with_position(projection: Projection, rows: Subquery) -> Select[Any]:
    """Build the query for `rows` with the position of their snapshot: a row of NULLs if there are none."""
    joined = log_head.join(projections_table, true()).outerjoin(rows, true())
    query = select(log_head.c.position, *rows.c).select_from(joined)
    return query.where(projections_table.c.name == projection.name)


async def read_if_current(
    database: Database, projection: Projection, statement: Executable, parameters: Mapping[str, object]
) -> Sequence[Row[Any]] | None:
    """Run a SELECT that joins the `projections` row of `projection` with rows of its table, and return its rows.

    Returns None where the table does not exist yet, or is too old for the query. Raises UnavailableError.
    """
    try:
        return await database.read(statement, parameters) or None
    except DBAPIError:
        version = select(projections_table.c.version).where(projections_table.c.name == projection.name)
        if [row.version for row in await database.read(version)] != [projection.version]:
            return None
        return await database.read(statement, parameters)  # the table was swapped in just then


def create_missing_tables(connection: Connection, projections: Sequence[Projection]) -> None:
    """Create the current tables of `projections` that are missing or outdated, if the log is empty.

    A log with events must be folded, which a rebuild does. Call it within a transaction.
    """
    if head_position(connection) > 0:
        return
    rows = connection.execute(select(projections_table))
    versions: dict[str, int] = {name: version for name, version in rows}  # noqa: C416
    for projection in projections:
        if versions.get(projection.name) == projection.version:
            continue
        shadow = table_swap.shadow_of(projection.table, f"{projection.table.name}_rebuild")
        table_swap.drop(connection, shadow.name)
        table_swap.create(connection, projection.table, shadow)
        while table_swap.index(connection, projection.table, shadow):
            pass
        table_swap.swap_in(connection, projection.table, shadow, like=next(iter(versions), None))
        table_swap.drop(connection, table_swap.retired_name(projection.table))
        set_version(connection, projection.name, projection.version)
