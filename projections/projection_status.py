"""Where each projection stands: the version and position of its table, beside what the code has."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Executable, Row, select, true
from sqlalchemy.exc import DBAPIError

from eventstore.database import table_swap
from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.log import log
from eventstore.log.tables import log_head
from projections.projection import Projection, checkpoints


class ProjectionStatus(Struct, frozen=True):
    """One projection of this version of the code."""

    projection: Projection
    #: The log's position at that moment.
    log_position: int
    #: The version of the code that made its table, and the position that the table is at; None where there is none yet.
    table_version: int | None
    position: int | None

    @property
    def current(self) -> bool:
        """Whether its table is one that this version of the code made or would make."""
        return self.table_version == self.projection.version

    @property
    def outdated(self) -> bool:
        """Whether a rebuild by this version of the code would help."""
        return self.table_version is None or self.table_version < self.projection.version


_STANDING = select(log_head.c.position.label("log_position"), checkpoints).join_from(
    log_head,
    checkpoints,
    true(),
    isouter=True,  # a log without a checkpoint is still a row
)


async def projection_statuses(database: Database, projections: Sequence[Projection]) -> list[ProjectionStatus]:
    """Tell where `projections` stand, all as of one moment. Raises UnavailableError."""
    rows = await database.read(_STANDING)
    found = {row.name: row for row in rows}
    return [
        ProjectionStatus(
            projection,
            rows[0].log_position,
            found[projection.name].version if projection.name in found else None,
            found[projection.name].position if projection.name in found else None,
        )
        for projection in projections
    ]


async def read_if_current(
    database: Database, projection: Projection, statement: Executable, parameters: Mapping[str, object]
) -> Sequence[Row[Any]] | None:
    """Run a SELECT that joins the checkpoint of `projection` with what it finds in its table, and give its rows.

    None where the table is not there yet, or is too old for that. Raises UnavailableError.
    """
    try:
        return await database.read(statement, parameters) or None
    except DBAPIError:
        version = select(checkpoints.c.version).where(checkpoints.c.name == projection.name)
        if [row.version for row in await database.read(version)] != [projection.version]:
            return None
        return await database.read(statement, parameters)  # it was put in place just then


def create_missing_tables(connection: Connection, projections: Sequence[Projection]) -> None:
    """Make the tables of `projections` that are not there as the code has them, where the log is empty.

    Where it has events they must be folded, which a rebuild does. To be called within a transaction.
    """
    if log.head_position(connection) > 0:
        return
    there = {name: version for name, version, _ in connection.execute(select(checkpoints))}
    for projection in projections:
        if there.get(projection.name) == projection.version:
            continue
        shadow = table_swap.shadow_of(projection.table, f"{projection.table.name}_rebuild")
        table_swap.drop(connection, shadow.name)
        table_swap.create(connection, projection.table, shadow)
        while table_swap.index(connection, projection.table, shadow):
            pass
        table_swap.swap_in(connection, projection.table, shadow, like=next(iter(there), None))
        table_swap.drop(connection, table_swap.retired_name(projection.table))
        upsert(connection, checkpoints, [{"name": projection.name, "version": projection.version, "position": 0}])
