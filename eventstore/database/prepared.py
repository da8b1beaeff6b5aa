"""A statement as its driver takes it: compiled once, and run by the driver's own cursor.

SQLAlchemy's cost per statement (60 to 150 microseconds) is more than that of most small transactions.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from sqlalchemy import ClauseElement, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from eventstore.log.tables import can_add, key_of

_DIALECTS: dict[str, Any] = {"sqlite": sqlite.dialect(), "postgresql": asyncpg.dialect()}  # type: ignore[no-untyped-call]


class Prepared:
    """The text of a statement, and the order of its parameters."""

    def __init__(self, statement: ClauseElement, dialect: str) -> None:
        compiled: Any = statement.compile(dialect=_DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        self._names: list[str] = compiled.positiontup
        self._constants: Mapping[str, Any] = compiled.params

    def arguments(self, parameters: Mapping[str, object]) -> list[object]:
        """Return `parameters`, and the statement's constants, in the order of its placeholders."""
        return [parameters[name] if name in parameters else self._constants[name] for name in self._names]


#: What an INSERT does where the table has a row with the key: fail, replace the row, or add its numbers.
Conflict = Literal["", "replace", "add"]


@cache
def quoted_names(table: Table, dialect: str) -> tuple[str, ...]:
    """Return the names of the columns of `table` as SQL has them."""
    return tuple(_DIALECTS[dialect].identifier_preparer.quote(column.name) for column in table.c)


def on_conflict(table: Table, conflict: Conflict, dialect: str) -> str:
    """Return the end of an INSERT into `table`: the same on both databases, except for what they quote."""
    if not conflict:
        return ""
    assert conflict == "replace" or can_add(table), f"nothing can be added to rows of {table.name}"
    names = zip(quoted_names(table, dialect), table.c, strict=True)
    others = [name for name, column in names if not column.primary_key]
    old = f"{table.name}.{{0}} + " if conflict == "add" else ""
    new = ", ".join(f"{{0}} = {old}excluded.{{0}}".format(name) for name in others)
    return " ".join((f"ON CONFLICT ({key_of(table).name})", "DO UPDATE SET", new))
