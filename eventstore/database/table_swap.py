"""Replace a table: fill a shadow table next to it, then swap it in under the live table's name, with all it had.

Both databases swap within a transaction. On PostgreSQL every index and constraint gets its predecessor's name. SQLite
can't rename an index, so each index has one of two names, in turn.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, MetaData, Table, inspect, text
from sqlalchemy.sql.elements import conv

from eventstore.database.postgresql import dependents as postgresql
from eventstore.database.sqlite import dependents as sqlite
from eventstore.errors import ObstacleError

#: The suffix of an index's second name.
_IN_TURN = "_b"
#: While a transaction waits for a lock on a live table, others wait behind it.
_DO_NOT_WAIT = text("SET LOCAL lock_timeout = '200ms'")


def exists(connection: Connection, name: str) -> bool:
    """Return whether the database has a table of that name."""
    return inspect(connection).has_table(name)


def column_names(connection: Connection, name: str) -> list[str]:
    """Return the names of the columns of the table in the database."""
    return [column["name"] for column in inspect(connection).get_columns(name)]


def required_columns(connection: Connection, name: str) -> list[str]:
    """Return the names of the columns of the table in the database that an INSERT has to name."""
    columns = inspect(connection).get_columns(name)
    return [column["name"] for column in columns if not column["nullable"] and column.get("default") is None]


def is_as_defined(connection: Connection, table: Table) -> bool:
    """Return whether the database's table has the columns, the key and the indexes of `table`, and maybe more."""
    if not exists(connection, table.name):
        return False
    found = inspect(connection)
    key = found.get_pk_constraint(table.name)["constrained_columns"]
    return (
        set(table.columns.keys()) <= set(column_names(connection, table.name))
        and key == table.primary_key.columns.keys()
        and not missing_indexes(connection, table, table)
    )


def missing_indexes(connection: Connection, table: Table, shadow: Table) -> list[Index]:
    """Return the indexes of `table` that the database's `shadow` lacks."""
    existing = {found["name"] for found in inspect(connection).get_indexes(shadow.name)}
    models = sorted(table.indexes, key=lambda model: model.name or "")
    return [model for model in models if not existing.intersection(_turns(model))]


def _turns(model: Index) -> tuple[str, str]:
    return f"{model.name}", f"{model.name}{_IN_TURN}"


def shadow_of(table: Table, name: str) -> Table:
    """Return a copy of `table` with another name and without indexes."""
    shadow = table.to_metadata(MetaData(naming_convention=table.metadata.naming_convention), name=name)
    shadow.indexes.clear()
    return shadow


def create_temporary(connection: Connection, table: Table, name: str) -> Table:
    """Create a temporary table with the columns and the primary key of `table`, in its own transaction, and return it.

    Only this connection sees it, and it disappears with the connection; see `Database.run_isolated`.
    """
    columns = (Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable) for c in table.columns)
    temporary = Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], sqlite_with_rowid=False)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # A read-only transaction can write to a temporary table, but cannot create one.
            connection.execute(text("SET TRANSACTION READ WRITE"))
        temporary.create(connection, checkfirst=False)
    return temporary


def create(connection: Connection, table: Table, shadow: Table) -> None:
    """Create `shadow` with the constraints of `table`."""
    if connection.dialect.name == "postgresql":
        for constraint in shadow.constraints:
            # Some are indexes too, whose names must be free. `swap_in` restores their names; see _NAMES.
            if constraint.name and shadow.name not in str(constraint.name):
                constraint.name = conv(str(constraint.name).replace(table.name, shadow.name))
    shadow.create(connection)


def index(connection: Connection, table: Table, shadow: Table) -> bool:
    """Create one index of `table` that `shadow` lacks; return whether one was missing.

    On PostgreSQL also an operator's index; on SQLite, which cannot rename those, `swap_in` creates them.

    Call it until it returns False, after the table is filled: that is fastest. Use one transaction for each index:
    on SQLite all other writers wait meanwhile.
    """
    names = {name for (name,) in connection.execute(text(_INDEX_NAMES[connection.dialect.name]))}
    for model in missing_indexes(connection, table, shadow):
        free = next(name for name in _turns(model) if name not in names)
        Index(free, *(shadow.c[column.name] for column in model.columns), unique=model.unique).create(connection)
        return True
    if connection.dialect.name == "postgresql":
        if exists(connection, table.name):
            for statement in postgresql.missing_indexes(connection, table.name, shadow.name, _IN_TURN):
                connection.exec_driver_sql(statement)
                return True
        connection.execute(text(f"ANALYZE {shadow.name}"))
    return False


