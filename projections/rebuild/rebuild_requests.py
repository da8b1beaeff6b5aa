"""Rebuilds that were requested and have not begun: the process that runs one takes a while to start.

From the request on it is what is shown and what can be cancelled. The process begins by taking its request, so that a
cancelled one never runs. The state of the last run stays as it is until then: the new run may resume it.
"""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Table, Text, select, text, update

from eventstore.clock import now
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.log.tables import BigInt, metadata, required
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild_state import OvertakenError, Rebuild, RebuildCancelledError
from projections.rebuild.replay_checkpoint import ReplayCheckpoint

#: How long a process may take to begin. After that its service was probably killed, and it must not begin any more.
START_LIMIT_SECONDS = 120

requests = Table(
    "rebuild_requests",
    metadata,
    Column("name", Text, primary_key=True),
    #: The run that serves it, and `starting`, `cancelled`, `failed`, or `begun`: then `rebuilds` has what is known.
    *required(Text, "run", "state"),
    #: In microseconds since the epoch, UTC.
    *required(BigInt, "requested_at", "updated_at"),
    Column("failure", Text),
)

_PUT = text(
    "INSERT INTO rebuild_requests (name, run, state, requested_at, updated_at) "
    "VALUES (:name, :run, 'starting', :now, :now) ON CONFLICT (name) DO UPDATE "
    "SET run = :run, state = 'starting', requested_at = :now, updated_at = :now, failure = NULL "
    "WHERE rebuild_requests.state <> 'starting' OR rebuild_requests.requested_at < :limit"
)
_NOT_BEGUN = f"Its process did not begin within {START_LIMIT_SECONDS} seconds. Start it again"
#: States of a rebuild that has not ended.
ACTIVE = ("starting", "running")
_REASONS = {
    "interrupted": "Its process ended before the rebuild did. The next rebuild resumes it",
    "failed": "The log of the process that ran it has the reason",
}


def put(connection: Connection, name: str) -> str | None:
    """Record a request to rebuild `name`, in its own transaction; return its run, None where another is starting."""
    moment, run = now(), token_hex(8)
    with connection.begin() as transaction:
        values = {"name": name, "run": run, "now": moment, "limit": _limit(moment)}
        is_put = connection.execute(_PUT, values).rowcount == 1
        commit(transaction)
    return run if is_put else None


def take(connection: Connection, name: str, run: str, *, requested: bool) -> None:
    """Record, in the transaction in which `run` begins, that it has begun. It overtakes every earlier request.

    Raises RebuildCancelledError and OvertakenError where it was requested and must not begin any more.
    """
    row = connection.execute(select(requests).where(requests.c.name == name).with_for_update()).one_or_none()
    if requested and (row is None or row.run != run or _has_expired(row)):
        raise OvertakenError
    if requested and row is not None and row.state != "starting":
        raise RebuildCancelledError
    connection.execute(update(requests).where(requests.c.name == name).values(state="begun", updated_at=now()))


def cancel(connection: Connection, name: str) -> bool | None:
    """Cancel the rebuild of `name`, in its own transaction; return whether it had begun, None where there is none."""
    moment = now()
    of_name = update(requests).where(requests.c.name == name, requests.c.state == "starting")
    waiting = of_name.where(requests.c.requested_at >= _limit(moment))
    with connection.begin() as transaction:
        is_waiting = connection.execute(waiting.values(state="cancelled", updated_at=moment)).rowcount == 1
        is_running = rebuild_state.cancel(connection, name)
        commit(transaction)
    return is_running if is_waiting or is_running else None


def note_end(connection: Connection, name: str, run: str, failure: str) -> None:
    """Record why the process of `run` ended, unless the run itself has recorded how it ended."""
    with connection.begin() as transaction:
        waiting = update(requests).where(requests.c.run == run, requests.c.state == "starting")
        connection.execute(waiting.values(state="failed", failure=failure, updated_at=now()))
        rebuild_state.note_failure(connection, name, run, failure)
        commit(transaction)


async def find_latest(database: Database) -> Mapping[str, Rebuild]:
    """Read the state of every projection's latest rebuild, by name: one that was only requested included.

    A rebuild that failed or was interrupted has the reason. Raises UnavailableError.
    """
    found = await rebuild_state.find_all(database)
    for row in await database.read(select(requests).where(requests.c.state != "begun")):
        last = found.get(row.name)
        if row.state == "starting" or last is None or last.state != "running":
            found[row.name] = _as_rebuild(row, last)
    return {name: _with_reason(rebuild) for name, rebuild in found.items()}


def _as_rebuild(row: Any, last: Rebuild | None) -> Rebuild:
    expired = _has_expired(row)
    return Rebuild(
        name=row.name,
        run=row.run,
        version=0,
        code="",
        state="failed" if expired else row.state,
        phase="fill",
        cursor=ReplayCheckpoint(),
        target=0,
        rate=0.0,
        started_at=row.requested_at,
        updated_at=row.updated_at,
        cancelled=row.state == "cancelled",
        failure=_NOT_BEGUN if expired else row.failure,
        report=None if last is None else last.report,
    )


def _with_reason(rebuild: Rebuild) -> Rebuild:
    if rebuild.failure is None and (reason := _REASONS.get(rebuild.state)):
        return msgspec.structs.replace(rebuild, failure=reason)
    return rebuild


def _has_expired(row: Any) -> bool:
    return bool(row.state == "starting" and row.requested_at < _limit(now()))


def _limit(moment: int) -> int:
    return moment - START_LIMIT_SECONDS * 1_000_000
