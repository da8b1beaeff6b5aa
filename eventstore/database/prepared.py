"""A statement as its driver takes it: compiled once, and run by the driver's own cursor.

SQLAlchemy's cost per statement (60 to 150 microseconds) is more than that of most small transactions.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

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
