"""SQLite's files moved, removed or replaced under a running service: noticed before a commit is acknowledged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from eventstore.database.engine import open_database
from eventstore.errors import OutcomeUnknownError, UnavailableError, UnsafeDatabaseError
from tests.support.checks import assert_whole
from tests.support.clients.http import check_problem
from tests.support.service import InProcess, migrate

PEN = {"name": "Pen", "price": 1}


def _database(url: str) -> Path:
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


async def _readiness(service: InProcess) -> str:
    answer = await service.client.get("/readyz")
    return "" if answer.status_code == 200 else str(check_problem(answer, 503, "not-ready")["detail"])


async def _assert_refused(service: InProcess, part: str) -> None:
    problem = check_problem(await service.client.post("/items", json=PEN), 503, "database-unavailable")
    assert f"The database's {part} was moved, removed or replaced" in problem["detail"]
    assert f"The database's {part} was moved, removed or replaced" in await _readiness(service)


async def _ids(url: str) -> list[int]:
    async with InProcess.over_as_it_is(url) as service:
        return [item["id"] for item in (await service.client.get("/items")).json()]


def _replace(path: Path) -> None:
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.replace(path)


@pytest.mark.parametrize(
    "change",
    [lambda path: path.rename(path.with_name("elsewhere.db")), Path.unlink, _replace],
    ids=["moved", "removed", "replaced"],
)
async def test_writes_to_a_file_that_is_no_longer_there_are_refused(
    sqlite_url: str, change: Callable[[Path], object]
) -> None:
    async with InProcess.over(sqlite_url) as service:
        assert (await service.client.post("/items", json=PEN)).status_code == 201
        change(_database(sqlite_url))
        await _assert_refused(service, "file")
        # No new connection reads from what has the name now.
        with pytest.raises(UnavailableError):
            await service.services.database.run_isolated(lambda _connection: None)


async def test_a_file_that_is_put_back_is_written_to_again(sqlite_url: str) -> None:
    path, elsewhere = _database(sqlite_url), _database(sqlite_url).with_name("elsewhere.db")
    async with InProcess.over(sqlite_url) as service:
        await service.client.post("/items", json=PEN)
        path.rename(elsewhere)
        await _assert_refused(service, "file")
        elsewhere.rename(path)
        assert (await service.client.post("/items", json=PEN)).json()["id"] == 2
        assert await _readiness(service) == ""
    assert await _ids(sqlite_url) == [1, 2]
    await assert_whole(sqlite_url)


async def test_what_only_the_wal_had_is_in_the_file_that_was_moved(sqlite_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with InProcess.over(sqlite_url) as service:
        await service.client.post("/items", json=PEN)
        moved = _database(sqlite_url).rename(tmp_path / "elsewhere.db")
        await _assert_refused(service, "file")
        shutil.copy(moved, copy)  # without its WAL, as if the process were killed now
    assert await _ids(f"sqlite+aiosqlite:///{copy}") == [1]
    await assert_whole(f"sqlite+aiosqlite:///{copy}")


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
async def test_without_its_wal_the_service_refuses_writes_until_it_is_restarted_and_nothing_is_lost(
    sqlite_url: str, suffix: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    async with InProcess.over(sqlite_url) as service:
        await service.client.post("/items", json=PEN)
        other = _database(f"{sqlite_url}{suffix}")
        other.unlink()
        part = {"-wal": "WAL", "-shm": "WAL index"}[suffix]
        await _assert_refused(service, part)
        other.touch()
        await _assert_refused(service, part)
        shutil.copy(_database(sqlite_url), copy)
    for url in (sqlite_url, f"sqlite+aiosqlite:///{copy}"):
        assert await _ids(url) == [1]
        await assert_whole(url)


async def test_a_file_that_is_moved_during_the_commit_leaves_the_outcome_unknown(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    database, path = open_database(sqlite_url), _database(sqlite_url)
    await database.write(lambda _connection: None)

    def move(connection: Connection) -> None:
        with connection.begin():
            connection.exec_driver_sql("UPDATE log_head SET tables_revision = tables_revision")
            path.rename(path.with_name("elsewhere.db"))

    with pytest.raises(OutcomeUnknownError):
        await database.write(move)
    path.with_name("elsewhere.db").rename(path)
    await database.dispose()


async def test_reading_does_not_create_a_file(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    for reading in (database.read_transaction, database.run_isolated):
        with pytest.raises(UnavailableError):
            await reading(lambda _connection: None)
    await database.dispose()
    assert not _database(sqlite_url).exists()


async def test_a_file_with_two_names_is_refused(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    path = _database(sqlite_url)
    path.with_name("other.db").hardlink_to(path)
    with pytest.raises(UnsafeDatabaseError, match="2 names"):
        async with InProcess.over_as_it_is(sqlite_url):
            pass
