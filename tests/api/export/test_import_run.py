"""From one database to the other and back: the same log, the same answers; or nothing, and the reason."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.durations import Interval
from api.export import exported_log, manifest
from api.export.exported_log import LogFiles
from api.export.formats import BY_NAME
from api.export.import_run import import_files
from api.export.manifest import Manifest, Order, Tree
from api.export.output import File
from api.export.run import export_file, plan
from eventstore.database.database import Database
from eventstore.errors import InconsistentLogError, NotEmptyError, TamperedError
from eventstore.log.history import Filter
from eventstore.log.history_reader import Progress
from eventstore.merkle import tree_head
from eventstore.merkle.tree_head import TreeHead
from tests.eventstore.recording import opened, tables
from tests.support.fold import assert_log_and_projection_agree
from tests.support.long_log import fill_long
from tests.support.service import InProcess, migrate
from tests.support.tampering import tamper

EVENTS = 600  # more than two tiles
SEED = 5


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported_log, "_CHUNK", 100)


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


async def export(database: Database, path: Path, **bounds: int) -> Manifest:
    order = Order("jsonl", dict(bounds), "localhost/log")
    with File.opened(path, order, from_scratch=False) as file:
        file.begin(await plan(database, order, Filter(**bounds)))  # type: ignore[arg-type]
        return await export_file(database, partial(BY_NAME["jsonl"].encoder, ""), file, lambda _: None)


async def bring(
    database: Database,
    *files: Path,
    known: Sequence[TreeHead] = (),
    tell: Callable[[Progress], None] = lambda _: None,
) -> TreeHead:
    return await import_files(database, LogFiles(files), known, tell)


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    await migrate(url)
    async with opened(url) as database:
        yield database


async def answers(url: str) -> list[Any]:
    """Give what clients are answered."""
    async with InProcess.over(url, verify_interval=Interval("off")) as running:
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
    assert there == back == TreeHead(EVENTS, bytes.fromhex(first.log.root))
    assert first.sha256 == second.sha256
    assert await answers(sqlite_url) == await answers(postgres_url) == await answers(back_url)


def changed_copy(path: Path, change: Callable[[list[bytes]], Sequence[bytes]], name: str = "copy") -> Path:
    """Give a copy of an export that somebody changed, with the manifest as it was."""
    copy = path.with_name(name)
    copy.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    manifest.path_of(copy).write_bytes(manifest.path_of(path).read_bytes())
    return copy


#: Ways to change a file, and what is said then; test_log_file.py has more of them.
WRONG_FILES: dict[Callable[[list[bytes]], Sequence[bytes]], str] = {
    lambda lines: [*lines[:299], *lines[300:]]: "Position 300: expected position 300, found 301",
    lambda lines: lines[1:]: "Position 1: expected position 1, found 2",
    lambda lines: lines[:-1]: "Position 600: ",
    lambda lines: [*lines[:-1], lines[-1][:40]]: "Position 600: its line is not an event",
    lambda lines: [
        lines[0].replace(b"Item", b"item"),
        *lines[1:],
    ]: "Position 1: its content does not match its stored hash",
    # What no event's hash covers, the file's does.
    lambda lines: [*lines[:-1], lines[-1].replace(b'"fingerprint":"00', b'"fingerprint":"01')]: "Position 600: ",
}


async def test_a_file_that_was_changed_is_refused_and_nothing_is_kept(database: Database, exported: Path) -> None:
    before = await tables(database)
    for change, message in WRONG_FILES.items():
        with pytest.raises(TamperedError) as raised:
            await bring(database, changed_copy(exported, change))
        assert str(raised.value).startswith(message)
        assert await tables(database) == before, message


async def test_a_log_that_is_not_what_was_known_of_it_is_refused(database: Database, exported: Path) -> None:
    before = await tables(database)
    for wrong in (TreeHead(EVENTS, bytes(32)), TreeHead(EVENTS + 1, bytes(32)), TreeHead(250, bytes(32))):
        with pytest.raises(TamperedError, match="checkpoint"):
            await bring(database, exported, known=[wrong])
    assert await tables(database) == before


async def test_a_log_that_is_not_whole_by_its_manifest_is_refused(database: Database, exported: Path) -> None:
    before, url = await tables(database), f"sqlite+aiosqlite:///{exported.parent}/itemledger.db"
    async with opened(url) as other:
        await export(other, exported.with_name("part"), before=400)
        await export(other, exported.with_name("rest"), after=399)
    with pytest.raises(TamperedError, match="Position 400: it is missing: the log had 600 events"):
        await bring(database, exported.with_name("part"))
    assert await tables(database) == before
    assert (await bring(database, exported.with_name("part"), exported.with_name("rest"))).size == EVENTS


async def test_what_is_signed_of_a_log_that_was_brought_extends_all_of_it(database: Database, exported: Path) -> None:
    await bring(database, exported)
    await tamper(database, "DELETE FROM events WHERE position > 400", covered_up=True)
    with pytest.raises(InconsistentLogError, match="a checkpoint covers 600 events, but there are only 400"):
        await database.write(tree_head.advance)


async def test_several_exports_are_brought_as_the_one_log_that_they_are(database: Database, exported: Path) -> None:
    first, second = (
        changed_copy(exported, part, name) for part, name in ((first_part, "first"), (second_part, "second"))
    )
    for copy in (first, second):
        manifest.path_of(copy).unlink()
    head = await bring(database, first, second)
    assert head.root.hex() == manifest.decode(manifest.path_of(exported).read_bytes()).log.root
    await assert_log_and_projection_agree(database)
    with pytest.raises(NotEmptyError, match="the log already contains 600 events"):
        await bring(database, first, second)


def first_part(lines: list[bytes]) -> list[bytes]:
    return lines[:250]


def second_part(lines: list[bytes]) -> list[bytes]:
    return lines[250:]


async def test_an_import_that_is_cancelled_leaves_nothing(database: Database, exported: Path) -> None:
    before = await tables(database)
    loop, under_way = asyncio.get_running_loop(), asyncio.Event()

    def begun(_: Progress) -> None:
        loop.call_soon_threadsafe(under_way.set)

    task = asyncio.create_task(bring(database, exported, tell=begun))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tables(database) == before
    assert (await bring(database, exported)).size == EVENTS


async def test_an_export_of_nothing_is_brought_as_nothing(database: Database, tmp_path: Path) -> None:
    await export(database, tmp_path / "empty")
    assert (await bring(database, tmp_path / "empty")).size == 0


def test_a_manifest_is_read_as_it_was_written() -> None:
    made = Manifest(
        file="x", format="jsonl", filter={"item_id": 1}, count=0, first_position=None, last_position=None,
        log=Tree(0, "0" * 64), bytes=0, sha256="0" * 64,
    )  # fmt: skip
    assert manifest.decode(manifest.encode(made)) == made
    with pytest.raises(msgspec.ValidationError):
        manifest.decode(manifest.encode(made).replace(b'"0000', b'"zzzz'))
