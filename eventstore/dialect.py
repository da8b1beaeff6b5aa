"""Writing many rows at once, which the two databases want otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Table, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.selectable import TableValuedAlias

Rows = Sequence[Mapping[str, object]]

#: The most rows in one statement on SQLite; a power of two.
_MOST_ROWS = 64
_SQLITE = sqlite.dialect()
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def each_number(dialect: str, parameter: str) -> TableValuedAlias:
    """Give a table with one column, `value`, of the numbers that `numbers` makes the value of `parameter`.

    Joined to, it is one statement for any count of them, and each is looked up by itself.
    """
    if dialect == "postgresql":
        array = bindparam(parameter, type_=postgresql.ARRAY(BigInteger))
        return func.unnest(array).table_valued(column("value", BigInteger)).render_derived("wanted")
    return func.json_each(bindparam(parameter)).table_valued(column("value", Integer), name="wanted")


def numbers(connection: Connection, values: Iterable[int]) -> list[int] | str:
    """Give what a parameter of `each_number` takes."""
    listed = sorted(values)
    return listed if connection.dialect.name == "postgresql" else f"[{','.join(map(str, listed))}]"


def insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows`, each with all columns, into `table`. Raises sqlalchemy.exc.IntegrityError."""
    _write(connection, table, rows, overwrite=False)


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows`, each with all columns, into `table`, or overwrite those whose primary key is there."""
    _write(connection, table, rows, overwrite=True)


def _write(connection: Connection, table: Table, rows: Rows, *, overwrite: bool) -> None:
    if connection.dialect.name == "postgresql":
        names = table.c.keys()
        # One array a column: the server is sent one statement, however many the rows.
        columns = {name: [row[name] for row in rows] for name in names}
        connection.execute(_postgresql_statement(table, overwrite), columns)
        return
    # The driver gives the interpreter's lock away and takes it back for every row of an executemany, and each time may
    # wait for the event loop's thread. One statement of many rows does so once.
    names = table.c.keys()
    start = 0
    while start < len(rows):
        size = min(1 << (len(rows) - start).bit_length() - 1, _MOST_ROWS)
        values = tuple(row[name] for row in rows[start : start + size] for name in names)
        connection.exec_driver_sql(_sqlite_text(table, overwrite, size), values)
        start += size


@lru_cache
def _postgresql_statement(table: Table, overwrite: bool) -> Any:
    arrays = [bindparam(c.name, type_=postgresql.ARRAY(c.type.dialect_impl(_POSTGRESQL))) for c in table.c]
    rows = func.unnest(*arrays).table_valued(*(column(c.name, c.type) for c in table.c)).render_derived("sent")
    return _upserting(postgresql.insert(table).from_select(table.c.keys(), select(rows)), table, overwrite)


@lru_cache
def _sqlite_text(table: Table, overwrite: bool, size: int) -> str:
    """Give the text that writes `size` rows. Sizes are powers of two, so that there are few texts."""
    placeholders = [dict.fromkeys(table.c.keys())] * size
    statement = _upserting(sqlite.insert(table).values(placeholders), table, overwrite)
    return str(statement.compile(dialect=_SQLITE))


def _upserting(statement: Any, table: Table, overwrite: bool) -> Any:
    if not overwrite:
        return statement
    new = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)
