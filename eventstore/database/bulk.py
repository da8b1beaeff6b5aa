"""Write many rows with one statement."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.util import await_only

Rows = Sequence[Mapping[str, object]]

#: The most rows in one statement on SQLite; a power of two.
_MAX_STATEMENT_ROWS = 64
_SQLITE = sqlite.dialect()
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows`, each with all columns, into `table`; overwrite rows that have the same primary key."""
    insert(connection, table, rows, overwrite=True)


def bulk_insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert many `rows`, each with all columns, none binary, in the fastest way. Raises the driver's errors."""
    names = table.c.keys()
    records = map(itemgetter(*names), rows)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        await_only(driver.copy_records_to_table(table.name, records=records, columns=names))
    else:
        # One statement, so that other threads have the GIL all the while.
        connection.exec_driver_sql(_sqlite_copy(table), (msgspec.json.encode(list(records)).decode(),))


@lru_cache
def _sqlite_copy(table: Table) -> str:
    values = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(table.c)))
    names = ", ".join(table.c.keys())
    return " ".join(("INSERT INTO", table.name, f"({names})", "SELECT", values, "FROM json_each(?)"))


def insert(connection: Connection, table: Table, rows: Rows, *, overwrite: bool = False) -> None:
    """Insert `rows`, each with all columns, into `table`. Raises sqlalchemy.exc.IntegrityError."""
    if not rows:
        return
    names = table.c.keys()
    values = list(map(itemgetter(*names), rows))
    if connection.dialect.name == "postgresql":
        # One array a column, so that the statement's text does not depend on the number of rows.
        columns = dict(zip(names, zip(*values, strict=True), strict=True))
        connection.execute(_postgresql_statement(table, overwrite), columns)
        return
    # In an executemany the driver releases the GIL and takes it back for every row, and each time may wait for the
    # event loop's thread. One statement of many rows does so once.
    start = 0
    while start < len(values):
        size = min(1 << (len(values) - start).bit_length() - 1, _MAX_STATEMENT_ROWS)
        portion = tuple(chain.from_iterable(values[start : start + size]))
        connection.exec_driver_sql(_sqlite_text(table, overwrite, size), portion)
        start += size


@lru_cache
def _postgresql_statement(table: Table, overwrite: bool) -> Any:
    arrays = [bindparam(c.name, type_=postgresql.ARRAY(c.type.dialect_impl(_POSTGRESQL))) for c in table.c]
    rows = func.unnest(*arrays).table_valued(*(column(c.name, c.type) for c in table.c)).render_derived("sent")
    return _with_upsert(postgresql.insert(table).from_select(table.c.keys(), select(rows)), table, overwrite)


@lru_cache
def _sqlite_text(table: Table, overwrite: bool, size: int) -> str:
    """Return the SQL that writes `size` rows. Sizes are powers of two, so that there are few texts."""
    placeholders = [dict.fromkeys(table.c.keys())] * size
    statement = _with_upsert(sqlite.insert(table).values(placeholders), table, overwrite)
    return str(statement.compile(dialect=_SQLITE))


def _with_upsert(statement: Any, table: Table, overwrite: bool) -> Any:
    if not overwrite:
        return statement
    new = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)
