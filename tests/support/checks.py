"""Invariants of a database and of a server, which hold after any test."""

import json
from typing import Any

from sqlalchemy import text

from eventstore.database.engine import open_database
from eventstore.database.sqlite.database import SqliteDatabase
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import Server


async def assert_whole(url: str) -> None:
    """Fail if the log, a projection or the database file is damaged."""
    database = open_database(url)
    try:
        if isinstance(database, SqliteDatabase):
            assert [row[0] for row in await database.read(text("PRAGMA integrity_check"))] == ["ok"]
        await assert_log_and_projection_agree(database)
    finally:
        await database.dispose()


def assert_stopped_well(server: Server) -> None:
    """Fail if a server that was asked to stop logged a warning or error, or exited with a status other than 0."""
    output = server.output()
    complaints = [line for line in log_lines(output) if line["level"] not in ("debug", "info") and not _is_known(line)]
    assert not complaints, complaints
    assert "Traceback" not in output, output
    assert server.process.returncode == 0, output[-2000:]


def _is_known(line: dict[str, Any]) -> bool:
    """Return whether a line is expected of a service without credentials, as in most tests, and an old SQLite.

    It warns of both at its start. It also refuses a client that reset its connection before it was accepted: such a
    client has no address, so it is not known to be local.
    """
    gone = line.get("address") == "unknown" and line.get("code") == "credential-required"
    return gone or str(line["event"]).startswith(("authentication is off", "this version of SQLite"))


def log_lines(output: str) -> list[dict[str, Any]]:
    """Return the lines of a server's log that are JSON."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
