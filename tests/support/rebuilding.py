"""Rebuilds under test: a log to replay, `itemledger rebuild` as a process, and what the database knows of it."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import text

from eventstore.database import table_swap
from eventstore.database.database import Database
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild_state import Rebuild
from tests.eventstore.recording import changed, created, execute, opened, record
from tests.support.service import ITEMLEDGER, outer_environment

T = TypeVar("T")

#: Events in the log: more than a rebuild leaves for its last step.
EVENTS = 1000
#: Events a second, so that a rebuild of them takes some seconds, and can be met on its way.
SLOWLY = ("--throttle", "200")
#: Makes a rebuild swap its table in: it takes the live one for that of another version, whose columns are the same.
OF_ANOTHER_VERSION = (
    "UPDATE projections SET version = version - 1",
    "UPDATE log_head SET tables_revision = tables_revision + 1",
)
#: An event that no version of the code knows.
UNKNOWN_EVENT = (
    "INSERT INTO events SELECT position + 1, position + 1, 1, 'item.painted.v1', '{}', recorded_at, actor, NULL, "
    "'painted', 0, fingerprint, NULL, NULL, leaf_hash FROM events ORDER BY position DESC LIMIT 1"
)


async def fill(database: Database) -> None:
    """Put EVENTS events of half as many items into an empty log."""
    items = range(1, EVENTS // 2 + 1)
    await record(database, [*map(created, items), *(changed(item, 2) for item in items)])


async def run_sql(url: str, *statements: str) -> None:
    """Change a database without the service."""
    async with opened(url) as database:
        await execute(database, *statements)


async def price_of(url: str, item_id: int) -> int | None:
    """Read an item's price from its row, in ten-thousandths."""
    async with opened(url) as database:
        rows = await database.read(text("SELECT price FROM items WHERE id = :id"), {"id": item_id})
        return rows[0][0] if rows else None


async def known_of(url: str, name: str = "items") -> Rebuild | None:
    """Read what is known of the last rebuild."""
    async with opened(url) as database:
        return (await rebuild_state.find_all(database)).get(name)


async def leftovers(url: str) -> list[str]:
    """Return the names of tables that a rebuild of items has left beside the one that serves."""
    async with opened(url) as database:
        names = ("items_rebuild", "items_replaced")
        return await database.read_transaction(
            lambda connection: [n for n in names if table_swap.exists(connection, n)]
        )


def rebuild(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `itemledger rebuild items` to its end."""
    with rebuilding(url, *arguments) as process:
        output, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def rebuilding(url: str, *arguments: str) -> AbstractContextManager["subprocess.Popen[str]"]:
    """Start `itemledger rebuild items`, and kill it at the end if it still runs."""
    return running(url, "rebuild", "items", *arguments)


@contextmanager
def running(url: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Start `itemledger` with `arguments`, and kill it at the end if it still runs."""
    process = subprocess.Popen(
        [ITEMLEDGER, *arguments],
        env={**outer_environment(), "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def report_of(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Return the report of a run with --json."""
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["report"]
    return report


async def under_way(url: str) -> Rebuild:
    """Wait until a rebuild of items has come some way, and knows its rate; return how far."""

    async def is_there() -> Rebuild | None:
        known = await known_of(url)
        return known if known and known.state == "running" and known.rate else None

    return await until(is_there)


async def until(find: Callable[[], Awaitable[T | None]], seconds: float = 300) -> T:
    """Return what `find` gives, as soon as it is something."""
    deadline = monotonic() + seconds
    while not (found := await find()):
        assert monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)
    return found
