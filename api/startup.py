"""The start of a process that uses a database, and its stop after a failure. Neither needs the HTTP framework."""

import os
import signal
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from time import sleep

import structlog

import migrations
from eventstore.clock import faults as clock_faults
from eventstore.clock import now
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.database.postgresql.database import PostgresDatabase
from eventstore.database.sqlite.checkpoints import has_wal_reset_bug
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.log.event_type_check import check_types
from eventstore.log.head import read_head
from migrations import triggers
from migrations.rights import ConnectedRole, connected_role

log = structlog.get_logger()

#: How long a process may take to stop after its parent was killed. A graceful stop takes less than 10 s.
_STOP_SECONDS = 15.0


class StartError(Exception):
    """The process refuses to start; the message says why, and what to do."""


@asynccontextmanager
async def served(url: str, *, insecure_role: bool, accept_clock: bool) -> AsyncIterator[Database]:
    """Provide the database that this process serves, checked as by `prepare`, `check_role` and `check_clock`.

    Raises AlreadyServedError.
    """
    database = open_database(url)
    try:
        async with database.serving():
            await prepare(database)
            if (role := await check_role(database, insecure_role=insecure_role)) is not None:
                log.warning(
                    "the service's role could rewrite the history; see docs/operations.md",
                    role=role.name,
                    reasons=role.reasons,
                )
            await check_clock(database, accept=accept_clock)
            _warn_of_old_sqlite(database)
            _warn_of_open_file(database)
            yield database
    finally:
        await database.dispose()


def _warn_of_open_file(database: Database) -> None:
    if isinstance(database, SqliteDatabase) and Path(database.url.database or "").stat().st_mode & stat.S_IROTH:
        log.warning("every user of this machine can read the database's file; chmod o= it while the service is stopped")


def _warn_of_old_sqlite(database: Database) -> None:
    if isinstance(database, SqliteDatabase) and has_wal_reset_bug():
        log.warning(
            "this version of SQLite can corrupt a database that two connections write to; see docs/operations.md",
            sqlite_version=sqlite3.sqlite_version,
            fixed_in="3.51.3, 3.50.7, 3.44.6",
        )


async def prepare(database: Database) -> None:
    """Check that the database can be served from. Upgrades an SQLite file's schema to head, which nothing else does.

    Raises UnavailableError, UnsafeDatabaseError, UnsupportedEncodingError, UnreadableLogError where the log has event
    types that this version does not support, and StartError where a PostgreSQL schema is not at head, or triggers are
    not in place.
    """
    if isinstance(database, SqliteDatabase):
        await database.write(migrations.upgrade)
        await database.check()
    else:
        await database.check()
        _require_head(await database.write(migrations.current))
    if faults := await database.read_transaction(triggers.faults):
        raise StartError(
            f"The triggers that keep history from being changed are not in place: {', '.join(faults)}. Find out who "
            "changed them, run `itemledger verify log`, then `itemledger migrate`, which restores them."
        )
    await check_types(database)


async def check_role(database: Database, *, insecure_role: bool) -> ConnectedRole | None:
    """Return the role of this process if it could rewrite history, which an operator with one role may accept.

    Raises StartError where the service has a role that cannot, unless `insecure_role`.
    """
    if not isinstance(database, PostgresDatabase):
        return None
    role = await database.run_isolated(connected_role)
    if role.risks and role.separate and not insecure_role:
        raise StartError(
            f"The role {role.name} could change more than the service needs to: {role.reasons}. Connect as the role "
            "that `itemledger migrate --grant` prepared, or set ITEMLEDGER_INSECURE_ROLE=true."
        )
    return role if role.risks else None


async def check_clock(database: Database, *, accept: bool, clock: Callable[[], int] = now) -> None:
    """Raise StartError where the clock is far from the database server's or the last event's. See `clock.faults`."""
    head = await database.read_transaction(read_head)
    faults = clock_faults(clock(), await database.server_time(), head.recorded_at)
    if faults and not accept:
        raise StartError(
            f"The clock seems wrong: {' and '.join(faults)}. Time in the log never goes back, so one event at a wrong "
            "time would date all later ones. Set the clock right, or start once with --accept-clock."
        )


class Failure:
    """Whether this process stops because it failed."""

    happened = False

    @classmethod
    def stop(cls) -> None:
        """Stop this process gracefully, and let it end with a status that its supervisor takes as a failure."""
        cls.happened = True
        os.kill(os.getpid(), signal.SIGTERM)


def stop_when(wait_for_parent: Callable[[], object]) -> None:
    """Stop this process gracefully when `wait_for_parent` returns; kill it where it does not stop in time.

    A process whose parent was killed would otherwise keep the port, or a rebuild's lock.
    """

    def stop() -> None:
        wait_for_parent()
        os.kill(os.getpid(), signal.SIGTERM)
        sleep(_STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=stop, name="itemledger-parent", daemon=True).start()


async def check_schema(database: Database) -> None:
    """Raise StartError where the schema is not at head. Only reads, on a connection of its own."""
    _require_head(await database.run_isolated(migrations.current))


def _require_head(revision: str | None) -> None:
    head = migrations.head()
    if revision != head:
        found = "The database has no schema" if revision is None else f"The database schema is at revision {revision}"
        raise StartError(f"{found}; this version needs {head}. Run `itemledger migrate`.")
