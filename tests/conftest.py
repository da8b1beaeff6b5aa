"""Fixtures that every test may use. A test with `database_url` runs on SQLite and on a real PostgreSQL."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from eventstore.database.database import Database
from eventstore.database.engine import open_database
from tests.support.postgres import PostgresServer
from tests.support.service import InProcess, copy_postgres, migrate, prepare_postgres, prepare_sqlite

T = TypeVar("T")

_BROWSER = Path(__file__).parent / "browser"
#: A memory-backed file system, and the free bytes that a run needs there and in memory.
_MEMORY = Path("/dev/shm")  # noqa: S108  (mkdtemp makes directories of the user's own there)
_MEMORY_BYTES = 4 * 2**30

# `ci` draws the same examples in every run; `nightly` draws new ones, and keeps those that failed.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("nightly", derandomize=False, deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure() -> None:
    """Make tests independent of the caller's settings, and put temporary files where fsync costs nothing."""
    for name in [*os.environ]:
        if name in ("DATABASE_URL", "DATABASE_URL_FILE") or (
            name.startswith("ITEMLEDGER_") and not name.startswith("ITEMLEDGER_TEST_")
        ):
            del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what runs in the background, and the processes of tests would ignore it too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TMPDIR" not in os.environ and _has_room_in_memory():
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # read TMPDIR again


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that need a browser, unless they are named: `make test-browser`."""
    named = (Path(argument.partition("::")[0]).absolute() for argument in config.args)
    return True if collection_path == _BROWSER and not any(path.is_relative_to(_BROWSER) for path in named) else None


def pytest_report_header() -> str:
    """Print what decides about random numbers."""
    chosen = os.environ.get("ITEMLEDGER_TEST_SEED", "each test's own")
    return f"seed: {chosen}; HYPOTHESIS_PROFILE: {settings.get_current_profile_name()}"


def _has_room_in_memory() -> bool:
    """Return whether temporary files may be on the memory-backed file system, programs among them."""
    if not os.access(_MEMORY, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(_MEMORY)
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return not found.f_flag & os.ST_NOEXEC and min(found.f_bavail * found.f_frsize, available) >= _MEMORY_BYTES


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a thread: a fixture may be set up while the event loop of its test runs already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL server for the whole run of this process."""
    # Little write-ahead log: the data directory may be in memory. No vacuum at times of its own: tests count blocks.
    with PostgresServer(settings={"max_wal_size": "128MB", "autovacuum": "off"}) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Return the name of a database with the schema at head, which tests get copies of."""
    return _run(prepare_postgres(postgres_server))


@pytest.fixture(scope="session", autouse=True)
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> None:
    _run(prepare_sqlite(tmp_path_factory.mktemp("template")))


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with the schema at head."""
    url = copy_postgres(postgres_server, postgres_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite file of the test's own, which does not exist yet. `migrate` makes it a database at head."""
    return f"sqlite+aiosqlite:///{tmp_path}/itemledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own, of each kind, for which `migrate` was not called yet."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own, of each kind: for tests of migrations."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "empty_postgres_url")
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database for all tests of a module, of each kind, for which `migrate` was not called yet."""
    if request.param == "sqlite":
        directory: Path = tmp_path_factory.mktemp("shared")
        yield f"sqlite+aiosqlite:///{directory}/itemledger.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = copy_postgres(server, request.getfixturevalue("postgres_template"))
    yield url
    server.drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of each kind with the schema at head, opened by its owner: for what the service's role may not do."""
    await migrate(database_url)
    opened = open_database(database_url)
    yield opened
    await opened.dispose()


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[InProcess]:
    """The service over a database of each kind, in this process and event loop."""
    async with InProcess.over(database_url) as running:
        yield running


@pytest.fixture
async def ready_url(database_url: str) -> str:
    """A database of each kind with the schema at head, to which this process holds no connection.

    With one, SQLite's write-ahead log would outlive the server that wrote it.
    """
    await migrate(database_url)
    return database_url
