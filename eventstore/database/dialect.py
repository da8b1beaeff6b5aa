"""Writing many rows at once, which the two databases want otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Table,
    Text,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.util import await_only

Rows = Sequence[Mapping[str, object]]
T = TypeVar("T")

#: The most rows in one statement on SQLite; a power of two.
_MOST_ROWS = 64
_PAIR = ("first", "second")
_SQLITE = sqlite.dialect()
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def unnest_ids(dialect: str, parameter: str) -> TableValuedAlias:
    """Give a table with one column, `value`, of the numbers that `numbers` makes the value of `parameter`.

    Joined to, it is one statement for any count of them, and each is looked up by itself.
    """
    if dialect == "postgresql":
        array = bindparam(parameter, type_=postgresql.ARRAY(BigInteger))
        return func.unnest(array).table_valued(column("value", BigInteger)).render_derived("wanted")
    return func.json_each(bindparam(parameter)).table_valued(column("value", Integer), name="wanted")


def numbers(connection: Connection | AsyncEngine, values: Iterable[int]) -> list[int] | str:
    """Give what a parameter of `unnest_ids` or in_ids takes."""
    listed = sorted(values)
    return listed if connection.dialect.name == "postgresql" else f"[{','.join(map(str, listed))}]"


def unnest_pairs(dialect: str, parameter: str) -> FromClause:
    """Give a table with the columns `first` and `second`, of the pairs that `pairs` makes the values of parameters."""
    if dialect == "postgresql":
        arrays = (bindparam(f"{parameter}_{name}", type_=postgresql.ARRAY(BigInteger)) for name in _PAIR)
        return func.unnest(*arrays).table_valued(*(column(name, BigInteger) for name in _PAIR)).render_derived("wanted")
    sent = func.json_each(bindparam(parameter)).table_valued(column("value"))
    halves = (func.json_extract(sent.c.value, f"$[{place}]") for place in range(2))
    return select(*(half.label(name) for half, name in zip(halves, _PAIR, strict=True))).subquery("wanted")


def pairs(connection: Connection, parameter: str, values: Sequence[tuple[int, int]]) -> dict[str, object]:
    """Give the parameters of `unnest_pairs`."""
    if connection.dialect.name == "postgresql":
        return {f"{parameter}_{name}": list(half) for name, half in zip(_PAIR, zip(*values, strict=True), strict=True)}
    return {parameter: msgspec.json.encode(values).decode()}


def in_ids(connection: Connection, column: ColumnElement[int], parameter: str) -> ColumnElement[bool]:
    """Tell whether `column` is one of the numbers that `numbers` makes the value of `parameter`: any count of them."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(parameter, type_=postgresql.ARRAY(BigInteger)))
    return column.in_(select(unnest_ids("sqlite", parameter).c.value))


def lateral_lookup(
    dialect: str, table: FromClause, condition: ColumnElement[bool]
) -> tuple[FromClause, ColumnElement[bool]]:
    """Give what to join, and on what, so that an index finds by `condition` what of `table` belongs to each row before.

    PostgreSQL can't know how little that is. Left to itself it may read all of the table instead, and compare.
    """
    if dialect == "postgresql":
        return select(table).where(condition).offset(0).lateral(), true()  # the offset keeps it a query of its own
    return table, condition


def no_index(column: ColumnElement[T]) -> ColumnElement[T]:
    """Give the value of `column` as no index has it, for a condition that rows are to be held against one by one.

    Else a planner may take the index of that column for the one that leads to fewer rows, and be wrong.
    """
    nothing = "''" if isinstance(column.type, Text) else "0"
    return column + literal_column(nothing, column.type)


class contains(FunctionElement[bool]):  # noqa: N801  (a function of SQL)
    """Whether the first text has the second in it, byte for byte: `contains(column, part)`.

    LIKE, and PostgreSQL's search in text, go back for every character of a part that nearly matches everywhere, and one
    request could keep a connection for seconds. A search in bytes compares memory, which takes a hundredth of that.
    """

    inherit_cache = True
    type = Boolean()


