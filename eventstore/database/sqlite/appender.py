"""Reads, decides and commits on SQLite, in one transaction that holds the append lock from its beginning."""

import sqlite3
from typing import Any, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection

from eventstore.database.failures import commit
from eventstore.database.sqlite.writes import make_texts, statements
from eventstore.log import past as reading
from eventstore.log.head import of_row
from eventstore.log.past import Needs, Past
from eventstore.log.write_set import Decide, Projector

T = TypeVar("T")


def append(connection: Connection, needs: Needs, decide: Decide[T], projector: Projector) -> T:
    """See Database.append. Statements run on the driver's cursor, which caches them by their texts."""
    driver: Any = connection.connection.driver_connection
    while (decided := _try(driver, needs, decide, projector)) is None:
        projector.refresh(connection)
        make_texts(projector.tables)
    return decided[0]


def _try(driver: sqlite3.Connection, needs: Needs, decide: Decide[T], projector: Projector) -> tuple[T] | None:
    """Append, or return None, with nothing done, where `projector` does not know the current tables."""
    cursor = driver.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        past = _read(cursor, needs)
        if past.head.tables_revision != projector.revision:
            driver.rollback()
            return None
        write_set, result = decide(past)
        if write_set is None:
            driver.rollback()
            return (result,)
        for statement, parameters in statements(write_set):
            cursor.execute(statement, parameters)
        commit(driver)
    except BaseException:
        driver.rollback()  # does nothing where SQLite has rolled back
        raise
    return (result,)


def _read(cursor: sqlite3.Cursor, needs: Needs) -> Past:
    if not needs:
        return Past(of_row(*cursor.execute(reading.head_statement("sqlite").text, _HEAD).fetchone()))
    statement = reading.past_statement("sqlite")
    rows = cursor.execute(statement.text, statement.arguments(reading.parameters("sqlite", needs))).fetchall()
    past, statement = reading.of_rows(rows), reading.result_statement("sqlite")
    results = {
        event.position: reading.stream_of(
            cursor.execute(statement.text, statement.arguments(reading.result_parameters("sqlite", event))).fetchall()
        )
        for event in past.missing()
    }
    return replace(past, results=results) if results else past


_HEAD = reading.head_statement("sqlite").arguments({})
