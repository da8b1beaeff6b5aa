"""From one database to the other and back: the same log, the same answers; or nothing, and the reason."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import importing
from api.export import manifest
from api.export.exporting import export_file
from api.export.formats import BY_NAME
from api.export.manifest import Manifest, Order, Tree
from api.export.target import File
from api.importing import ImportRefusedError, Known, import_file
from eventstore.database import Database
from eventstore.errors import NotEmptyError, RefusedEventError
from eventstore.history import Filter
from tests.eventstore.recording import opened, tables
from tests.support.fold import assert_log_and_projection_agree
from tests.support.long_log import fill_long
from tests.support.service import InProcess, migrate

EVENTS = 600  # more than two tiles
SEED = 5


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_PAGE", 100)


@pytest.fixture
async def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A jsonl export of a log that another database has."""
    folder = tmp_path_factory.mktemp("exported")
    url = f"sqlite+aiosqlite:///{folder}/itemledger.db"
    await migrate(url)
    await fill_long(url, EVENTS, SEED)
    async with opened(url) as database:
        await export(database, folder / "log.jsonl")
    return folder / "log.jsonl"


async def export(database: Database, path: Path) -> Manifest:
    order = Order("jsonl", {})
    with File.opened(path, order, from_scratch=False) as file:
        return await export_file(database, BY_NAME["jsonl"], order, Filter(), file, lambda _: None)


def manifest_of(path: Path) -> Manifest:
    return manifest.decode(manifest.path_of(path).read_bytes())


async def bring(database: Database, path: Path, known: Sequence[Known] | None = None, **options: Any) -> Tree:
    """Import `path`; by default hold it against its manifest."""
    expected = manifest_of(path)
    known = [Known(expected.log, "the manifest")] if known is None else known
    options.setdefault("tell", lambda _: None)
    return await import_file(database, path, known, options.pop("manifest", expected), **options)


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    await migrate(url)
    async with opened(url) as database:
        yield database


async def answers(url: str) -> list[Any]:
    """Give what clients are answered."""
    async with InProcess.over(url, check_interval=0) as running:
        paths = ("/items?limit=1000", "/items?sort=-price&in_stock=true", "/items/1", "/activity?limit=100")
        return [(await running.client.get(path)).text for path in paths]


async def test_there_and_back_between_the_databases_everything_is_the_same(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    await migrate(sqlite_url)
    await fill_long(sqlite_url, EVENTS, SEED)
    async with opened(sqlite_url) as database:
        first, before = await export(database, tmp_path / "first"), await tables(database)
    async with migrated(postgres_url) as database:
        there = await bring(database, tmp_path / "first")
        await assert_log_and_projection_agree(database)
        second = await export(database, tmp_path / "second")
        assert (await tables(database))["events"] == before["events"]
    back_url = sqlite_url.replace("itemledger.db", "back.db")
    async with migrated(back_url) as database:
        back = await bring(database, tmp_path / "second")
        await assert_log_and_projection_agree(database)
        assert await tables(database) == before
    assert there == back == first.log == second.log
    assert first.sha256 == second.sha256
    assert await answers(sqlite_url) == await answers(postgres_url) == await answers(back_url)


def changed_copy(path: Path, change: Callable[[list[bytes]], Sequence[bytes]]) -> Path:
    """Give a copy of an export that somebody changed, with the manifest as it was."""
    copy = path.with_name("copy.jsonl")
    copy.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    manifest.path_of(copy).write_bytes(manifest.path_of(path).read_bytes())
    return copy


#: Ways to change a file, and what is said then.
WRONG_FILES: dict[Callable[[list[bytes]], Sequence[bytes]], str] = {
    # A line that is gone, two that are swapped, one that is there twice.
    lambda lines: [*lines[:299], *lines[300:]]: "Event 301 is refused: position 300 is due",
    lambda lines: [*lines[:9], lines[10], lines[9], *lines[11:]]: "Event 11 is refused: position 10 is due",
    lambda lines: lines[1:]: "Event 2 is refused: position 1 is due",
    lambda lines: lines[:-1]: "it has 599 events, and not 600 as the manifest says",
    lambda lines: [*lines, lines[-1]]: "Event 600 is refused: position 601 is due",
    # What is no event.
    lambda lines: [*lines[:-1], lines[-1][:40]]: "line 600 is cut off",
    lambda lines: [lines[0], b"{}\n", *lines[2:]]: "line 2 is no event: Object missing required",
    lambda lines: [lines[0], b"\n", *lines[1:]]: "line 2 is no event",
    # What its hash tells, and what the file's hash alone tells: a space, and a fingerprint.
    lambda lines: [lines[0].replace(b"Item", b"item"), *lines[1:]]: "Event 1 is refused: its leaf hash",
    lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]]: "its SHA-256 is ",
    lambda lines: [*lines[:-1], lines[-1].replace(b'"fingerprint":"00', b'"fingerprint":"01')]: "its SHA-256 is ",
}


