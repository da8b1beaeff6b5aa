"""Write many rows with one statement."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.util import await_only

from eventstore.database.parameters import in_ids, numbers
from eventstore.database.prepared import Conflict
from eventstore.database.sqlite import writes as sqlite_writes
from eventstore.log.tables import key_of

Rows = Sequence[Mapping[str, object]]

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows`, each with all columns, into `table`; overwrite rows that have the same primary key."""
    insert(connection, table, rows, conflict="replace")


def add(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows` of numbers, each with all columns, into `table`; add to rows that have the same primary key."""
    insert(connection, table, rows, conflict="add")


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


def insert(connection: Connection, table: Table, rows: Rows, *, conflict: Conflict = "") -> None:
    """Insert `rows`, each with all columns, into `table`. Raises sqlalchemy.exc.IntegrityError."""
    if not rows:
        return
    names = table.c.keys()
    values = list(map(itemgetter(*names), rows))
    if connection.dialect.name == "postgresql":
        # One array a column, so that the statement's text does not depend on the number of rows.
        columns = dict(zip(names, zip(*values, strict=True), strict=True))
        connection.execute(_postgresql_statement(table, conflict), columns)
        return
    for statement, parameters in sqlite_writes.insert(table, values, conflict):
        connection.exec_driver_sql(statement, tuple(parameters))


@lru_cache
def _postgresql_statement(table: Table, conflict: Conflict) -> Any:
    arrays = [bindparam(c.name, type_=postgresql.ARRAY(c.type.dialect_impl(_POSTGRESQL))) for c in table.c]
    rows = func.unnest(*arrays).table_valued(*(column(c.name, c.type) for c in table.c)).render_derived("sent")
    statement = postgresql.insert(table).from_select(table.c.keys(), select(rows))
    if not conflict:
        return statement
    sent = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    new = {name: table.c[name] + value for name, value in sent.items()} if conflict == "add" else sent
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)


def copy_rows(connection: Connection, source: Table, target: Table, keys: Sequence[int]) -> None:
    """Insert the rows of `source` that have one of `keys` into `target`; overwrite rows that have the same key.

    Columns that only `target` has keep their values, and get their defaults in new rows.
    """
    build: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = build(target).from_select(
        source.c.keys(), select(source).where(in_ids(connection, key_of(source), "keys"))
    )
    new = {c.name: statement.excluded[c.name] for c in source.c if not c.primary_key}
    replacing = statement.on_conflict_do_update(index_elements=[key_of(target)], set_=new)
    connection.execute(replacing, {"keys": numbers(connection, keys)})
