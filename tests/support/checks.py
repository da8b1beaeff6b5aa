"""What must hold of a database and of a server, whatever happened to them."""

import json
from typing import Any

from sqlalchemy import text

from eventstore.database.engine import open_database
from eventstore.database.sqlite import SqliteDatabase
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import Server


async def assert_whole(url: str) -> None:
    """Fail where the log, the projection or the database file is not what it must be."""
    database = open_database(url)
    try:
        if isinstance(database, SqliteDatabase):
            assert [row[0] for row in await database.read(text("PRAGMA integrity_check"))] == ["ok"]
        await assert_log_and_projection_agree(database)
    finally:
        await database.dispose()


def assert_stopped_well(server: Server) -> None:
    """Fail where a server that was asked to stop did not within 10 seconds, or complained of anything in its log."""
    output = server.output(10)
    complaints = [line for line in log_lines(output) if line["level"] not in ("debug", "info") and not _is_known(line)]
    assert not complaints, complaints
    assert "Traceback" not in output, output
    assert server.process.returncode == 0, output[-2000:]


def _is_known(line: dict[str, Any]) -> bool:
    """Tell whether a line is what must be said where there are no credentials, as in most tests.

    At the start; and of a client that reset its connection before it was taken: it has no address, so it is not known
    to be on this machine.
    """
    gone = line.get("address") == "unknown" and line.get("code") == "credential-required"
    return gone or str(line["event"]).startswith("authentication is off")


def log_lines(output: str) -> list[dict[str, Any]]:
    """Give the lines of a server's log that are JSON."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
