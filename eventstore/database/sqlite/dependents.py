"""What a table of SQLite has apart from its rows, and what refers to it: both decide whether it can be replaced.

SQLite renames a table in views, in triggers and in foreign keys of other tables too. They would follow the table that
is replaced, and be lost with it. With `legacy_alter_table` views and triggers stay as they are written.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

#: Foreign keys are renamed all the same.
_FOREIGN_KEYS = text(
    "SELECT DISTINCT 'foreign key of table ' || tables.name FROM sqlite_master AS tables "
    'JOIN pragma_foreign_key_list(tables.name) AS keys ON lower(keys."table") = lower(:table) '
    "WHERE tables.type = 'table' AND lower(tables.name) <> lower(:table) ORDER BY 1"
)
#: Those of the code have names like `ix_items_...`, see `eventstore.log.tables.metadata`.
_OWN = text(
    "SELECT type, name, sql FROM sqlite_master WHERE lower(tbl_name) = lower(:table) AND sql IS NOT NULL "
    "AND (type = 'trigger' OR type = 'index' AND substr(name, 1, length(:ours)) <> :ours) ORDER BY type, name"
)
_VIEWS = text("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")


def take_off(connection: Connection, table: str) -> list[tuple[str, str]]:
    """Drop the triggers and the operator's indexes of `table`; return what each is, and its statement."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    found = connection.execute(_OWN, {"table": table, "ours": f"ix_{table}_"}).all()
    for kind, name, _ in found:
        connection.exec_driver_sql(f"DROP {kind} {quote(name)}")
    return [(f"{kind} {name}", statement) for kind, name, statement in found]


@contextmanager
def literal_renames(connection: Connection) -> Iterator[None]:
    """Rename tables without a change to the views and the triggers that name them."""
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")


def obstacles(
    connection: Connection, table: str, columns: Collection[str], replace: Callable[[], list[tuple[str, str]]]
) -> list[str]:
    """Name the objects that a replacement of `table`, with `columns`, would lose or break, with the reason.

    `replace` replaces it by an empty table, and returns what `take_off` has returned. All of it is rolled back.
    """
    found: list[str] = list(connection.execute(_FOREIGN_KEYS, {"table": table}).scalars())
    quote = connection.dialect.identifier_preparer.quote_identifier
    names = connection.execute(_VIEWS).scalars()
    views = {f"view {name}": " ".join(("EXPLAIN SELECT * FROM", quote(name))) for name in names}
    trial = connection.begin_nested()
    try:
        working = [name for name, query in views.items() if _fault(connection, query) is None]
        # These compile every trigger of the table.
        values = ", ".join(f"{name} = {name}" for name in map(quote, columns))
        checks = (
            " ".join(("EXPLAIN INSERT INTO", table, "SELECT * FROM", table)),
            " ".join(("EXPLAIN UPDATE", table, "SET", values)),
            " ".join(("EXPLAIN DELETE FROM", table)),
        )
        for name, statement in replace():
            if (fault := _fault(connection, statement, *checks)) is not None:
                found.append(f"{name} ({fault})")
        found += [f"{name} ({fault})" for name in working if (fault := _fault(connection, views[name])) is not None]
    finally:
        trial.rollback()
    return found


def _fault(connection: Connection, *statements: str) -> str | None:
    """Execute `statements`; return why one fails, then nothing is done, or None."""
    trial = connection.begin_nested()
    try:
        for statement in statements:
            connection.exec_driver_sql(statement).close()
    except DBAPIError as error:
        trial.rollback()
        return str(error.orig)
    trial.commit()
    return None
