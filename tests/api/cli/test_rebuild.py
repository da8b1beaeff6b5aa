"""`itemledger rebuild`: output, exit codes, and resuming an interrupted rebuild."""

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from eventstore.database.database import Database
from projections.projection import Projection
from projections.rebuild import rebuild_requests
from projections.rebuild.rebuild import Options
from projections.rebuild.rebuild import rebuild as rebuild_projection
from projections.rebuild.rebuild_state import Report
from tests.api.cli.command import Done, clean_environment, itemledger, without_database
from tests.eventstore.recording import opened
from tests.support.checks import assert_whole
from tests.support.rebuilding import (
    EVENTS,
    OF_ANOTHER_VERSION,
    SLOWLY,
    UNKNOWN_EVENT,
    fill,
    known_of,
    leftovers,
    price_of,
    rebuilding,
    report_of,
    run_sql,
    under_way,
)
from tests.support.service import ITEMLEDGER, free_port, migrate

WRONG = ("UPDATE items SET price = 1 WHERE id = 7", "DELETE FROM items WHERE id = 9")


@pytest.fixture
async def filled_url(ready_url: str) -> str:
    """A database whose log has something to replay."""
    async with opened(ready_url) as database:
        await fill(database)
    return ready_url


def rebuild(url: str, *arguments: object) -> Done:
    """Run `itemledger rebuild items` to its end."""
    return itemledger(url, "rebuild", "items", *arguments)


def assert_refused(done: Done, *words: str) -> None:
    """Fail unless it ended with 1 and one line of error, beside progress, that has all these words."""
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("items, "))
    assert line.startswith("Error: ")
    for word in words:
        assert word in line


async def test_a_correct_table_is_rebuilt_without_differences(filled_url: str) -> None:
    done = rebuild(filled_url)
    assert done.returncode == 0, done
    first, *lines = done.stdout.splitlines()
    assert first == f"items, version 2: rebuilt as of position {EVENTS:,}, 0 rows corrected"
    printed = {line[2:20].strip(): line[20:] for line in lines}
    assert printed["events replayed"].startswith(f"{EVENTS:,} (")
    assert (printed["rows"], printed["rows compared"], printed["rows that differ"]) == ("500", "500", "0")
    assert printed["digest, live"] == printed["digest, rebuilt"]
    assert len(printed["digest, live"]) == 64
    assert printed["lock held"].endswith(" ms")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()][-3:] == [
        f"items, {phase}" for phase in ("index", "compare", "swap")
    ]
    assert await leftovers(filled_url) == []
    await assert_whole(filled_url)


async def test_a_wrong_table_is_corrected_and_the_differences_are_printed(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG, "UPDATE items SET name = '[red]\\' || '\x1b[31m' WHERE id = 8")
    done = rebuild(filled_url)
    assert done.returncode == 1, done
    shown = [line.split() for line in done.stdout.splitlines()[-4:]]
    assert shown[0] == ["7", "price", "1", "20000"]
    assert shown[1] == ["8", "name", r"'[red]\\\x1b[31m'", "'Pen'"]
    assert shown[2] == ["9", "id", "None", "9"]
    assert "rows that differ  3\n" in done.stdout
    assert "\x1b" not in done.stdout
    await assert_whole(filled_url)
    assert rebuild(filled_url).returncode == 0


async def test_a_dry_run_reports_differences_and_changes_nothing(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG)
    done = rebuild(filled_url, "--dry-run", "--json")
    assert done.returncode == 1, done
    report = report_of(done)
    assert (report["swapped"], report["rows_differ"]) == (False, 2)
    assert report["samples"] == [
        {"id": 7, "column": "price", "live": 1, "rebuilt": 20000},
        {"id": 9, "column": "id", "live": None, "rebuilt": 9},
    ]
    assert report["digest_live"] != report["digest_rebuilt"]
    assert await price_of(filled_url, 7) == 1
    assert await leftovers(filled_url) == []


