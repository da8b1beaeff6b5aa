"""`itemledger serve`."""

import signal
import sys

import click
import uvicorn

from api.app import StartError, create_app, prepare
from api.boundary import Boundary
from api.cli.database import settle, with_database
from eventstore.database import Database
from eventstore.postgresql import PostgresDatabase

#: A stop must take less than 10 seconds: requests in flight get these, the writer's last batches the rest.
_GRACE_SECONDS = 6


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes (PostgreSQL only).")
def serve(host: str, port: int, workers: int) -> None:
    """Serve until told to stop."""

    async def fit(database: Database) -> None:
        if workers > 1 and not isinstance(database, PostgresDatabase):
            raise StartError("SQLite is written by one process: --workers needs PostgreSQL in DATABASE_URL")
        await prepare(database)

    with_database(fit)
    # uvicorn raises the signal that stopped it once more when all is done; a stop that went well is no death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    uvicorn.run(
        "api.cli.serve:application",
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
