"""The status of each projection: the version and position of its table, compared with the code and the log."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Select, Subquery, select, true

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.database.failures import reported_by_database
from eventstore.log.head import head_position
from eventstore.log.tables import log_head
from projections.errors import ProjectionNotReadyError
from projections.projection import Projection, projections_table, set_version

R = TypeVar("R")


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


async def read_tables(
    database: Database, projections: Sequence[Projection], read: Callable[[], Awaitable[Sequence[R]]]
) -> Sequence[R]:
    """Return the rows that `read` reads from the tables of `projections`, joined with the row of one in `projections`.

    There are none where that projection is not built yet: then, and where a table lacks a column, raises
    ProjectionNotReadyError. Raises UnavailableError, too.
    """
    if rows := await read_columns(database, projections, read):
        return rows
    raise ProjectionNotReadyError(*(projection.name for projection in projections))


async def read_columns(
    database: Database, projections: Sequence[Projection], read: Callable[[], Awaitable[Sequence[R]]]
) -> Sequence[R]:
    """Return the rows that `read` reads from the tables of `projections`.

    A table of an older version serves what it has the columns for. Raises ProjectionNotReadyError where one does not
    exist yet, or lacks a column, and UnavailableError.
    """
    try:
        return await read()
    except Exception as error:
        if not reported_by_database(error):
            raise
        statuses = await projection_statuses(database, projections)
        if others := [status.projection.name for status in statuses if not status.current]:
            raise ProjectionNotReadyError(*others) from error
        return await read()  # the table was swapped in just then


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