def check_replaceable(connection: Connection, table: Table) -> None:
    """Raise ObstacleError if the database's table, of whatever version, cannot be replaced by `table`.

    It can be replaced unless other objects would be lost or broken by that. Changes nothing.
    """
    if not exists(connection, table.name):
        return
    columns = table.columns.keys()
    if connection.dialect.name == "postgresql":
        found = postgresql.obstacles(connection, table.name, columns)
    else:
        trial = shadow_of(table, f"{table.name}_trial")

        def replace() -> list[tuple[str, str]]:
            trial.create(connection)
            return _replace_on_sqlite(connection, table, trial)

        found = sqlite.obstacles(connection, table.name, columns, replace)
    if found:
        raise ObstacleError(table.name, found)


def swap_in(connection: Connection, table: Table, shadow: Table, like: str | None) -> None:
    """Rename `shadow` to the name of `table`, and put on it what that table has: owner, grants, policies and so on.

    If that table is missing, it gets the owner and the grants of the table `like`. On PostgreSQL the previous table is
    dropped. On SQLite a drop takes long, so it is renamed to `retired_name`. Raises ObstacleError.
    """
    check_replaceable(connection, table)
    if connection.dialect.name == "postgresql":
        _replace_on_postgresql(connection, table, shadow, like)
    else:
        for _, statement in _replace_on_sqlite(connection, table, shadow):
            connection.exec_driver_sql(statement)


def _replace_on_postgresql(connection: Connection, table: Table, shadow: Table, like: str | None) -> None:
    statements: Sequence[str] = ()
    if exists(connection, table.name):
        statements = postgresql.put_on(connection, table.name, table.columns.keys())
    elif like is not None:
        statements = postgresql.put_on_rights(connection, table.name, like)
    # From here on readers wait.
    connection.execute(_DO_NOT_WAIT)
    drop(connection, table.name)
    connection.execute(text(f"ALTER TABLE {shadow.name} RENAME TO {table.name}"))
    names = {"table": table.name, "shadow": shadow.name, "turn": _IN_TURN}
    for statement in (*connection.execute(_NAMES, names).scalars(), *statements):
        connection.exec_driver_sql(statement)


def _replace_on_sqlite(connection: Connection, table: Table, shadow: Table) -> list[tuple[str, str]]:
    """Replace `table`; return what it had, and the statement that puts each on the new table."""
    taken_off: list[tuple[str, str]] = []
    with sqlite.literal_renames(connection):
        if exists(connection, table.name):
            taken_off = sqlite.take_off(connection, table.name)
            connection.execute(text(f"ALTER TABLE {table.name} RENAME TO {retired_name(table)}"))
        connection.execute(text(f"ALTER TABLE {shadow.name} RENAME TO {table.name}"))
    return taken_off


def lock_out_writers(connection: Connection, table: Table) -> None:
    """Let no other transaction write to `table`, if it exists, until this one ends; others can still read it.

    Call it before taking the append lock: a writer locks the tables first, then waits for the append lock.
    """
    if connection.dialect.name == "postgresql" and exists(connection, table.name):
        connection.execute(_DO_NOT_WAIT)
        connection.execute(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def retired_name(table: Table) -> str:
    """Return the name of a replaced table that is not dropped yet."""
    return f"{table.name}_replaced"


def lock_table_shared(connection: Connection, name: str) -> None:
    """Keep the table of that name from being swapped until the transaction ends. It must be the first statement.

    On PostgreSQL a snapshot decides which rows are visible, not which table has the name: a table that was swapped in
    after the snapshot would show no rows. A table that is locked first exists when the snapshot is taken.
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

#: Build the statements that rename a table's constraints and indexes to match its own name.
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
