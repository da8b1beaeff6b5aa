"""`itemledger migrate`."""

from functools import partial

import click

import migrations
from api.cli.output import echo
from api.cli.runner import with_database
from eventstore.database.database import Database
from migrations import triggers
from migrations.rights import RightsError, grant


@click.command(epilog="Exit codes: 0 done, 2 not done, 130 and 143 interrupted.")
@click.option("--grant", "role", metavar="ROLE", help="Then grant ROLE the service's rights (PostgreSQL only).")
def migrate(role: str | None) -> None:
    """Upgrade the database schema to the version this code needs.

    Restores, and names, the triggers that keep history from being changed if somebody has dropped, disabled or altered
    them.

    With --grant the service can run under a role that may append to the log, but not change or delete events. Repeat it
    after every upgrade, which may add tables.
    """

    async def upgrade(database: Database) -> None:
        before = await database.write(migrations.current)
        await database.write(migrations.upgrade)
        echo(f"Schema: {before or 'nothing'} -> {migrations.head()}")
        for fault in await database.write(triggers.restore):
            echo(f"Restored a trigger: {fault}. History may have been changed meanwhile: run `itemledger verify log`.")
        if role is not None:
            for rights, tables in await database.write(partial(grant, role=role)):
                echo(f"{role} may {rights}: {', '.join(tables)}")

    with_database(upgrade, reported=(RightsError,))
