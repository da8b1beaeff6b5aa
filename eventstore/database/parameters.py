"""Parameters that hold any number of ids, and look-ups by each of them: one statement text for any count."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Text,
    any_,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.selectable import TableValuedAlias

_PAIR = ("first", "second")


def unnest_ids(dialect: str, parameter: str) -> TableValuedAlias:
    """Return a table with one column, `value`: the ids in `parameter`, whose value `numbers` builds.

    A join with it looks each id up by itself.
    """
    value = column("value", BigInteger)
    if dialect == "postgresql":
        array = bindparam(parameter, type_=ARRAY(BigInteger))
        return func.unnest(array).table_valued(value).render_derived("wanted")
    return func.json_each(bindparam(parameter)).table_valued(value, name="wanted")


def numbers(connection: Connection | AsyncEngine, values: Iterable[int]) -> list[int] | str:
    """Return the value of a parameter of `unnest_ids` or `in_ids`."""
    return id_values(connection.dialect.name, values)


def id_values(dialect: str, values: Iterable[int]) -> list[int] | str:
    """Return the value of a parameter of `unnest_ids` or `in_ids`."""
    ordered = sorted(values)
    return ordered if dialect == "postgresql" else f"[{','.join(map(str, ordered))}]"


def in_texts(dialect: str, column: ColumnElement[str], parameter: str) -> ColumnElement[bool]:
    """Return the condition that `column` is one of the texts in `parameter`, whose value `text_values` builds."""
    if dialect == "postgresql":
        return column == any_(bindparam(parameter, type_=ARRAY(Text)))
    return column.in_(select(func.json_each(bindparam(parameter)).table_valued("value").c.value))


def text_values(dialect: str, values: Iterable[str]) -> list[str] | str:
    """Return the value of a parameter of `in_texts`."""
    ordered = sorted(values)
    return ordered if dialect == "postgresql" else msgspec.json.encode(ordered).decode()


def unnest_pairs(dialect: str, parameter: str) -> FromClause:
    """Return a table with the columns `first` and `second`: the pairs in the parameters that `pairs` builds."""
    if dialect == "postgresql":
        arrays = (bindparam(f"{parameter}_{name}", type_=ARRAY(BigInteger)) for name in _PAIR)
        return func.unnest(*arrays).table_valued(*(column(name, BigInteger) for name in _PAIR)).render_derived("wanted")
    sent = func.json_each(bindparam(parameter)).table_valued(column("value"))
    halves = (func.json_extract(sent.c.value, f"$[{index}]") for index in range(2))
    return select(*(half.label(name) for half, name in zip(halves, _PAIR, strict=True))).subquery("wanted")


def pairs(connection: Connection, parameter: str, values: Sequence[tuple[int, int]]) -> dict[str, object]:
    """Return the parameters of `unnest_pairs`."""
    if connection.dialect.name == "postgresql":
        return {f"{parameter}_{name}": list(half) for name, half in zip(_PAIR, zip(*values, strict=True), strict=True)}
    return {parameter: msgspec.json.encode(values).decode()}


def in_ids(connection: Connection | AsyncEngine, column: ColumnElement[int], parameter: str) -> ColumnElement[bool]:
    """Return the condition that `column` is one of the ids in `parameter`, whose value `numbers` builds."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(parameter, type_=ARRAY(BigInteger)))
    return column.in_(select(unnest_ids("sqlite", parameter).c.value))


def lateral_lookup(
    dialect: str, table: FromClause, condition: ColumnElement[bool], names: Sequence[str] = ()
) -> tuple[FromClause, ColumnElement[bool]]:
    """Return what to join and on what, so that an index finds the rows of `table` for each row to the left.

    PostgreSQL can't know how few they are. It may otherwise read the whole table and compare. `names` are the columns
    that are needed, all of them by default.
    """
    if dialect == "postgresql":
        columns = select(*(table.c[name] for name in names)) if names else select(table)
        return columns.where(condition).offset(0).lateral(), true()  # OFFSET keeps it a query of its own
    return table, condition
