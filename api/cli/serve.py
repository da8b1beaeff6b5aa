"""`itemledger serve`."""

import asyncio
import ctypes
import os
import resource
import signal
import socket
import ssl
import sys
from ipaddress import ip_address
from multiprocessing import parent_process
from typing import TYPE_CHECKING

import click
import structlog
import uvicorn
from msgspec import structs
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.auth.api_keys.cache import ApiKeyCache
from api.cli import without_collecting
from api.cli.exit_codes import FAILED, CommandError
from api.cli.runner import freeze_gc, with_database
from api.edge.client_timeouts import TimeoutHttpProtocol
from api.settings import Settings, from_environment, variable
from api.startup import Failure, StartError, check_clock, check_role, prepare, stop_when
from eventstore.database.database import Database
from eventstore.database.postgresql.database import PostgresDatabase

if TYPE_CHECKING:
    from api.edge.boundary import Boundary

#: A stop must take less than 10 s: requests in flight get this time, the writer's last batches the rest.
_GRACE_SECONDS = 6

#: An option of glibc's mallopt, and its initial value. Setting it keeps glibc from raising it.
_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES = -3, 128 * 1024

#: Open files beside connections: databases, modules, logs.
_OTHER_FILES = 256

log = structlog.get_logger()

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(exists=True, dir_okay=False)


@click.command(epilog="Exit codes: 0 stopped by SIGINT or SIGTERM, 2 not started, or failed (see the log).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=_PORT, help="Port to listen on; 0: any free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes (PostgreSQL only).")
@click.option("--tls-cert", type=_FILE, help="Certificate chain (PEM): serve HTTPS.  [default: HTTP]")
@click.option("--tls-key", type=_FILE, help="The certificate's private key (PEM, not encrypted).")
@click.option("--insecure-no-auth", is_flag=True, help="Accept remote requests while no credentials exist.")
@click.option("--accept-clock", is_flag=True, help="Start once although the clock seems wrong.")
def serve(
    host: str,
    port: int,
    workers: int,
    tls_cert: str | None,
    tls_key: str | None,
    insecure_no_auth: bool,
    accept_clock: bool,
) -> None:
    """Run the HTTP server until it is stopped.

    If no API key has been created and no JWT issuer is configured, requests need no credentials and have all scopes. In
    that case the server accepts only local requests, and refuses to listen on a non-loopback address unless you pass
    --insecure-no-auth.

    The server refuses to start if its clock is more than 5 minutes from PostgreSQL's, or more than a year from the last
    event's time, unless you pass --accept-clock.

    SIGINT and SIGTERM stop the server gracefully, in less than 10 s.
    """
    _check_tls(tls_cert, tls_key)
    if insecure_no_auth:
        os.environ[variable("insecure_no_auth")] = "true"  # for the worker processes
    if accept_clock:
        os.environ[variable("accept_clock")] = "true"

    async def check(database: Database) -> None:
        if workers > 1 and not isinstance(database, PostgresDatabase):
            raise StartError("SQLite supports one process. Use PostgreSQL (DATABASE_URL) or --workers 1.")
        async with database.serving():
            await prepare(database)
        settings = from_environment()
        await check_role(database, insecure_role=settings.insecure_role)
        await check_clock(database, accept=settings.accept_clock)
        await _check_bind_address(database, host, settings)

    with_database(check)
    config = uvicorn.Config(
        "api.cli.serve:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="api.edge.event_loop:Loop",
        http=TimeoutHttpProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # the boundary handles them
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    raise click.exceptions.Exit(_run(config))


def _run(config: uvicorn.Config) -> int:
    """Serve until a signal stops it. Return the exit code: 0 after a graceful stop, however the signal was sent.

    To a supervisor that is a success: it does not restart the service, and reports no failure.
    """
    # After a graceful stop uvicorn raises the signal again; the process must not die by it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Failure.happened))
    server = uvicorn.Server(config)
    try:
        if config.workers > 1:
            supervisor = Multiprocess(config, sockets=[config.bind_socket()])
            supervisor.run()
            failed = any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes)
        else:
            config.load_app()
            server.run()
            failed = Failure.happened or not server.started
    except KeyboardInterrupt:
        failed = Failure.happened  # SIGINT, raised again after the graceful stop
    except SystemExit as error:
        failed = bool(error.code)  # uvicorn ends so where it cannot listen; it has logged the reason
    return FAILED if failed else 0


async def _check_bind_address(database: Database, host: str, settings: Settings) -> None:
    """Raise StartError where other machines reach `host` and no credentials exist. Raises UnavailableError."""
    has_credentials = settings.jwt_issuer is not None or await ApiKeyCache(database).has_active_key()
    if has_credentials or settings.insecure_no_auth or await _is_loopback(host):
        return
    raise StartError(
        f"Cannot listen on {host or 'all addresses'}: it is reachable from other machines and no credentials exist. "
        "Create an API key (`itemledger keys create`), set ITEMLEDGER_JWT_ISSUER, or pass --insecure-no-auth."
    )


async def _is_loopback(host: str) -> bool:
    """Check that `host` resolves to loopback addresses only; to a server an empty one means every address."""
    if not host:
        return False
    try:
        addresses = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False  # the server reports what is wrong with it
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in addresses)


def _check_tls(certificate: str | None, key: str | None) -> None:
    """Raise CommandError where the files are not a certificate and its key, UsageError where only one is given."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key must be given together")
    try:
        # With an empty password OpenSSL does not ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise CommandError(f"Cannot load the TLS certificate and key (--tls-cert, --tls-key): {error}") from None


def application() -> "Boundary":
    """Build the application for a process that does nothing else."""
    if (parent := parent_process()) is not None:  # one of several workers
        stop_when(parent.join)
    with without_collecting():
        from api.app import create_app  # not in the parent of several workers, nor where the start is refused

        app = create_app()
    _release_large_blocks()
    connections = _raise_file_limit(app.settings.max_connections)
    app.settings = structs.replace(app.settings, max_connections=connections)
    freeze_gc()
    return app


def _release_large_blocks() -> None:
    """Have glibc return large blocks to the system when they are freed.

    Otherwise it keeps as much as it once needed, and the 256 KiB that uvloop allocates for each connection with TLS, of
    which it uses 4, lie in memory that is used: 59 MiB for 1,000 connections, 34 with this.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def _raise_file_limit(connections: int) -> int:
    """Raise the limit of open files to that many connections and some files. Return the connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _OTHER_FILES
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if allowed < needed:
        log.warning("open file limit is too low for ITEMLEDGER_MAX_CONNECTIONS", open_files=allowed)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(connections, max(allowed - _OTHER_FILES, allowed // 2))
