"""A table's rows as they are stored, page by page."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    TypeDecorator,
    bindparam,
    select,
    type_coerce,
)

from eventstore.database.parameters import in_ids, numbers
from projections.projection import key_of
from projections.rebuild.rebuild_state import Sample

#: Rows of one query.
PAGE = 5_000


class _Truth(TypeDecorator[Any]):
    """A boolean as it is stored: SQLite's could be any value, and all but 0 would be read as True."""

    impl = Boolean
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.name == "postgresql":
            return None
        return lambda value: bool(value) if value in (0, 1) else value


def _stored(column: Column[Any]) -> ColumnElement[Any]:
    return type_coerce(column, _Truth()) if isinstance(column.type, Boolean) else column


class Pages:
    """A table's rows, the key first, in its order."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        key = key_of(table)
        rows = select(*(_stored(table.c[name]) for name in columns)).order_by(key)
        self._behind = rows.where(key > bindparam("after")).limit(PAGE)
        self._within = self._behind.where(key <= bindparam("through"))
        self._rows = rows
        self._key = key

    def behind(self, connection: Connection, after: int) -> list[Any]:
        """Give a page of rows, those behind the key `after`."""
        return [tuple(row) for row in connection.execute(self._behind, {"after": after})]

    def within(self, connection: Connection, after: int, through: int) -> list[Any]:
        """Give the rows behind the key `after` up to the key `through`: a page of them at most."""
        return [tuple(row) for row in connection.execute(self._within, {"after": after, "through": through})]

    def of(self, connection: Connection, keys: Sequence[int]) -> list[Any]:
        """Give the rows that have one of `keys`."""
        found = self._rows.where(in_ids(connection, self._key, "keys"))
        return [tuple(row) for row in connection.execute(found, {"keys": numbers(connection, keys)})]


def columns_of(table: Table) -> list[str]:
    """Give the names of a table's columns, the key's first."""
    key = key_of(table)
    return [str(key.name), *(str(column.name) for column in table.columns if column is not key)]


def values_that_differ(
    columns: Sequence[str], key: int, live: Sequence[Any] | None, folded: Sequence[Any] | None
) -> list[Sample]:
    """Give the values in which two rows differ, either of which may not be there: then it is the key that differs."""
    if live is None or folded is None:
        return [Sample(key, columns[0], live and key, folded and key)] if live is not folded else []
    pairs = zip(columns, live, folded, strict=True)
    return [Sample(key, column, theirs, ours) for column, theirs, ours in pairs if theirs != ours]
