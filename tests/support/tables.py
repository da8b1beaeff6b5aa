"""All that a database holds, to see that nothing changed."""

from sqlalchemy import Connection, inspect, text

from eventstore.database import Database

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

    return await database.view(read)
