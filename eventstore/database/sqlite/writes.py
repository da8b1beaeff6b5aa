"""A write set as statements of SQLite: one of many rows for each table.

In an executemany the driver releases the GIL and takes it back for every row, and each time may wait for the event
loop's thread. A statement of many rows does so once.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain, product
from typing import Any

from sqlalchemy import Table

from eventstore.database.parameters import id_values
from eventstore.database.prepared import Conflict, on_conflict, quoted_names
from eventstore.log.tables import can_add, events, key_of, log_tiles, snapshots
from eventstore.log.write_set import Values, WriteSet
from eventstore.merkle import hashing

#: The most rows of one statement.
MAX_ROWS = 64

_MOVE_HEAD = "UPDATE log_head SET position = ?, recorded_at = ?, frontier = ? WHERE id = 1"

Statement = tuple[str, Sequence[Any]]


def statements(write_set: WriteSet) -> Iterator[Statement]:
    """Return the statements that write `write_set`, and their parameters.

    They run in a transaction that has read the head `write_set.expected` under the append lock.
    """
    head = write_set.head
    yield _MOVE_HEAD, (head.position, head.recorded_at, hashing.pack(head.frontier))
    yield from insert(events, write_set.events)
    yield from insert(log_tiles, write_set.tiles)
    yield from insert(snapshots, write_set.snapshots)
    for changed in write_set.tables:
        table, changes = changed.table, changed.changes
        yield from insert(table, changed.set_values(), "replace")
        yield from insert(table, changed.added_values(), "add")
        if changes.delete:
            yield _delete(table), (id_values("sqlite", changes.delete),)


def insert(table: Table, rows: Sequence[Values], conflict: Conflict = "") -> Iterator[Statement]:
    """Return the statements that insert `rows`."""
    for start in range(0, len(rows), MAX_ROWS):
        portion = rows[start : start + MAX_ROWS]
        yield _insert(table, len(portion), conflict), tuple(chain.from_iterable(portion))


def make_texts(tables: Iterable[Table]) -> None:
    """Make the texts of all statements for the log and `tables`, so that none is made while a batch runs."""
    kinds: list[tuple[Table, Conflict]] = [(table, "") for table in (events, log_tiles, snapshots)]
    for table in tables:
        kinds += [(table, "replace"), (table, "add")] if can_add(table) else [(table, "replace")]
        _delete(table)
    for (table, conflict), rows in product(kinds, range(1, MAX_ROWS + 1)):
        _insert(table, rows, conflict)


@lru_cache(2048)
def _insert(table: Table, rows: int, conflict: Conflict) -> str:
    values = f"({', '.join('?' * len(table.c))})"
    names = ", ".join(quoted_names(table, "sqlite"))
    many = ", ".join([values] * rows)
    return " ".join(("INSERT INTO", table.name, f"({names})", "VALUES", many, on_conflict(table, conflict, "sqlite")))


@cache
def _delete(table: Table) -> str:
    return " ".join(("DELETE FROM", table.name, "WHERE", key_of(table).name, "IN (SELECT value FROM json_each(?))"))
