"""Temporary tables: of one connection, seen by nobody else and gone with it. See `Database.run_isolated`."""

from sqlalchemy import Column, Connection, MetaData, Table, text


def make_like(connection: Connection, table: Table, name: str) -> Table:
    """Make a temporary table with the columns and the key of `table`, in a transaction of its own, and give it."""
    columns = (Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable) for c in table.columns)
    temporary = Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], sqlite_with_rowid=False)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # Its rows can be written by transactions that can write to no other table; it can't be made by one.
            connection.execute(text("SET TRANSACTION READ WRITE"))
        temporary.create(connection, checkfirst=False)
    return temporary
