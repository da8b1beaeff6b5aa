"""SQL constructs that the two databases write differently."""

from typing import Any, TypeVar

from sqlalchemy import Boolean, ColumnElement, Text, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

T = TypeVar("T")


def no_index(column: ColumnElement[T]) -> ColumnElement[T]:
    """Return `column` in a form that matches no index, for a condition that filters row by row.

    Otherwise a planner may choose that column's index because it expects fewer rows, and be wrong.
    """
    nothing = "''" if isinstance(column.type, Text) else "0"
    return column + literal_column(nothing, column.type)


class contains(FunctionElement[bool]):  # noqa: N801  (a function of SQL)
    """Whether the first text contains the second, byte for byte: `contains(column, part)`.

    LIKE, and PostgreSQL's text search functions, backtrack at every character of a part that nearly matches everywhere.
    One request could occupy a connection for seconds. A search in bytes compares memory, in a hundredth of that time.
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
    """Whether a row lies in an open range of an index: `between(*columns, *values, after, before)`.

    All columns but the last equal their values; the last is greater than `after` and less than `before`. The query
    must sort by all columns.

    PostgreSQL compares all columns at once. For columns with a single value it would otherwise prefer any index that
    has the last column. SQLite compares them one by one: only then does it use a rowid at the end of an index.
    """

    inherit_cache = True
    # Not Boolean: SQLAlchemy would compare it with 1 on a database without booleans, and no index would match.


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
    row = f"({', '.join(columns)})"
    return f"{row} > ({', '.join([*values, after])}) AND {row} < ({', '.join([*values, before])})"


class concat_rows(FunctionElement[str]):  # noqa: N801  (a function of SQL)
    """One text of all rows, in their order, separated by commas: `concat_rows(template, column, ...)`.

    `template` has a `%s` for each column, and no quote.
    """

    inherit_cache = True
    type = Text()

    def __init__(self, template: str, *columns: ColumnElement[Any]) -> None:
        super().__init__(literal_column(f"'{template}'"), *columns)


@compiles(concat_rows, "sqlite")
def _concat_rows_on_sqlite(element: concat_rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"group_concat(printf({compiler.process(element.clauses, **options)}))"


@compiles(concat_rows, "postgresql")
def _concat_rows_on_postgresql(element: concat_rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"string_agg(format({compiler.process(element.clauses, **options)}), ',')"
