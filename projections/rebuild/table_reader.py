"""Reads a table's rows as they are stored, page by page."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, Connection, Dialect, Table, TypeDecorator, bindparam, select
from sqlalchemy import type_coerce as coerce

from eventstore.database.parameters import in_ids, numbers
from eventstore.log.tables import key_of
from projections.rebuild.rebuild_state import Sample

#: Rows of one query.
PAGE = 5_000


class _StoredBoolean(TypeDecorator[Any]):
    """A boolean as it is stored: SQLite can store any value, and SQLAlchemy reads every value but 0 as True."""

    impl = Boolean
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.name == "postgresql":
            return None
        return lambda value: bool(value) if value in (0, 1) else value


def _stored(column: Column[Any]) -> ColumnElement[Any]:
    return coerce(column, _StoredBoolean()) if isinstance(column.type, Boolean) else column


class Pages:
    """A table's rows, the key first, in the order of keys."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._key = key = key_of(table)
        self._rows = select(*(_stored(table.c[name]) for name in columns)).order_by(key)
        self._behind = self._rows.where(key > bindparam("after")).limit(PAGE)

    def behind(self, connection: Connection, after: int) -> list[Any]:
        """Read a page of rows, those behind the key `after`."""
        return [tuple(row) for row in connection.execute(self._behind, {"after": after})]

    def of(self, connection: Connection, keys: Sequence[int]) -> list[Any]:
        """Read the rows that have one of `keys`."""
        matching = self._rows.where(in_ids(connection, self._key, "keys"))
        return [tuple(row) for row in connection.execute(matching, {"keys": numbers(connection, keys)})]


def columns_of(table: Table) -> list[str]:
    """Return the names of a table's columns, the key's first."""
    key = key_of(table)
    return [str(key.name), *(str(column.name) for column in table.columns if column is not key)]


def values_that_differ(
    columns: Sequence[str], key: int, live: Sequence[Any] | None, folded: Sequence[Any] | None
) -> list[Sample]:
    """Return the values in which two rows differ. Where only one of the rows exists, the key differs."""
    if live is None or folded is None:
        return [Sample(key, columns[0], live and key, folded and key)] if live is not folded else []
    pairs = zip(columns, live, folded, strict=True)
    return [Sample(key, column, theirs, ours) for column, theirs, ours in pairs if theirs != ours]
