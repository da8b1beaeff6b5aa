"""`itemledger migrate`."""

import click

import migrations
from api.cli.database import with_database
from eventstore.database import Database


@click.command()
def migrate() -> None:
    """Bring the database's schema to the version that this code needs."""

    async def upgrade(database: Database) -> None:
        before = await database.write(migrations.current)
        await database.write(migrations.upgrade)
        click.echo(f"Schema: {before or 'nothing'} -> {migrations.head()}")

    with_database(upgrade)
