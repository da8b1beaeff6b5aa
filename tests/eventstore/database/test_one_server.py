"""An SQLite file has one server, and that makes the WAL checkpoints; commands make them only where none serves."""

import asyncio
import sqlite3
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from sqlalchemy import Connection

from api import startup
from eventstore.database.engine import open_database
from eventstore.database.sqlite import checkpoints
from eventstore.database.sqlite import database as sqlite_database
from eventstore.database.sqlite.checkpoints import has_wal_reset_bug
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.errors import AlreadyServedError
from tests.api.cli.command import itemledger
from tests.support.service import InProcess, free_port, migrate, serving

PEN = {"name": "Pen", "price": 1}
_numbers = count(1)


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


def _wal_bytes(url: str) -> int:
    wal = Path(f"{_path(url)}-wal")
    return wal.stat().st_size if wal.exists() else 0


async def _autocheckpoint(database: Any) -> int:
    def read(connection: Connection) -> int:
        with connection.begin():
            return int(connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one())

    found: int = await database.write(read)
    return found


async def test_a_second_server_of_one_file_is_refused_and_names_the_file(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "_SERVING_TRIES", 2)
    link = tmp_path / "link.db"
    link.symlink_to(_path(sqlite_url))
    async with InProcess.over(sqlite_url) as service:
        for path in (_path(sqlite_url), link):
            done = itemledger(f"sqlite+aiosqlite:///{path}", "serve", "--port", free_port())
            assert done.returncode != 0
            assert f"Another process serves {path}" in done.stderr
        with pytest.raises(AlreadyServedError):
            async with InProcess.over_as_it_is(sqlite_url):
                pass
        assert (await service.client.post("/items", json=PEN)).status_code == 201
        # Commands work beside it.
        assert itemledger(sqlite_url, "keys", "create", "shop", "--scope", "items:read").returncode == 0
        assert itemledger(sqlite_url, "rebuild", "items").returncode == 0
    async with InProcess.over_as_it_is(sqlite_url):
        pass  # the first has ended


def test_the_end_of_a_process_lets_another_serve_however_it_ends(sqlite_url: str) -> None:
    asyncio.run(migrate(sqlite_url))
    with serving(sqlite_url) as server:
        server.kill()
        server.process.wait()
        with serving(sqlite_url):
            pass


async def test_several_processes_serve_one_postgresql_database(postgres_url: str) -> None:
    async with InProcess.over(postgres_url) as one, InProcess.over(postgres_url) as other:
        assert [(await each.client.post("/items", json=PEN)).json()["id"] for each in (one, other)] == [1, 2]


async def test_only_the_serving_process_checkpoints_the_wal(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url) as service:
        assert await _autocheckpoint(service.services.database) == 4000
        command = open_database(sqlite_url, long_running=True)
        assert await _autocheckpoint(command) == 0
        await command.dispose()
        for reading in (service.services.database.read_transaction, service.services.database.run_isolated):
            assert await reading(lambda c: c.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()) == 0


def _write(connection: Connection) -> None:
    with connection.begin():
        connection.exec_driver_sql(f"PRAGMA user_version={next(_numbers)}")


async def test_a_command_keeps_the_wal_short_only_while_no_process_serves(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "COMMAND_BYTES", 64 * 1024)
    async with InProcess.over(sqlite_url):
        command = open_database(sqlite_url, long_running=True)
        for _ in range(50):
            await command.write(_write)
        beside = _wal_bytes(sqlite_url)
        await command.dispose()
        assert _wal_bytes(sqlite_url) == beside > 100 * 1024, "what it closed was not the last connection"
    command = open_database(sqlite_url, long_running=True)
    sizes = []
    for _ in range(50):
        await command.write(_write)
        sizes.append(_wal_bytes(sqlite_url))
    await command.dispose()
    assert max(sizes) < 2 * 64 * 1024


async def test_the_serving_process_checkpoints_what_commands_write(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(checkpoints, "IDLE_BYTES", 64 * 1024)
    async with InProcess.over(sqlite_url) as service:
        assert isinstance(service.services.database, SqliteDatabase)
        command = open_database(sqlite_url, long_running=True)
        sizes = []
        for _ in range(50):
            await command.write(_write)
            sizes.append(_wal_bytes(sqlite_url))
            await asyncio.sleep(0.02)
        await command.dispose()
    # A writer begins the WAL again where all of it is in the database.
    assert max(sizes) < 50 * 4096


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((4, 0, 0), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version: tuple[int, int, int], expected: bool) -> None:
    assert has_wal_reset_bug(version) is expected


async def test_a_version_with_the_wal_reset_bug_is_named_once_at_the_start(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for exposed in (True, False):
        monkeypatch.setattr(startup, "has_wal_reset_bug", lambda exposed=exposed: exposed)
        monkeypatch.setattr(startup, "log", lines := _Lines())
        async with InProcess.over(sqlite_url):
            pass
        assert lines == [{"sqlite_version": sqlite3.sqlite_version, "fixed_in": ANY}] * exposed


class _Lines(list[dict[str, object]]):
    def warning(self, event: str, **fields: object) -> None:
        assert event.startswith("this version of SQLite can corrupt a database")
        self.append(fields)
