"""Replace a table: fill a shadow table next to it, then swap it in under the live table's name, with its grants.

Both databases swap within a transaction. On PostgreSQL every index and constraint gets its predecessor's name. SQLite
can't rename an index, so each index has one of two names, in turn.
"""

from sqlalchemy import Column, Connection, Index, MetaData, Table, TextClause, inspect, text
from sqlalchemy.sql.elements import conv

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

    Call it until it returns False, after the table is filled: that is fastest. Use one transaction for each index:
    on SQLite all other writers wait meanwhile.
    """
    names = {name for (name,) in connection.execute(text(_INDEX_NAMES[connection.dialect.name]))}
    existing = {found["name"] for found in inspect(connection).get_indexes(shadow.name)}
    for model in sorted(table.indexes, key=lambda model: model.name or ""):
        turns = (f"{model.name}", f"{model.name}{_IN_TURN}")
        if not existing.intersection(turns):
            free = next(name for name in turns if name not in names)
            Index(free, *(shadow.c[column.name] for column in model.columns), unique=model.unique).create(connection)
            return True
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {shadow.name}"))
    return False


def swap_in(connection: Connection, table: Table, shadow: Table, like: str | None) -> None:
    """Rename `shadow` to the name of `table`, with that table's owner and grants, or those of `like` if it is missing.

    On PostgreSQL the previous table is dropped. On SQLite a drop takes long, so it is renamed to `retired_name`.
    """
    on_postgresql, replaced = connection.dialect.name == "postgresql", exists(connection, table.name)
    if on_postgresql:
        if (model := table.name if replaced else like) is not None:
            _execute_built(connection, _GRANTS, shadow=shadow.name, model=model)
        # Last: from here on readers wait.
        connection.execute(_DO_NOT_WAIT)
        drop(connection, table.name)
    elif replaced:
        connection.execute(text(f"ALTER TABLE {table.name} RENAME TO {retired_name(table)}"))
    connection.execute(text(f"ALTER TABLE {shadow.name} RENAME TO {table.name}"))
    if on_postgresql:
        _execute_built(connection, _NAMES, table=table.name, shadow=shadow.name, turn=_IN_TURN)


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

#: Build the statements that give one table the owner and the grants of another.
_GRANTS = text(
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


def _execute_built(connection: Connection, builder: TextClause, **names: str) -> None:
    """Execute the statements that the query `builder` returns."""
    for statement in connection.execute(builder, names).scalars().all():
        connection.exec_driver_sql(statement)
