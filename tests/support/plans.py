"""What a query costs, as the databases tell it: the plans that they make, and the work that they do."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text

import migrations
from eventstore.database.database import Database
from eventstore.database.engine import open_database

#: A statement as it was sent, and its parameters.
Sent = tuple[str, Any]


def is_postgres(database: Database) -> bool:
    """Return whether the database is PostgreSQL."""
    return database.url.get_backend_name() == "postgresql"


async def fill(url: str, filling: Callable[[Connection], None]) -> None:
    """Fill an empty database by `filling`, in one transaction; its schema is brought to head first."""

    def work(connection: Connection) -> None:
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL synchronous_commit = off"))
            filling(connection)

    database = open_database(url, long_running=True)
    await database.write(migrations.upgrade)
    await database.write(work)
    await database.dispose()


def by_sql(statements: Mapping[str, str], *more: str) -> Callable[[Connection], None]:
    """Return what fills a database by the statement for its kind, and `more`."""

    def filling(connection: Connection) -> None:
        for statement in (statements[connection.dialect.name], *more):
            connection.exec_driver_sql(statement)

    return filling


async def analyze(database: Database, table: str) -> None:
    """Let PostgreSQL gather what it can know of a table."""

    def work(connection: Connection) -> None:
        with connection.begin():
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(f"ANALYZE {table}"))

    await database.write(work)


@contextmanager
def statements(database: Database) -> Iterator[list[Sent]]:
    """Collect the statements that reads send inside."""
    sent: list[Sent] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.reader.sync_engine, "before_cursor_execute", note)


async def rows(database: Database, sent: Sent) -> Sequence[Any]:
    """Return SQLite's plan: a row a step, with its number, that of the step it belongs to, and in the end its text."""
    async with database.reader.connect() as connection:
        return (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sent[0]}", sent[1])).all()


async def trees(database: Database, sent: Sent) -> list[dict[str, Any]]:
    """Return PostgreSQL's plans: for these parameters, and what it may freeze_gc for after a few of other values."""
    return [await _explain(database, sent), await _explain_for_any_parameters(database, sent)]


async def _explain(database: Database, sent: Sent, options: str = "") -> dict[str, Any]:
    async with database.reader.connect() as connection:
        found = (await connection.exec_driver_sql(f"EXPLAIN ({options}FORMAT JSON) {sent[0]}", sent[1])).all()
    plan: dict[str, Any] = found[0][0][0]["Plan"]
    return plan


async def _explain_for_any_parameters(database: Database, sent: Sent) -> dict[str, Any]:
    values = ", ".join(f"ARRAY{value}::bigint[]" if isinstance(value, list) else repr(value) for value in sent[1])
    async with database.reader.connect() as connection:
        for statement in ("SET plan_cache_mode = force_generic_plan", f"PREPARE asked AS {sent[0]}"):
            await connection.exec_driver_sql(statement)
        executed = f"EXECUTE asked({values})" if sent[1] else "EXECUTE asked"
        found = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {executed}")).all()
        for statement in ("DEALLOCATE asked", "RESET plan_cache_mode"):
            await connection.exec_driver_sql(statement)
    plan: dict[str, Any] = found[0][0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a tree's nodes, the root first."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def work(database: Database, sent: Sent, table: str) -> dict[str, int]:
    """Count what a query does: rows of `table` looked at, and blocks on PostgreSQL; on SQLite steps of its machine."""
    if not is_postgres(database):
        return {"steps": _steps(Path(database.url.database or ""), sent)}
    plan = await _explain(database, sent, "ANALYZE, BUFFERS, ")
    looked_at = 0
    for scan in nodes(plan):
        if scan.get("Relation Name") == table:
            removed = sum(count for name, count in scan.items() if name.startswith("Rows Removed"))
            looked_at += int(scan["Actual Rows"] + removed) * scan["Actual Loops"]
    return {"rows": looked_at, "blocks": plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]}


def _steps(path: Path, sent: Sent) -> int:
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(count, 1)
        connection.execute(*sent).fetchall()
    return counted
