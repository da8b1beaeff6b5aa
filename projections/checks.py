"""What is known of each projection by the check that runs in the background: how far it is, and what it found."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Boolean, Column, Connection, Integer, Table, Text, select

from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.database.session import allow_async_commit
from eventstore.log.tables import BigInt, metadata
from projections.rebuild.rebuild_state import Sample

checks = Table(
    "checks",
    metadata,
    Column("name", Text, primary_key=True),
    #: The version of the code that checks.
    Column("version", Integer, nullable=False),
    #: How much of the log it has gone through, of late or in this round.
    Column("position", BigInt, nullable=False),
    #: In microseconds since the epoch, UTC.
    Column("checked_at", BigInt, nullable=False),
    #: The rows that differ from the log, as JSON.
    Column("findings", Text, nullable=False),
    #: Whether there are more of them.
    Column("more", Boolean, nullable=False),
)


class Finding(Struct, frozen=True):
    """A row that is not what the log says."""

    id: int
    #: Its values that differ; `rebuilt` is what the log says.
    values: list[Sample]
    #: The log's position then.
    position: int
    #: In microseconds since the epoch, UTC.
    found_at: int


class Check(Struct, frozen=True):
    """A row of `checks`."""

    name: str
    version: int
    position: int = 0
    checked_at: int = 0
    #: A bounded number of them.
    findings: list[Finding] = []
    more: bool = False


async def find_all(database: Database) -> dict[str, Check]:
    """Read what is known of every projection that was ever checked, by name. Raises UnavailableError."""
    return {row.name: _check(row._mapping) for row in await database.read(select(checks))}


def put(connection: Connection, known: Iterable[Check]) -> None:
    """Store what is known, in a transaction of its own: if it is lost it is found again."""
    with connection.begin():
        allow_async_commit(connection)
        rows = [msgspec.structs.asdict(check) for check in known]
        upsert(connection, checks, [{**row, "findings": msgspec.json.encode(row["findings"]).decode()} for row in rows])


def _check(row: Any) -> Check:
    return Check(**{**row, "findings": msgspec.json.decode(row["findings"], type=list[Finding])})
