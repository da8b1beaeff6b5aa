"""`itemledger serve`."""

import os
import resource
import signal
import ssl
import sys

import click
import structlog
import uvicorn
from msgspec import structs

from api.app import StartError, create_app, prepare
from api.cli.bind_check import check_exposure
from api.cli.runner import freeze_gc, with_database
from api.edge.boundary import Boundary
from api.edge.client_timeouts import TimeoutHttpProtocol
from api.settings import from_environment, variable
from eventstore.database.database import Database
from eventstore.database.postgresql import PostgresDatabase

#: A stop must take less than 10 seconds: requests in flight get these, the writer's last batches the rest.
_GRACE_SECONDS = 6

#: Files that are open beside connections: databases, modules, logs.
_OTHER_FILES = 256

log = structlog.get_logger()

_FILE = click.Path(exists=True, dir_okay=False)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes (PostgreSQL only).")
@click.option("--tls-cert", type=_FILE, help="Certificate chain (PEM): serve HTTPS.")
@click.option("--tls-key", type=_FILE, help="The certificate's private key (PEM, not encrypted).")
@click.option("--insecure-no-auth", is_flag=True, help="Let anybody in from anywhere, where no credentials exist.")
def serve(
    host: str, port: int, workers: int, tls_cert: str | None, tls_key: str | None, insecure_no_auth: bool
) -> None:
    """Serve until told to stop.

    Where no API key was ever made and no tokens are taken, anybody is let in, with every scope. Then it serves this
    machine alone: on an address that others reach it refuses to start, but for --insecure-no-auth.
    """
    check_tls(tls_cert, tls_key)
    if insecure_no_auth:
        os.environ[variable("insecure_no_auth")] = "true"  # as its workers read it

    async def fit(database: Database) -> None:
        if workers > 1 and not isinstance(database, PostgresDatabase):
            raise StartError("SQLite is written by one process: --workers needs PostgreSQL in DATABASE_URL")
        await prepare(database)
        await check_exposure(database, host, from_environment())

    with_database(fit)
    # uvicorn raises the signal that stopped it once more when all is done; a stop that went well is no death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    uvicorn.run(
        "api.cli.serve:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="api.edge.client_timeouts:Loop",
        http=TimeoutHttpProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # the boundary sees to them
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def check_tls(certificate: str | None, key: str | None) -> None:
    """Raise ClickException where the two files are not a certificate and its key, or one is given without the other."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key go together")
    try:
        # An empty password, so that nobody is asked for one at a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise click.ClickException(f"--tls-cert and --tls-key are no certificate and its key: {error}") from None


def application() -> Boundary:
    """Make the application for a process that does nothing else."""
    app = create_app()
    connections = _open_files(app.settings.max_connections)
    app.settings = structs.replace(app.settings, max_connections=connections)
    freeze_gc()
    return app


def _open_files(connections: int) -> int:
    """Let the process have that many connections open, and some files besides, if it may; give how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if allowed < wanted:
        log.warning("fewer connections can be open than ITEMLEDGER_MAX_CONNECTIONS", open_files=allowed)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(connections, max(allowed - _OTHER_FILES, allowed // 2))
