"""The state of each projection's last rebuild: its replay checkpoint, from which it resumes, and its report."""

from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Boolean, Column, Connection, Float, Integer, Table, Text, select, update

from eventstore.clock import now
from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.log.replay_reader import ItemVersion
from eventstore.log.tables import BigInt, metadata, required
from projections.rebuild.replay_checkpoint import ReplayCheckpoint

#: `running` was written by the rebuilding process. If no process holds the rebuild's lock, it was interrupted. For
#: `starting` see `rebuild_requests.py`.
State = Literal["starting", "running", "interrupted", "cancelled", "failed", "succeeded"]
Phase = Literal["fill", "index", "compare", "swap"]

rebuilds = Table(
    "rebuilds",
    metadata,
    Column("name", Text, primary_key=True),
    #: The run that owns the shadow table: a run that another has overtaken must not write to it.
    Column("run", Text, nullable=False),
    #: The projection's version in the code that fills the shadow table, and that code's fingerprint.
    Column("version", Integer, nullable=False),
    Column("code", Text, nullable=False),
    *required(Text, "state", "phase"),
    #: The replay checkpoint, with the last three columns; see `ReplayCheckpoint`. The log was at `target` then.
    *required(BigInt, "position", "target"),
    #: Recent events a second.
    Column("rate", Float, nullable=False),
    #: In microseconds since the epoch, UTC.
    *required(BigInt, "started_at", "updated_at"),
    #: Whether a client asked it to stop and to drop its shadow table.
    Column("cancelled", Boolean, nullable=False),
    #: Why it failed or was interrupted.
    Column("failure", Text),
    #: The last rebuild's report, as JSON.
    Column("report", Text),
    *required(BigInt, "base", "item_id", "item_version"),
)


class Sample(Struct, frozen=True):
    """A differing value. A row that only one of the tables has differs in its key."""

    id: int
    column: str
    live: Any
    rebuilt: Any


class Report(Struct, frozen=True):
    """The result of a rebuild."""

    projection: str
    version: int
    #: The log position of the rebuilt table.
    position: int
    #: The number of events that were folded, without those that an interrupted run before this one folded.
    events: int
    #: Events a second while the table was filled.
    rate: float
    #: Seconds that each phase took.
    seconds: dict[str, float]
    rows: int
    #: The number of keys that either table has at `position`.
    rows_compared: int
    rows_differ: int
    samples: list[Sample]
    #: Columns that only the rebuilt table has, or only the live one had: they were not compared.
    columns_added: list[str]
    columns_dropped: list[str]
    #: The position at which all rows were compared, and the digests of both tables' common columns there: SHA-256 of
    #: their rows in the order of keys, each a JSON array and a line feed. None where there was no live table.
    compared_at: int | None
    digest_live: str | None
    digest_rebuilt: str | None
    #: Milliseconds that the append lock was held, None in a dry run.
    lock_held_ms: float | None
    #: Whether a new table was swapped in. Otherwise the rows that differed were corrected in the live table.
    swapped: bool
    rows_corrected: int


class Rebuild(Struct, frozen=True):
    """A row of `rebuilds`."""

    name: str
    run: str
    version: int
    code: str
    state: State
    phase: Phase
    cursor: ReplayCheckpoint
    target: int
    rate: float
    started_at: int
    updated_at: int
    cancelled: bool
    failure: str | None
    report: Report | None


class OvertakenError(Exception):
    """Another run has taken over this rebuild."""


class RebuildCancelledError(Exception):
    """The rebuild was cancelled: its shadow table is dropped, and the projection is unchanged."""


def lock_name(name: str) -> str:
    """Return the name of the lock that a process holds while it rebuilds the projection `name`."""
    return f"rebuild {name}"


def find(connection: Connection, name: str) -> Rebuild | None:
    """Read the state of the last rebuild of `name`."""
    row = connection.execute(select(rebuilds).where(rebuilds.c.name == name)).mappings().one_or_none()
    return None if row is None else _rebuild(row)


async def find_all(database: Database) -> dict[str, Rebuild]:
    """Read the state of every projection's last rebuild, by name. Raises UnavailableError.

    A rebuild that is stored as running, but whose lock no process holds, is returned as interrupted.
    """
    found = await _read_all(database)
    for name, rebuild in found.items():
        if rebuild.state == "running" and not await database.is_locked(lock_name(name)):
            # A run stores its end before it gives back its lock, so that it may have ended since it was read.
            now_stored = (await _read_all(database))[name]
            interrupted = now_stored.state == "running" and now_stored.run == rebuild.run
            found[name] = msgspec.structs.replace(rebuild, state="interrupted") if interrupted else now_stored
    return found


async def _read_all(database: Database) -> dict[str, Rebuild]:
    rows = await database.read(select(rebuilds).order_by(rebuilds.c.name))
    return {row.name: _rebuild(row._mapping) for row in rows}


def put(connection: Connection, rebuild: Rebuild) -> None:
    """Store the state of a rebuild, whichever run owned it before."""
    upsert(connection, rebuilds, [_columns(msgspec.structs.asdict(rebuild))])


def note(connection: Connection, name: str, run: str, **changes: Any) -> None:
    """Store changes of the state of the run `run`. Raises OvertakenError if another run has taken over."""
    of_run = update(rebuilds).where(rebuilds.c.name == name, rebuilds.c.run == run)
    if connection.execute(of_run.values(updated_at=now(), **_columns(changes))).rowcount != 1:
        raise OvertakenError


def cancel(connection: Connection, name: str) -> bool:
    """Ask the rebuild of `name` to stop, within a transaction; return whether one is stored as running."""
    running = update(rebuilds).where(rebuilds.c.name == name, rebuilds.c.state == "running")
    return connection.execute(running.values(cancelled=True)).rowcount == 1


def note_failure(connection: Connection, name: str, run: str, failure: str) -> None:
    """Store, within a transaction, why the run `run` did not end as it should, unless it has stored that itself."""
    of_run = update(rebuilds).where(rebuilds.c.name == name, rebuilds.c.run == run, rebuilds.c.failure.is_(None))
    ended = of_run.where(rebuilds.c.state.in_(("running", "interrupted", "failed")))
    connection.execute(ended.values(failure=failure))


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the columns in which fields of a Rebuild are stored."""
    columns = dict(fields)
    if cursor := columns.pop("cursor", None):
        columns |= {"position": cursor.position, "base": cursor.base}
        columns |= {"item_id": cursor.place.item_id, "item_version": cursor.place.version}
    if columns.get("report") is not None:
        columns["report"] = msgspec.json.encode(columns["report"]).decode()
    return columns


def _rebuild(row: Any) -> Rebuild:
    fields = dict(row)
    position, base, item_id, version = (fields.pop(name) for name in ("position", "base", "item_id", "item_version"))
    cursor = ReplayCheckpoint(position, base, ItemVersion(item_id, version))
    report = fields.pop("report")
    return Rebuild(**fields, cursor=cursor, report=report and msgspec.json.decode(report, type=Report))
