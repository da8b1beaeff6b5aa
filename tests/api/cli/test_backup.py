"""Restored backups: the log is the same, and everything else can be rebuilt from it."""

import asyncio
import fcntl
import os
import threading
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from eventstore.log.head import read_head
from eventstore.merkle import hashing
from eventstore.merkle.tree_head import TreeHead
from eventstore.merkle.verify_database import verify as verify_log
from projections import PROJECTIONS
from projections.verify import verify
from tests.api.cli.command import itemledger, process
from tests.eventstore.recording import opened
from tests.support.checks import assert_whole
from tests.support.long_log import fill_long
from tests.support.postgres import PostgresServer
from tests.support.rebuilding import run_sql
from tests.support.service import migrate, serving

EVENTS = 600
SEED = 9


async def fill(url: str) -> tuple[int, str]:
    """Fill an empty log. Return its tree."""
    await migrate(url)
    await fill_long(url, EVENTS, SEED)
    return await tree_of(url)


async def tree_of(url: str) -> tuple[int, str]:
    """Return the log's length and its root."""
    async with opened(url) as database:
        head = await database.read_transaction(read_head)
    return head.position, hashing.root(head.frontier).hex()


async def assert_intact(url: str, tree: tuple[int, str]) -> None:
    """Verify the log against its tree as it was before the backup."""
    kept = TreeHead(tree[0], bytes.fromhex(tree[1]))
    async with opened(url) as database:
        assert await verify_log(database, [kept]) == kept


async def differing(url: str) -> list[str]:
    """Return the names of the projections that differ from the log."""
    async with opened(url) as database:
        return [verdict.name for verdict in await verify(database, PROJECTIONS) if not verdict.same]


def assert_restored(url: str, tree: tuple[int, str]) -> None:
    """Fail unless the log is intact and has that tree, and rebuilt projections match the restored ones."""
    asyncio.run(assert_intact(url, tree))
    asyncio.run(assert_whole(url))
    done = itemledger(url, "rebuild", "items")
    assert done.returncode == 0, done
    assert asyncio.run(differing(url)) == []
    with pytest.raises(DBAPIError, match="events is append-only"):
        asyncio.run(run_sql(url, "DELETE FROM events"))
    with serving(url) as server:
        made = httpx.post(f"{server.url}/items", json={"name": "Pen", "price": 1})
        assert (made.status_code, made.json()["id"]) == (201, tree[0] + 1)


def test_a_backup_of_sqlite_is_taken_while_the_service_writes_and_restored(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(fill(sqlite_url))
    copy = tmp_path / "copy.db"
    with serving(sqlite_url) as server:
        done, written = threading.Event(), list[int]()

        def write() -> None:
            with httpx.Client() as client:
                while not done.is_set():
                    answer = client.post(f"{server.url}/items", json={"name": "Pen", "price": 1})
                    written.append(answer.status_code)

        writing = threading.Thread(target=write)
        writing.start()
        try:
            taken = process(sqlite_url, "backup", copy)
        finally:
            done.set()
            writing.join()
    assert taken.returncode == 0, taken
    assert set(written) == {201}
    position, root = tree = asyncio.run(tree_of(f"sqlite+aiosqlite:///{copy}"))
    assert EVENTS <= position <= EVENTS + len(written)
    size = copy.stat().st_size
    assert taken.stdout == f"{copy}: {size:,} bytes, as of position {position:,}; the root is {root}\n"
    assert sorted(path.name for path in tmp_path.glob("copy.*")) == ["copy.db"]
    assert_restored(f"sqlite+aiosqlite:///{copy}", tree)


def test_a_backup_replaces_a_file_only_with_overwrite_and_never_the_database(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(sqlite_url))
    copy, itself = tmp_path / "copy.db", make_url(sqlite_url).database
    copy.write_text("something else")
    refused = itemledger(sqlite_url, "backup", copy)
    assert (refused.returncode, refused.stderr) == (
        2,
        f"Error: {copy} already exists. Pass --overwrite to replace it.\n",
    )
    assert copy.read_text() == "something else"
    assert itemledger(sqlite_url, "backup", "--overwrite", copy).returncode == 0
    assert itemledger(sqlite_url, "backup", "--overwrite", itself or "").returncode == 2
    nowhere = itemledger(sqlite_url, "backup", tmp_path / "no" / "where.db")
    assert (nowhere.returncode, nowhere.stderr) == (2, f"Error: {tmp_path}/no/where.db: No such file or directory\n")
    asyncio.run(assert_whole(sqlite_url))


def test_a_second_backup_to_the_same_file_is_refused_and_leaves_the_first_alone(
    sqlite_url: str, tmp_path: Path
) -> None:
    asyncio.run(migrate(sqlite_url))
    copy, begun = tmp_path / "copy.db", tmp_path / "copy.db.partial"
    begun.write_bytes(b"SQLite format 3\0, and half of the rest")
    with begun.open("rb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        refused = itemledger(sqlite_url, "backup", copy)
    assert (refused.returncode, refused.stderr) == (2, f"Error: {copy} is being written by another process\n")
    assert begun.read_bytes() == b"SQLite format 3\0, and half of the rest"
    assert not copy.exists()
    # No process holds the partial file of a killed backup.
    assert itemledger(sqlite_url, "backup", copy).returncode == 0
    assert not begun.exists()


def test_a_partial_file_of_other_origin_is_left_alone(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(sqlite_url))
    other = tmp_path / "copy.db.partial"
    other.write_text("Dear reader, something else")
    refused = itemledger(sqlite_url, "backup", tmp_path / "copy.db")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"Error: {other} already exists and was not created by `itemledger backup`\n"
    assert other.read_text() == "Dear reader, something else"
    assert not (tmp_path / "copy.db").exists()


def test_a_damaged_database_is_not_backed_up(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(fill(sqlite_url))
    file = Path(make_url(sqlite_url).database or "")
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = os.urandom(len(content) - len(content) // 2)
    file.write_bytes(content)
    done = itemledger(sqlite_url, "backup", tmp_path / "other.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert "The copy is damaged" in done.stderr
    assert list(tmp_path.glob("other*")) == []


def test_on_postgresql_the_error_names_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    done = itemledger(postgres_url, "backup", tmp_path / "copy.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pg_dump or pg_basebackup" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dump_of_postgresql_is_restored(postgres_server: PostgresServer, postgres_url: str) -> None:
    tree = asyncio.run(fill(postgres_url))
    dump = postgres_server.data_directory.parent / "itemledger.dump"
    restored = postgres_server.create_database()
    postgres_server.run("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={plain(postgres_url)}")
    postgres_server.run("pg_restore", "--single-transaction", f"--dbname={plain(restored)}", str(dump))
    assert_restored(restored, tree)
    postgres_server.drop_database(restored)


def test_a_base_backup_of_postgresql_is_restored(postgres_server: PostgresServer, postgres_url: str) -> None:
    tree = asyncio.run(fill(postgres_url))
    copy = postgres_server.data_directory.parent / "copy"
    postgres_server.run("pg_basebackup", f"--dbname={plain(postgres_url)}", f"--pgdata={copy}", "--checkpoint=fast")
    with PostgresServer(data=copy) as other:
        assert_restored(other.url_of(make_url(postgres_url).database or ""), tree)


def plain(url: str) -> str:
    """Return the URL in the form of PostgreSQL's own tools."""
    return url.replace("+asyncpg", "")
