"""`itemledger migrate`."""

from functools import partial

import click

import migrations
from api.cli.runner import with_database
from eventstore.database.database import Database
from migrations.rights import RightsError, grant


@click.command()
@click.option("--grant", "role", metavar="ROLE", help="Then give this role the service's rights (PostgreSQL).")
def migrate(role: str | None) -> None:
    """Bring the database's schema to the version that this code needs.

    With --grant the service can run under a role that may add to the log, and change or delete nothing there. To be
    given again after an upgrade, for what is new.
    """

    async def upgrade(database: Database) -> None:
        before = await database.write(migrations.current)
        await database.write(migrations.upgrade)
        click.echo(f"Schema: {before or 'nothing'} -> {migrations.head()}")
        if role is not None:
            try:
                given = await database.write(partial(grant, role=role))
            except RightsError as error:
                raise click.ClickException(str(error)) from None
            for rights, tables in given:
                click.echo(f"{role} may {rights}: {', '.join(tables)}")

    with_database(upgrade)
