"""The last scheduled verification of each table: a projection's, or the snapshots."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Connection, Table, Text, select

from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.database.session import allow_async_commit
from eventstore.log.tables import BigInt, metadata, required
from projections.verify import Verdict

#: Times are in microseconds since the epoch, UTC. `verdict` is a Verdict as JSON.
verifications = Table(
    "verifications",
    metadata,
    Column("name", Text, primary_key=True),
    *required(BigInt, "started_at", "finished_at"),
    Column("verdict", Text, nullable=False),
)


class Verification(Struct, frozen=True):
    """A row of `verifications`."""

    name: str
    started_at: int
    finished_at: int
    verdict: Verdict


async def find_all(database: Database) -> Mapping[str, Verification]:
    """Read the last verification of every table that was ever verified, by name. Raises UnavailableError."""
    rows = await database.read(select(verifications))
    decode = msgspec.json.Decoder(Verdict).decode
    return {row.name: Verification(row.name, row.started_at, row.finished_at, decode(row.verdict)) for row in rows}


def put(connection: Connection, verification: Verification) -> None:
    """Store a verification, in a transaction of its own. A crash may lose it, then the table is verified again."""
    row = msgspec.structs.asdict(verification)
    with connection.begin():
        allow_async_commit(connection)
        upsert(connection, verifications, [{**row, "verdict": msgspec.json.encode(row["verdict"]).decode()}])
