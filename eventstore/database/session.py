"""Settings of one session or transaction."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table

from eventstore.errors import UnsupportedEncodingError


def disable_statement_timeout(connection: Connection) -> None:
    """Remove the time limit of this transaction's statements; the service's limits are for requests."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def require_utf8(connection: Connection) -> None:
    """Raise UnsupportedEncodingError where the database cannot store every text. SQLite stores UTF-8."""
    if connection.dialect.name == "postgresql":
        encoding: str = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise UnsupportedEncodingError(encoding)


def allow_async_commit(connection: Connection) -> None:
    """Allow a crash of the database's machine to lose this transaction's commit, since the work can be repeated."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def lock_for_writing(connection: Connection, tables: Iterable[Table]) -> None:
    """Lock tables as a statement that writes to them does, before the transaction takes the append lock.

    Every transaction takes its locks in this order, so that no two wait for each other.
    """
    if connection.dialect.name == "postgresql" and (text := writing_lock(tables)):
        connection.exec_driver_sql(text)


def writing_lock(tables: Iterable[Table]) -> str:
    """Return PostgreSQL's statement for that, an empty text for no tables."""
    names = ", ".join(table.name for table in tables)
    return f"LOCK TABLE {names} IN ROW EXCLUSIVE MODE" if names else ""


def tolerate_invalid_utf8(connection: Connection) -> None:
    """Read invalid UTF-8, which SQLite stores and PostgreSQL refuses, as lone surrogates on this connection."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
