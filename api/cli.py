"""The shell's door: `itemledger serve`, `migrate` and `openapi`. The first two read settings from the environment."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click
import msgspec
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

import migrations
from api import observe, openapi
from api.app import ROUTES, StartError, create_app, prepare
from api.boundary import Boundary
from api.settings import SettingsError, from_environment
from eventstore.database import Database
from eventstore.engine import open_database
from eventstore.errors import EventStoreError
from eventstore.postgresql import PostgresDatabase

#: A stop must take less than 10 seconds: requests in flight get these, the writer's last batches the rest.
_GRACE_SECONDS = 6


@click.group()
@click.version_option(package_name="itemledger")
def main() -> None:
    """Itemledger: an event-sourced item service."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes (PostgreSQL only).")
def serve(host: str, port: int, workers: int) -> None:
    """Serve until told to stop."""

    async def fit(database: Database) -> None:
        if workers > 1 and not isinstance(database, PostgresDatabase):
            raise StartError("SQLite is written by one process: --workers needs PostgreSQL in DATABASE_URL")
        await prepare(database)

    _with_database(fit)
    # uvicorn raises the signal that stopped it once more when all is done; a stop that went well is no death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    uvicorn.run(
        "api.cli:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def application() -> Boundary:
    """Make the application for a process that does nothing else."""
    app = create_app()
    settle()
    return app


def settle() -> None:
    """Tell the garbage collector that what is loaded now stays.

    Without this it goes through all of that again and again, for tens of milliseconds in which no request is served.
    And since what requests leave behind is mostly no cycles, it is told to look less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@main.command()
def migrate() -> None:
    """Bring the database's schema to the version that this code needs."""

    async def upgrade(database: Database) -> None:
        before = await database.write(migrations.current)
        await database.write(migrations.upgrade)
        click.echo(f"Schema: {before or 'nothing'} -> {migrations.head()}")

    _with_database(upgrade)


@main.command("openapi")
def describe() -> None:
    """Print the OpenAPI document, without a database."""
    click.echo(msgspec.json.format(msgspec.json.encode(openapi.document(ROUTES))))


def _with_database(use: Callable[[Database], Awaitable[Any]]) -> None:
    async def run() -> None:
        database = open_database(settings.database_url, patient=True)
        try:
            await use(database)
        finally:
            await database.dispose()

    try:
        settings = from_environment()
        observe.configure(settings.log_level)
        asyncio.run(run())
    except (SettingsError, StartError, EventStoreError, migrations.UnknownRevisionError, SQLAlchemyError) as error:
        # SQLAlchemy's errors go on with the statement and a link; their first line says what is wrong.
        cause = f" ({str(error.__cause__).partition(chr(10))[0]})" if error.__cause__ else ""
        raise click.ClickException(f"{error}".partition("\n")[0] + cause) from error
