"""Putting one table in another's place: a shadow of it is filled beside it, and takes its name and its rights.

Both databases do that within a transaction. PostgreSQL gives every index and constraint the name it had. SQLite can't
rename an index: those of a table have one of two names, in turn.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, Index, MetaData, Table, inspect, text
from sqlalchemy.sql.elements import conv

_IN_TURN = "_b"


def exists(connection: Connection, name: str) -> bool:
    """Tell whether the database has a table of that name."""
    return inspect(connection).has_table(name)


def column_names(connection: Connection, name: str) -> list[str]:
    """Give the names of the columns that the database's table has."""
    return [column["name"] for column in inspect(connection).get_columns(name)]


def shadow_of(table: Table, name: str) -> Table:
    """Give a table like `table` but for its name, without its indexes."""
    shadow = table.to_metadata(MetaData(naming_convention=table.metadata.naming_convention), name=name)
    shadow.indexes.clear()
    return shadow


def create(connection: Connection, table: Table, shadow: Table) -> None:
    """Create `shadow`, with the constraints that `table` has."""
    if connection.dialect.name == "postgresql":
        for constraint in shadow.constraints:
            # Some are indexes as well, whose names must be free; see _NAMES for how they come to their own.
            if constraint.name and shadow.name not in str(constraint.name):
                constraint.name = conv(str(constraint.name).replace(table.name, shadow.name))
    shadow.create(connection)


def index(connection: Connection, table: Table, shadow: Table) -> bool:
    """Give `shadow` one of the indexes that `table` has and it lacks; tell whether there was one.

    To be called, once it is filled, until there is none: that is quickest. Each is best made in a transaction of its
    own, since on SQLite everybody else who writes waits meanwhile.
    """
    names = {name for (name,) in connection.execute(text(_INDEX_NAMES[connection.dialect.name]))}
    there = {found["name"] for found in inspect(connection).get_indexes(shadow.name)}
    for wanted in sorted(table.indexes, key=lambda wanted: wanted.name or ""):
        turns = (f"{wanted.name}", f"{wanted.name}{_IN_TURN}")
        if not there.intersection(turns):
            free = next(name for name in turns if name not in names)
            Index(free, *(shadow.c[column.name] for column in wanted.columns), unique=wanted.unique).create(connection)
            return True
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {shadow.name}"))
    return False


def swap_in(connection: Connection, table: Table, shadow: Table, like: str | None) -> None:
    """Make `shadow` the one called as `table` is, with the owner and the rights of that, or of `like` where none is.

    What was in its place is dropped, but for SQLite, where that takes long: it is then called as `retired_name` says.
    """
    if connection.dialect.name == "postgresql":
        _replace_on_postgresql(connection, table, shadow, like)
        return
    if exists(connection, table.name):
        connection.execute(text(f"ALTER TABLE {table.name} RENAME TO {retired_name(table)}"))
    connection.execute(text(f"ALTER TABLE {shadow.name} RENAME TO {table.name}"))


def retired_name(table: Table) -> str:
    """Give the name of a table whose place another has taken."""
    return f"{table.name}_replaced"


def lock_table_shared(connection: Connection, name: str) -> None:
    """Keep the table of that name from being replaced while the transaction lasts, which this is to be the first of.

    On PostgreSQL a snapshot tells which rows there are, not which table has the name: of a table that came later, and
    has its place now, it would show no row. What is locked first is there when the snapshot is taken.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {name} IN ACCESS SHARE MODE"))


def drop(connection: Connection, name: str) -> None:
    """Drop the table of that name, if there is one."""
    connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


_INDEX_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()",
}

#: What gives one table the owner and the rights of another.
_RIGHTS = text(
    """
    WITH the AS (SELECT CAST(:shadow AS text) AS shadow, CAST(CAST(:model AS text) AS regclass) AS model)
    SELECT format('ALTER TABLE %I OWNER TO %I', shadow, pg_get_userbyid(relowner))
    FROM the JOIN pg_class ON oid = model AND pg_get_userbyid(relowner) <> current_user
    UNION ALL
    SELECT format('GRANT %s ON %I TO %s%s', privilege_type, shadow,
                  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM the JOIN pg_class ON oid = model CROSS JOIN aclexplode(relacl) WHERE grantee <> relowner
    """
)
#: What gives a table's constraints and indexes the names that its own name leads to.
_NAMES = text(
    """
    WITH the AS (SELECT CAST(:table AS text) AS now, CAST(:shadow AS text) AS before, CAST(:turn AS text) AS turn)
    SELECT format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', now, conname, replace(conname, before, now))
    FROM the JOIN pg_constraint ON conrelid = CAST(now AS regclass) AND strpos(conname, before) > 0
    UNION ALL
    SELECT format('ALTER INDEX %I RENAME TO %I', indexname, left(indexname, -length(turn)))
    FROM the JOIN pg_indexes ON schemaname = current_schema() AND tablename = now
        AND right(indexname, length(turn)) = turn
    """
)


def _replace_on_postgresql(connection: Connection, table: Table, shadow: Table, like: str | None) -> None:
    names = {"table": table.name, "shadow": shadow.name, "turn": _IN_TURN}
    model = table.name if exists(connection, table.name) else like
    if model is not None:
        _execute_each(connection, connection.execute(_RIGHTS, {"shadow": shadow.name, "model": model}).scalars())
    # Last of all: from here on whoever reads waits. Who reads for long is not waited for, since writers wait as well.
    connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
    connection.execute(text(f"DROP TABLE IF EXISTS {table.name}"))
    connection.execute(text(f"ALTER TABLE {shadow.name} RENAME TO {table.name}"))
    _execute_each(connection, connection.execute(_NAMES, names).scalars())


def _execute_each(connection: Connection, statements: Iterable[str]) -> None:
    for statement in list(statements):
        connection.exec_driver_sql(statement)
