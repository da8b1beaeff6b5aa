"""A write set as one statement of PostgreSQL: it changes everything if the log is at the expected head, else nothing.

The guard is the UPDATE of the head's row. Every other part depends on the row that it returns. Rows are sent as one
array per column, so the text is the same for any number of rows.
"""

# ruff: noqa: S608  (every name in the text is the code's own)
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from sqlalchemy import Column, String, Table
from sqlalchemy.dialects import postgresql

from eventstore.log.tables import can_add, events, key_of, log_head, log_tiles, snapshots
from eventstore.log.write_set import Values, WriteSet
from eventstore.merkle import hashing

_DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
_MOVED = ("position", "recorded_at", "frontier")
#: All of the head, so that one that was tampered with is read and noticed.
_GUARD = (*_MOVED, "tables_revision")
_IF_MOVED = "EXISTS (SELECT FROM head)"


@lru_cache(64)
def statement(tables: tuple[Table, ...]) -> str:
    """Return the text that commits a write set of projections with `tables`. It returns a row if it took place.

    Parts of one statement do not see each other's changes, and no table has two that write the same row.
    """
    return f"WITH {', '.join(_parts(tables))} SELECT id FROM head"


def arguments(write_set: WriteSet) -> list[object]:
    """Return the values of the statement's parameters."""
    head, expected = write_set.head, write_set.expected
    values: list[object] = [head.position, head.recorded_at, hashing.pack(head.frontier)]
    values += (expected.position, expected.recorded_at, hashing.pack(expected.frontier), expected.tables_revision)
    for table, rows in ((events, write_set.events), (log_tiles, write_set.tiles), (snapshots, write_set.snapshots)):
        values += _arrays(table, rows)
    for changed in write_set.tables:
        table, changes = changed.table, changed.changes
        values += _arrays(table, changed.set_values())
        values.append(list(changes.delete))
        if can_add(table):
            values += _arrays(table, changed.added_values())
    return values


def _arrays(table: Table, rows: Sequence[Values]) -> Iterable[Sequence[object]]:
    return zip(*rows, strict=True) if rows else [()] * len(table.c)


def _parts(tables: Iterable[Table]) -> Iterator[str]:
    numbers = count(1)

    def parameter(column: Column[Any], suffix: str = "") -> str:
        # A string's length and collation are the column's concern.
        type_ = "TEXT" if isinstance(column.type, String) else column.type.compile(_DIALECT)
        return f"${next(numbers)}::{type_}{suffix}"

    def insert(table: Table) -> str:
        names = ", ".join(map(_quoted, table.c))
        sent = ", ".join(parameter(column, "[]") for column in table.c)
        source = f"unnest({sent}) AS sent({names}) WHERE {_IF_MOVED}"
        return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {source}"

    moved = ", ".join(f"{name} = {parameter(log_head.c[name])}" for name in _MOVED)
    guard = " AND ".join(f"{name} = {parameter(log_head.c[name])}" for name in _GUARD)
    yield f"head AS (UPDATE log_head SET {moved} WHERE id = 1 AND {guard} RETURNING id)"
    for table in (events, log_tiles, snapshots):
        yield f"new_{table.name} AS ({insert(table)})"
    for table in tables:
        name, key = table.name, _quoted(key_of(table))
        others = [_quoted(column) for column in table.c if not column.primary_key]
        new = ", ".join(f"{other} = excluded.{other}" for other in others)
        yield f"set_{name} AS ({insert(table)} ON CONFLICT ({key}) DO UPDATE SET {new})"
        deleted = f"{key} = ANY({parameter(key_of(table), '[]')}) AND {_IF_MOVED}"
        yield f"deleted_{name} AS (DELETE FROM {name} WHERE {deleted})"
        if can_add(table):
            sums = ", ".join(f"{other} = {name}.{other} + excluded.{other}" for other in others)
            yield f"added_{name} AS ({insert(table)} ON CONFLICT ({key}) DO UPDATE SET {sums})"


def _quoted(column: Column[Any]) -> str:
    return str(_DIALECT.identifier_preparer.quote(column.name))