@compiles(contains, "sqlite")
def _contains_on_sqlite(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    whole, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"instr({whole}, {part}) > 0"


@compiles(contains, "postgresql")
def _contains_on_postgresql(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    whole, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"position(convert_to({part}, 'UTF8') IN convert_to({whole}, 'UTF8')) > 0"


class between(FunctionElement[bool]):  # noqa: N801  (a function of SQL)
    """Whether a row is of the part of an index that lies between two of its places, neither included.

    `between(*columns, *values, after, before)`: all columns but the last have those values, and the last is behind
    `after` and before `before`. Rows are to be sorted by all columns.

    PostgreSQL is asked with all columns at once: to columns that can have one value only it would prefer any index that
    has the last one. SQLite enters an index that ends in the row's own number by that number only where the columns
    before it are asked for one by one.
    """

    inherit_cache = True
    # Not Boolean: SQLAlchemy would compare it with 1 where a database has no booleans, and no index knows that.


def _parts_of_between(element: between, compiler: SQLCompiler, options: Any) -> tuple[list[str], list[str], str, str]:
    *clauses, after, before = (compiler.process(clause, **options) for clause in element.clauses)
    count = len(clauses) // 2 + 1
    return clauses[:count], clauses[count:], after, before


@compiles(between, "sqlite")
def _between_on_sqlite(element: between, compiler: SQLCompiler, **options: Any) -> str:
    columns, values, after, before = _parts_of_between(element, compiler, options)
    equal = (f"{column} = {value}" for column, value in zip(columns, values, strict=False))
    return " AND ".join([*equal, f"{columns[-1]} > {after}", f"{columns[-1]} < {before}"])


@compiles(between, "postgresql")
def _between_on_postgresql(element: between, compiler: SQLCompiler, **options: Any) -> str:
    columns, values, after, before = _parts_of_between(element, compiler, options)
    place = f"({', '.join(columns)})"
    return f"{place} > ({', '.join([*values, after])}) AND {place} < ({', '.join([*values, before])})"


class concat_rows(FunctionElement[str]):  # noqa: N801  (a function of SQL)
    """One text of all rows, in their order, with commas between them: `concat_rows(template, column, ...)`.

    `template` has a `%s` for each column, and no quote.
    """

    inherit_cache = True
    type = Text()

    def __init__(self, template: str, *columns: ColumnElement[Any]) -> None:
        super().__init__(literal_column(f"'{template}'"), *columns)


@compiles(concat_rows, "sqlite")
def _joined_on_sqlite(element: concat_rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"group_concat(printf({compiler.process(element.clauses, **options)}))"


@compiles(concat_rows, "postgresql")
def _joined_on_postgresql(element: concat_rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"string_agg(format({compiler.process(element.clauses, **options)}), ',')"


def disable_statement_timeout(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they need; the service's limits are for requests."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def tolerate_invalid_utf8(connection: Connection) -> None:
    """Let this connection read texts that are not UTF-8: what is wrong in them as lone surrogates.

    SQLite keeps whatever bytes its file has. PostgreSQL takes nothing else than UTF-8.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")


def allow_async_commit(connection: Connection) -> None:
    """Let this transaction's commit be lost in a crash of the database's machine, since it can be done again."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows`, each with all columns, into `table`. Raises sqlalchemy.exc.IntegrityError."""
    _write(connection, table, rows, overwrite=False)


def bulk_insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert many `rows`, each with all columns, none of them binary, the quickest way there is.

    Raises what the driver does.
    """
    names = table.c.keys()
    records = map(itemgetter(*names), rows)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        await_only(driver.copy_records_to_table(table.name, records=records, columns=names))
    else:
        # One statement, in which other threads have the interpreter's lock all the while.
        connection.exec_driver_sql(_sqlite_copy(table), (msgspec.json.encode(list(records)).decode(),))


@lru_cache
def _sqlite_copy(table: Table) -> str:
    values = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(table.c)))
    names = ", ".join(table.c.keys())
    return " ".join(("INSERT INTO", table.name, f"({names})", "SELECT", values, "FROM json_each(?)"))


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert `rows`, each with all columns, into `table`, or overwrite those whose primary key is there."""
    _write(connection, table, rows, overwrite=True)


def _write(connection: Connection, table: Table, rows: Rows, *, overwrite: bool) -> None:
    if not rows:
        return
    names = table.c.keys()
    values = list(map(itemgetter(*names), rows))
    if connection.dialect.name == "postgresql":
        # One array a column: the server is sent one statement, however many the rows.
        columns = dict(zip(names, zip(*values, strict=True), strict=True))
        connection.execute(_postgresql_statement(table, overwrite), columns)
        return
    # The driver gives the interpreter's lock away and takes it back for every row of an executemany, and each time may
    # wait for the event loop's thread. One statement of many rows does so once.
    start = 0
    while start < len(values):
        size = min(1 << (len(values) - start).bit_length() - 1, _MOST_ROWS)
        portion = tuple(chain.from_iterable(values[start : start + size]))
        connection.exec_driver_sql(_sqlite_text(table, overwrite, size), portion)
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