async def test_a_file_that_was_changed_is_refused_and_nothing_is_kept(database: Database, exported: Path) -> None:
    before = await tables(database)
    for change, message in WRONG_FILES.items():
        with pytest.raises((ImportRefusedError, RefusedEventError)) as raised:
            await bring(database, changed_copy(exported, change))
        assert str(raised.value).startswith(message)
        assert await tables(database) == before, message


async def test_a_log_whose_root_is_another_is_refused(database: Database, exported: Path) -> None:
    before, tree = await tables(database), manifest_of(exported).log
    for wrong in (Tree(EVENTS, "0" * 64), Tree(EVENTS + 1, tree.root), Tree(250, tree.root)):
        with pytest.raises(ImportRefusedError, match="as a checkpoint says"):
            await bring(database, exported, [Known(tree, "the manifest"), Known(wrong, "a checkpoint")])
    assert await tables(database) == before


async def test_the_root_is_compared_at_each_size_that_is_known(
    database: Database, exported: Path, sqlite_url: str
) -> None:
    shorter = changed_copy(exported, lambda lines: lines[:250])
    async with migrated(sqlite_url.replace("itemledger.db", "shorter.db")) as other:
        earlier = await import_file(other, shorter, [], None, lambda _: None)
    assert earlier.size == 250
    assert (await bring(database, exported, [Known(earlier, "a checkpoint")])).size == EVENTS


async def test_nothing_is_brought_into_a_log_that_has_events(database: Database, exported: Path) -> None:
    await bring(database, exported)
    before = await tables(database)
    with pytest.raises(NotEmptyError, match="it has 600 events"):
        await bring(database, exported)
    assert await tables(database) == before


async def test_an_import_that_is_cancelled_leaves_nothing(database: Database, exported: Path) -> None:
    before = await tables(database)
    loop, under_way = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.create_task(bring(database, exported, tell=lambda _: loop.call_soon_threadsafe(under_way.set)))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tables(database) == before
    assert (await bring(database, exported)).size == EVENTS


async def test_an_export_of_nothing_is_brought_as_nothing(database: Database, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    tree = await import_file(database, tmp_path / "empty", [], None, lambda _: None)
    assert tree.size == 0


def test_lines_that_are_too_long_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_LONGEST", 10)
    (tmp_path / "long").write_bytes(b"x" * 100 + b"\n")
    with (tmp_path / "long").open("rb") as file, pytest.raises(ImportRefusedError, match="line 1 is cut off"):
        list(importing._Reader(file))


def test_a_manifest_is_read_as_it_was_written() -> None:
    made = Manifest(
        file="x", format="jsonl", filter={"item_id": 1}, count=0, first_position=None, last_position=None,
        log=Tree(0, "0" * 64), bytes=0, sha256="0" * 64,
    )  # fmt: skip
    assert manifest.decode(manifest.encode(made)) == made
    with pytest.raises(msgspec.ValidationError):
        manifest.decode(manifest.encode(made).replace(b'"0000', b'"zzzz'))
