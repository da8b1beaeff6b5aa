"""Imports from one database into the other and back: the same log and responses, or nothing and the reason."""

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
from api.export.manifest import ExportRequest, LogHead, Manifest
from api.export.output import FileOutput
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
    monkeypatch.setattr(exported_log, "_CHUNK_LINES", 100)


@pytest.fixture
async def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A jsonl export of the log of another database."""
    folder = tmp_path_factory.mktemp("exported")
    url = f"sqlite+aiosqlite:///{folder}/itemledger.db"
    await migrate(url)
    await fill_long(url, EVENTS, SEED)
    async with opened(url) as database:
        await export(database, folder / "log.jsonl")
    return folder / "log.jsonl"


async def export(database: Database, path: Path, **bounds: int) -> Manifest:
    order = ExportRequest("jsonl", dict(bounds), "localhost/log")
    with FileOutput.opened(path, order, from_scratch=False) as file:
        file.begin(await plan(database, order, Filter(**bounds)))  # type: ignore[arg-type]
        return await export_file(database, partial(BY_NAME["jsonl"].encoder, ""), file, lambda _: None)


async def import_(
    database: Database,
    *files: Path,
    heads: Sequence[TreeHead] = (),
    tell: Callable[[Progress], None] = lambda _: None,
) -> TreeHead:
    return await import_files(database, LogFiles(files), heads, tell)


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    await migrate(url)
    async with opened(url) as database:
        yield database


async def answers(url: str) -> list[Any]:
    """Return the responses that clients get."""
    async with InProcess.over(url, verify_interval=Interval("off")) as running:
        paths = ("/items?limit=1000", "/items?sort=-price&in_stock=true", "/items/1", "/activity?limit=100")
        return [(await running.client.get(path)).text for path in paths]


async def test_a_round_trip_between_the_databases_changes_nothing(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    await migrate(sqlite_url)
    await fill_long(sqlite_url, EVENTS, SEED)
    async with opened(sqlite_url) as database:
        first, before = await export(database, tmp_path / "first"), await tables(database)
    async with migrated(postgres_url) as database:
        copied = await import_(database, tmp_path / "first")
        await assert_log_and_projection_agree(database)
        second = await export(database, tmp_path / "second")
        assert (await tables(database))["events"] == before["events"]
    back_url = sqlite_url.replace("itemledger.db", "back.db")
    async with migrated(back_url) as database:
        back = await import_(database, tmp_path / "second")
        await assert_log_and_projection_agree(database)
        assert await tables(database) == before
    assert copied == back == TreeHead(EVENTS, bytes.fromhex(first.log.root))
    assert first.sha256 == second.sha256
    assert await answers(sqlite_url) == await answers(postgres_url) == await answers(back_url)


def changed_copy(path: Path, change: Callable[[list[bytes]], Sequence[bytes]], name: str = "copy") -> Path:
    """Return a tampered copy of an export, with the original manifest."""
    copy = path.with_name(name)
    copy.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    manifest.path_of(copy).write_bytes(manifest.path_of(path).read_bytes())
    return copy


#: Ways to tamper with a file, and the error; test_exported_log.py has more.
WRONG_FILES: dict[Callable[[list[bytes]], Sequence[bytes]], str] = {
    lambda lines: [*lines[:299], *lines[300:]]: "Position 300: expected position 300, found 301",
    lambda lines: lines[1:]: "Position 1: expected position 1, found 2",
    lambda lines: lines[:-1]: "Position 600: ",
    lambda lines: [*lines[:-1], lines[-1][:40]]: "Position 600: its line is not an event",
    lambda lines: [
        lines[0].replace(b"Item", b"item"),
        *lines[1:],
    ]: "Position 1: its content does not match its stored hash",
    # The fingerprint is in no event's hash, only in the file's.
    lambda lines: [*lines[:-1], lines[-1].replace(b'"fingerprint":"00', b'"fingerprint":"01')]: "Position 600: ",
}


async def test_a_tampered_file_is_rejected_and_nothing_is_stored(database: Database, exported: Path) -> None:
    before = await tables(database)
    for change, message in WRONG_FILES.items():
        with pytest.raises(TamperedError) as raised:
            await import_(database, changed_copy(exported, change))
        assert str(raised.value).startswith(message)
        assert await tables(database) == before, message


async def test_a_log_that_does_not_match_a_checkpoint_is_rejected(database: Database, exported: Path) -> None:
    before = await tables(database)
    for wrong in (TreeHead(EVENTS, bytes(32)), TreeHead(EVENTS + 1, bytes(32)), TreeHead(250, bytes(32))):
        with pytest.raises(TamperedError, match="checkpoint"):
            await import_(database, exported, heads=[wrong])
    assert await tables(database) == before


async def test_an_incomplete_log_is_rejected_by_its_manifest(database: Database, exported: Path) -> None:
    before, url = await tables(database), f"sqlite+aiosqlite:///{exported.parent}/itemledger.db"
    async with opened(url) as other:
        await export(other, exported.with_name("part"), before=400)
        await export(other, exported.with_name("rest"), after=399)
    with pytest.raises(TamperedError, match="Position 400: it is missing: the log had 600 events"):
        await import_(database, exported.with_name("part"))
    assert await tables(database) == before
    assert (await import_(database, exported.with_name("part"), exported.with_name("rest"))).size == EVENTS


async def test_later_signatures_extend_the_whole_imported_log(database: Database, exported: Path) -> None:
    await import_(database, exported)
    await tamper(database, "DELETE FROM events WHERE position > 400", covered_up=True)
    with pytest.raises(InconsistentLogError, match="a checkpoint covers 600 events, but there are only 400"):
        await database.write(tree_head.advance)


async def test_several_exports_are_imported_as_one_log(database: Database, exported: Path) -> None:
    first, second = (
        changed_copy(exported, part, name) for part, name in ((first_part, "first"), (second_part, "second"))
    )
    for copy in (first, second):
        manifest.path_of(copy).unlink()
    head = await import_(database, first, second)
    assert head.root.hex() == manifest.decode(manifest.path_of(exported).read_bytes()).log.root
    await assert_log_and_projection_agree(database)
    with pytest.raises(NotEmptyError, match="already contains 600 events"):
        await import_(database, first, second)


def first_part(lines: list[bytes]) -> list[bytes]:
    return lines[:250]


def second_part(lines: list[bytes]) -> list[bytes]:
    return lines[250:]


async def test_a_cancelled_import_stores_nothing(database: Database, exported: Path) -> None:
    before = await tables(database)
    loop, started = asyncio.get_running_loop(), asyncio.Event()

    def signal(_: Progress) -> None:
        loop.call_soon_threadsafe(started.set)

    task = asyncio.create_task(import_(database, exported, tell=signal))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tables(database) == before
    assert (await import_(database, exported)).size == EVENTS


async def test_an_empty_export_is_imported_as_an_empty_log(database: Database, tmp_path: Path) -> None:
    await export(database, tmp_path / "empty")
    assert (await import_(database, tmp_path / "empty")).size == 0


def test_a_manifest_is_decoded_as_it_was_encoded() -> None:
    written = Manifest(
        file="x", format="jsonl", filter={"item_id": 1}, count=0, first_position=None, last_position=None,
        log=LogHead(0, "0" * 64), bytes=0, sha256="0" * 64,
    )  # fmt: skip
    assert manifest.decode(manifest.encode(written)) == written
    with pytest.raises(msgspec.ValidationError):
        manifest.decode(manifest.encode(written).replace(b'"0000', b'"zzzz'))
