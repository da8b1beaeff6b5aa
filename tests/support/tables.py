"""All that a database holds, to see that nothing changed."""

from sqlalchemy import Connection, inspect, text

from eventstore.database.database import Database

_NAMES = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master",
    "postgresql": "SELECT relname, relkind, relfilenode FROM pg_class JOIN pg_namespace AS space ON "
    "space.oid = relnamespace WHERE nspname = current_schema() OR nspname LIKE 'pg_temp%'",
}


async def everything(database: Database) -> dict[str, list[str]]:
    """Read the rows of all tables, and what else there is."""

    def read(connection: Connection) -> dict[str, list[str]]:
        statements = {name: f"SELECT * FROM {name}" for name in inspect(connection).get_table_names()}
        statements[""] = _NAMES[connection.dialect.name]
        return {name: sorted(map(repr, connection.execute(text(sql)))) for name, sql in statements.items()}

    return await database.read_transaction(read)


async def unprotected(database: Database, *statements: str) -> None:
    """Run SQL as the owner of a database can, who takes off what protects the log, and puts it back."""

    def work(connection: Connection) -> None:
        with connection.begin():
            off, on = _protection(connection)
            for statement in (*off, *statements, *on):
                connection.exec_driver_sql(statement)

    await database.write(work)


def _protection(connection: Connection) -> tuple[list[str], list[str]]:
    if connection.dialect.name == "postgresql":
        return ["ALTER TABLE events DISABLE TRIGGER ALL"], [
            f"ALTER TABLE events ENABLE ALWAYS TRIGGER events_{name}" for name in ("no_change", "no_truncate", "time")
        ]
    triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    return [f"DROP TRIGGER {name}" for name, _ in triggers], [sql for _, sql in triggers]
