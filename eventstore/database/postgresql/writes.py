"""A write set as one statement of PostgreSQL: it changes everything if the log is at the expected head, else nothing.

The guard is the UPDATE of the head's row. Every other part depends on the row that it returns. A statement has only the
parts that have rows, and each column's values are one array: there are few texts, and each is prepared once.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Literal

from sqlalchemy import Column, String, Table
from sqlalchemy.dialects import postgresql

from eventstore.database.prepared import Conflict, on_conflict, quoted_names
from eventstore.log.tables import events, key_of, log_head, log_tiles, snapshots
from eventstore.log.write_set import WriteSet
from eventstore.merkle import hashing

_DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
_MOVED = ("position", "recorded_at", "frontier")
#: All of the head, so that one that was tampered with is read and noticed.
_GUARD = (*_MOVED, "tables_revision")
_IF_MOVED = "EXISTS (SELECT FROM head)"

#: What a part of the statement does to its table: delete rows, or insert them, in one of three ways.
_Kind = Conflict | Literal["delete"]


def statement(write_set: WriteSet) -> tuple[str, list[object]]:
    """Return the text that commits a write set, and its arguments. It returns a row if it took place.

    Parts of one statement do not see each other's changes, and no two write the same row.
    """
    head, expected = write_set.head, write_set.expected
    arguments: list[object] = [head.position, head.recorded_at, hashing.pack(head.frontier)]
    arguments += (expected.position, expected.recorded_at, hashing.pack(expected.frontier), expected.tables_revision)
    parts: list[tuple[_Kind, Table]] = []
    for kind, table, rows in _parts(write_set):
        if rows:
            parts.append((kind, table))
            arguments += zip(*rows, strict=True)
    return _text(tuple(parts)), arguments


def _parts(write_set: WriteSet) -> Iterator[tuple[_Kind, Table, Sequence[tuple[Any, ...]]]]:
    yield "", events, write_set.events
    yield "", log_tiles, write_set.tiles
    yield "", snapshots, write_set.snapshots
    for changed in write_set.tables:
        yield "replace", changed.table, changed.set_values()
        yield "add", changed.table, changed.added_values()
        yield "delete", changed.table, [(key,) for key in changed.changes.delete]


@lru_cache(256)
def _text(parts: tuple[tuple[_Kind, Table], ...]) -> str:
    numbers = count(1)

    def parameter(column: Column[Any], suffix: str = "") -> str:
        # A string's length and collation are the column's concern.
        type_ = "TEXT" if isinstance(column.type, String) else column.type.compile(_DIALECT)
        return f"${next(numbers)}::{type_}{suffix}"

    def part(kind: _Kind, table: Table) -> str:
        if kind == "delete":
            chosen = f"{key_of(table).name} = ANY({parameter(key_of(table), '[]')})"
            return " ".join(("DELETE FROM", table.name, "WHERE", chosen, "AND", _IF_MOVED))
        names = ", ".join(quoted_names(table, "postgresql"))
        sent = ", ".join(parameter(column, "[]") for column in table.c)
        source = f"unnest({sent}) AS sent({names}) WHERE {_IF_MOVED}"
        insert = " ".join(("INSERT INTO", table.name, f"({names})", "SELECT", names, "FROM", source))
        return f"{insert} {on_conflict(table, kind, 'postgresql')}"

    moved = ", ".join(f"{name} = {parameter(log_head.c[name])}" for name in _MOVED)
    guard = " AND ".join(f"{name} = {parameter(log_head.c[name])}" for name in _GUARD)
    head = " ".join(("head AS (UPDATE log_head SET", moved, "WHERE id = 1 AND", guard, "RETURNING id)"))
    named = (f"{kind}_{table.name} AS ({part(kind, table)})" for kind, table in parts)
    return " ".join(("WITH", ", ".join((head, *named)), "SELECT id FROM head"))
