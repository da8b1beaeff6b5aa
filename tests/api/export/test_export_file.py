"""An export to a file: its content, its manifest, and that an interruption changes neither."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, text

from api.export import atomic_files, manifest, output, run
from api.export.formats import FORMATS, Format
from api.export.manifest import ExportRequest, Manifest
from api.export.output import FileOutput, OutputError
from api.export.run import export_file
from api.schemas.event import to_event_document
from eventstore.database.database import Database
from eventstore.log import history
from eventstore.log.history import Filter
from eventstore.log.history_reader import HistoryReader, Progress
from tests.eventstore.recording import changed, created, opened, record
from tests.support.fold import root_of
from tests.support.service import migrate
from tests.support.tampering import tamper

EVENTS = 40
_RESUMABLE = [format for format in FORMATS if format.resumable]
JSONL = FORMATS[0]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_PAGE_EVENTS", 7)


async def fill(database: Database) -> None:
    items = range(1, EVENTS // 2 + 1)
    await record(database, [*map(created, items), *(changed(item, 2) for item in items)])


async def export(
    database: Database,
    path: Path,
    *,
    format: Format = JSONL,
    tell: Callable[[Progress], None] = lambda _: None,
    from_scratch: bool = False,
    origin: str = "localhost/log",
    **filter: int,
) -> Manifest:
    request = ExportRequest(format.name, dict(filter), origin)
    with FileOutput.opened(path, request, from_scratch=from_scratch, resumable=format.resumable) as file:
        if file.plan is None:
            file.begin(await run.plan(database, request, Filter(**filter)))  # type: ignore[arg-type]
        return await export_file(database, partial(format.encoder, origin), file, tell)


def stop(_: Progress) -> None:
    raise asyncio.CancelledError


async def lines_of(database: Database, filter: Filter = Filter()) -> bytes:  # noqa: B008  (it is frozen)
    events = await database.read_transaction(lambda connection: list(history.read(connection, filter, 1_000)))
    return b"".join(msgspec.json.encode(to_event_document(event)) + b"\n" for event in events)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def root(database: Database) -> str:
    rows = await database.read(text("SELECT leaf_hash FROM events ORDER BY position"))
    return root_of([row[0] for row in rows]).hex()


async def test_the_file_contains_the_whole_log_and_the_manifest_describes_it(
    database: Database, tmp_path: Path
) -> None:
    await fill(database)
    path = tmp_path / "export" / "log.jsonl"
    path.parent.mkdir()
    reported: list[Progress] = []
    made = await export(database, path, tell=reported.append)
    content = path.read_bytes()
    assert content == await lines_of(database)
    assert made == manifest.decode(manifest.path_of(path).read_bytes())
    assert (made.file, made.format, made.filter, made.count) == ("log.jsonl", "jsonl", {}, EVENTS)
    assert (made.first_position, made.last_position) == (1, EVENTS)
    assert (made.bytes, made.sha256) == (len(content), sha256(content).hexdigest())
    assert (made.log.size, made.log.root) == (EVENTS, await root(database))
    assert [(progress.position, progress.target) for progress in reported] == [
        (min(position, EVENTS), EVENTS) for position in range(7, EVENTS + 7, 7)
    ]
    assert names_in(path.parent) == ["log.jsonl", "log.jsonl.manifest.json"]


async def test_a_filtered_export_contains_only_its_events(database: Database, tmp_path: Path) -> None:
    await fill(database)
    made = await export(database, tmp_path / "item", item_id=3, after=2, before=EVENTS)
    assert (made.count, made.first_position, made.last_position) == (2, 3, 23)
    assert made.filter == {"item_id": 3, "after": 2, "before": EVENTS}
    assert (tmp_path / "item").read_bytes() == await lines_of(database, Filter(item_id=3))
    nothing = await export(database, tmp_path / "nothing", item_id=99)
    assert (nothing.count, nothing.first_position, nothing.last_position, nothing.bytes) == (0, None, None, 0)
    assert (tmp_path / "nothing").read_bytes() == b""


async def test_an_empty_log_is_exported_as_an_empty_file(database: Database, tmp_path: Path) -> None:
    made = await export(database, tmp_path / "empty")
    assert (made.count, made.log.size, made.log.root) == (0, 0, sha256().hexdigest())


async def test_events_appended_during_an_export_are_not_in_it(database: Database, tmp_path: Path) -> None:
    await fill(database)
    expected, tree = await lines_of(database), await root(database)
    path, request = tmp_path / "log", ExportRequest("jsonl", {}, "localhost/log")
    with FileOutput.opened(path, request, from_scratch=False) as file:
        file.begin(await run.plan(database, request, Filter()))
        await record(database, [created(EVENTS + 1)])
        made = await export_file(database, partial(JSONL.encoder, ""), file, lambda _: None)
    assert (path.read_bytes(), made.log.root, made.count) == (expected, tree, EVENTS)


@pytest.mark.parametrize("format", _RESUMABLE, ids=lambda format: format.name)
@pytest.mark.parametrize("pages", [1, 3, 5])
async def test_a_cancelled_export_is_resumed(database: Database, tmp_path: Path, format: Format, pages: int) -> None:
    await fill(database)
    whole = await export(database, tmp_path / "whole", format=format)

    path, seen = tmp_path / "cut", list[Progress]()

    def stop_later(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == pages:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await export(database, path, format=format, tell=stop_later)
    assert not path.exists()
    await record(database, [created(EVENTS + 1)])  # later events are not exported
    resumed: list[Progress] = []
    made = await export(database, path, format=format, tell=resumed.append)
    assert resumed[0].position == min((pages + 1) * 7, EVENTS)
    assert made == msgspec.structs.replace(whole, file="cut")
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("saved", [0, 2, 4])
async def test_after_a_crash_an_export_resumes_after_the_saved_state(
    database: Database, tmp_path: Path, saved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    monkeypatch.setattr(output, "monotonic", lambda: 0.0)  # no save because of the time
    path, request, seen = tmp_path / "log", ExportRequest("jsonl", {}, "localhost/log"), list[Progress]()
    with suppress(RuntimeError), FileOutput.opened(path, request, from_scratch=False) as file:
        save_state = file.save_state

        def crash(progress: Progress) -> None:
            seen.append(progress)
            if len(seen) == saved:
                save_state()
            if len(seen) == 5:
                file.write(b'{"position": 36, "half a li')
                monkeypatch.setattr(file, "save_state", lambda: None)
                raise RuntimeError

        file.begin(await run.plan(database, request, Filter()))
        await export_file(database, partial(JSONL.encoder, ""), file, crash)
    resumed: list[Progress] = []
    await export(database, path, tell=resumed.append)
    assert resumed[0].position == (saved + 1) * 7
    assert path.read_bytes() == await lines_of(database)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", ["log", "log.manifest.json"])
async def test_a_crash_at_the_end_leaves_no_file_without_its_manifest(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, late: bool
) -> None:
    await fill(database)
    path, publish = tmp_path / "log", atomic_files.publish
    path.write_text("something else")
    manifest.path_of(path).write_text("and its manifest")

    def crash(partial: Path, target: Path) -> None:
        if late or target.name != name:
            publish(partial, target)
        if target.name == name:
            raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "publish", crash)
        with pytest.raises(RuntimeError):
            await export(database, path, from_scratch=True)
    if path.exists():
        with pytest.raises(OutputError, match="already exists"):
            await export(database, path)
    else:
        await export(database, path)
    content = path.read_bytes()
    assert content == await lines_of(database)
    assert manifest.decode(manifest.path_of(path).read_bytes()).sha256 == sha256(content).hexdigest()


async def test_a_file_shorter_than_its_saved_state_is_started_again(database: Database, tmp_path: Path) -> None:
    await fill(database)
    path = tmp_path / "log"

    with suppress(asyncio.CancelledError):
        await export(database, path, tell=stop)
    with path.with_name("log.partial").open("r+b") as partial_file:
        partial_file.truncate(10)
    await export(database, path)
    assert path.read_bytes() == await lines_of(database)


async def test_an_existing_file_is_only_replaced_with_from_scratch(database: Database, tmp_path: Path) -> None:
    await fill(database)
    path = tmp_path / "log"
    path.write_text("something else")
    with pytest.raises(OutputError, match="already exists"):
        await export(database, path)
    assert path.read_text() == "something else"
    await export(database, path, from_scratch=True)
    assert path.read_bytes() == await lines_of(database)


async def test_another_export_to_the_same_file_is_not_resumed(database: Database, tmp_path: Path) -> None:
    await fill(database)
    path = tmp_path / "log"

    with suppress(asyncio.CancelledError):
        await export(database, path, tell=stop)
    with pytest.raises(OutputError, match="it is another export"):
        await export(database, path, item_id=3)
    with pytest.raises(OutputError, match="it is another export"):
        await export(database, path, origin="example.com/log")
    assert (await export(database, path, item_id=3, from_scratch=True)).count == 2


@pytest.mark.parametrize("events", [3, EVENTS, EVENTS + 1])
async def test_an_export_of_another_log_is_not_resumed(database: Database, tmp_path: Path, events: int) -> None:
    await fill(database)
    path, url = tmp_path / "log", f"sqlite+aiosqlite:///{tmp_path}/other.db"
    with suppress(asyncio.CancelledError):
        await export(database, path, tell=stop)
    await migrate(url)
    async with opened(url) as other:
        await record(other, [created(item, "Ink") for item in range(1, events + 1)])
        with pytest.raises(OutputError, match="begun from another log"):
            await export(other, path)
    assert not path.exists()
    await export(database, path)
    assert path.read_bytes() == await lines_of(database)


async def test_an_export_that_lacks_events_fails(database: Database, tmp_path: Path) -> None:
    await fill(database)
    await tamper(database, f"DELETE FROM events WHERE position > {EVENTS - 5}")
    with pytest.raises(OutputError, match="Expected 40 events but found 35"):
        await export(database, tmp_path / "log")
    assert (await export(database, tmp_path / "item", item_id=19)).count == 1  # how many there should be is unknown
    assert not (tmp_path / "log").exists()


async def test_a_file_is_written_by_one_process_at_a_time(database: Database, tmp_path: Path) -> None:
    await fill(database)
    path, request = tmp_path / "log", ExportRequest("jsonl", {}, "localhost/log")
    with (
        FileOutput.opened(path, request, from_scratch=False),
        pytest.raises(OutputError, match="another process"),
        FileOutput.opened(path, request, from_scratch=True),
    ):
        pass
    with (
        pytest.raises(OutputError, match="No such file"),
        FileOutput.opened(tmp_path / "no" / "log", request, from_scratch=True),
    ):
        pass


async def test_no_transaction_is_open_between_two_pages(database: Database) -> None:
    await fill(database)
    pages = HistoryReader(database).pages(Filter(before=EVENTS + 1), 7)
    assert [await database.write(_open_snapshots) async for _ in pages] == [0] * 6


def _open_snapshots(connection: Connection) -> object:
    """Count the transactions that keep the database from reclaiming space."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None
        busy, left, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return busy + left
    snapshots = "FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL"
    with connection.begin():
        return connection.scalar(text(f"SELECT count(*) {snapshots} AND pid <> pg_backend_pid()"))