async def test_with_json_every_line_is_an_object_and_the_last_is_the_report(filled_url: str) -> None:
    done = rebuild(filled_url, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    *printed, last = map(json.loads, done.stdout.splitlines())
    assert all(list(line) == ["progress"] for line in printed)
    assert {line["progress"]["phase"] for line in printed} == {"fill", "index", "compare", "swap"}
    assert set(printed[0]["progress"]) == {"projection", "phase", "position", "target", "rate", "eta"}
    assert 0 < printed[0]["progress"]["position"] <= printed[0]["progress"]["target"] == EVENTS
    assert list(last) == ["report"]
    assert last["report"]["position"] == EVENTS


async def test_the_options_reach_the_rebuild(filled_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[Options] = []

    async def replay(database: Database, projection: Projection, options: Options, tell: Callable[..., None]) -> Report:
        requested.append(options)
        return await rebuild_projection(database, projection, options, tell)

    monkeypatch.setattr("api.cli.rebuild.replay", replay)
    for arguments in ((), ("--throttle", 5000), ("--from-scratch", "--dry-run")):
        assert rebuild(filled_url, *arguments).returncode == 0
    assert requested == [Options(), Options(throttle=5000), Options(from_scratch=True, dry_run=True)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
async def test_an_interrupted_rebuild_is_resumed_by_the_next_run(
    filled_url: str, number: signal.Signals, code: int
) -> None:
    with rebuilding(filled_url, "--json", *SLOWLY) as process:
        before = await under_way(filled_url)
        process.send_signal(number)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (code, "Interrupted: run the command again to resume\n")
    state = await known_of(filled_url)
    assert state is not None
    assert state.state == "interrupted"
    assert before.cursor.position <= state.cursor.position < EVENTS
    done = rebuild(filled_url, "--json")
    assert done.returncode == 0, done
    assert report_of(done)["events"] <= EVENTS - state.cursor.position
    await assert_whole(filled_url)


async def test_from_scratch_discards_the_interrupted_run(filled_url: str) -> None:
    with rebuilding(filled_url, "--json", *SLOWLY) as process:
        await under_way(filled_url)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    await run_sql(filled_url, "UPDATE items_rebuild SET price = 5")
    done = rebuild(filled_url, "--from-scratch", "--json")
    assert done.returncode == 0, done
    assert report_of(done)["rows_differ"] == 0
    await assert_whole(filled_url)


async def test_a_second_rebuild_at_the_same_time_is_refused(filled_url: str) -> None:
    with rebuilding(filled_url, *SLOWLY):
        await under_way(filled_url)
        assert_refused(rebuild(filled_url), "A rebuild of items is already running")


async def test_a_cancelled_rebuild_reports_it_and_leaves_nothing(filled_url: str) -> None:
    with rebuilding(filled_url, *SLOWLY) as process:
        await under_way(filled_url)
        async with opened(filled_url) as database:
            assert await database.write(lambda connection: rebuild_requests.cancel(connection, "items"))
        output, errors = process.communicate(timeout=300)
    assert_refused(subprocess.CompletedProcess([], process.returncode, output, errors), "cancelled")
    assert await leftovers(filled_url) == []
    await assert_whole(filled_url)


async def test_a_log_that_this_version_cannot_read_is_refused(filled_url: str) -> None:
    await run_sql(filled_url, UNKNOWN_EVENT)
    assert_refused(rebuild(filled_url), "item.painted.v1", f"{EVENTS + 1}")


async def test_an_unreachable_database_is_reported_in_one_line() -> None:
    assert_refused(rebuild(f"postgresql+asyncpg://me:secret@127.0.0.1:{free_port()}/items"), "can't be reached")


async def test_an_old_schema_is_refused_and_the_error_names_the_command(postgres_url: str) -> None:
    await migrate(postgres_url)
    await migrate(postgres_url, down_to="base")
    assert_refused(rebuild(postgres_url), "itemledger migrate")


@pytest.mark.parametrize("arguments", [["nothing"], ["items", "--throttle", "0"], []])
def test_invalid_arguments_print_the_usage(arguments: list[str]) -> None:
    done = without_database("rebuild", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: itemledger rebuild")


async def test_on_a_terminal_there_is_a_bar(filled_url: str) -> None:
    printed, shown = on_a_terminal(filled_url, "--throttle", "400")
    assert "━" in shown
    assert "1,000 events" in shown
    assert printed.startswith("items, version 2: rebuilt")


def on_a_terminal(url: str, *arguments: str) -> tuple[str, str]:
    """Run `itemledger rebuild items`. Return its standard output, and its standard error on a terminal."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []

    def watch() -> None:
        with suppress(OSError):  # the terminal was closed
            seen.extend(iter(lambda: os.read(ours, 4096), b""))

    watching = threading.Thread(target=watch)
    watching.start()
    environment = clean_environment(DATABASE_URL=url, TERM="xterm", COLUMNS=160)
    command = [os.fspath(ITEMLEDGER), "rebuild", "items", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    watching.join()
    os.close(ours)
    return done.stdout.decode(), b"".join(seen).decode()


async def test_a_replacement_that_would_lose_another_object_is_refused_by_its_name(filled_url: str) -> None:
    reference = "CREATE TABLE notes (item bigint REFERENCES items (id))"
    await run_sql(filled_url, reference, *OF_ANOTHER_VERSION)
    assert_refused(rebuild(filled_url), "table notes", "Drop them, rebuild, then create them again")
    await run_sql(filled_url, "DROP TABLE notes")
    assert rebuild(filled_url).returncode == 0
    await assert_whole(filled_url)
