"""`itemledger rebuild`: what it prints, how it ends, and that it goes on where it was interrupted."""

import json
import os
import pty
import signal
import subprocess
import threading
from contextlib import suppress

import pytest

from projections.rebuild import rebuild_state
from tests.eventstore.recording import opened
from tests.support.checks import assert_whole
from tests.support.rebuilding import (
    EVENTS,
    SLOWLY,
    UNKNOWN_EVENT,
    fill,
    known_of,
    leftovers,
    price_of,
    rebuild,
    rebuilding,
    report_of,
    run_sql,
    under_way,
)
from tests.support.service import ITEMLEDGER, free_port, migrate, outer_environment

WRONG = ("UPDATE items SET price = 1 WHERE id = 7", "DELETE FROM items WHERE id = 9")


@pytest.fixture
async def filled_url(ready_url: str) -> str:
    """A database whose log has something to replay."""
    async with opened(ready_url) as database:
        await fill(database)
    return ready_url


def assert_refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Fail unless it ended with 1 and an error told in one line that has all these words."""
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("items, "))
    assert line.startswith("Error: ")
    for word in words:
        assert word in line


async def test_a_table_that_is_right_is_rebuilt_the_same(filled_url: str) -> None:
    done = rebuild(filled_url)
    assert done.returncode == 0, done
    first, *lines = done.stdout.splitlines()
    assert first == f"items, version 2: rebuilt as of position {EVENTS:,}, and put in place"
    told = {line[2:20].strip(): line[20:] for line in lines}
    assert told["events replayed"].startswith(f"{EVENTS:,} (")
    assert (told["rows"], told["rows compared"], told["rows that differ"]) == ("500", "500", "0")
    assert told["digest, live"] == told["digest, rebuilt"]
    assert len(told["digest, live"]) == 64
    assert told["lock held"].endswith(" ms")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()][-3:] == [
        f"items, {phase}" for phase in ("index", "compare", "swap")
    ]
    assert await leftovers(filled_url) == []
    await assert_whole(filled_url)


async def test_a_table_that_is_wrong_is_put_right_and_what_was_wrong_is_shown(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG, "UPDATE items SET name = '[red]\\' || '\x1b[31m' WHERE id = 8")
    done = rebuild(filled_url)
    assert done.returncode == 3, done
    shown = [line.split() for line in done.stdout.splitlines()[-4:]]
    assert shown[0] == ["7", "price", "1", "20000"]
    assert shown[1] == ["8", "name", r"'[red]\\\x1b[31m'", "'Pen'"]
    assert shown[2] == ["9", "id", "None", "9"]
    assert "rows that differ  3\n" in done.stdout
    assert "\x1b" not in done.stdout
    await assert_whole(filled_url)
    assert rebuild(filled_url).returncode == 0


async def test_a_dry_run_finds_what_is_wrong_and_changes_nothing(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG)
    done = rebuild(filled_url, "--dry-run", "--json")
    assert done.returncode == 3, done
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
    *told, last = map(json.loads, done.stdout.splitlines())
    assert all(list(line) == ["progress"] for line in told)
    assert {line["progress"]["phase"] for line in told} == {"fill", "index", "compare", "swap"}
    assert set(told[0]["progress"]) == {"projection", "phase", "position", "target", "rate", "eta"}
    assert 0 < told[0]["progress"]["position"] <= told[0]["progress"]["target"] == EVENTS
    assert list(last) == ["report"]
    assert last["report"]["position"] == EVENTS


async def test_throttled_it_takes_its_time(filled_url: str) -> None:
    quick, slow = (report_of(rebuild(filled_url, "--json", *throttle)) for throttle in ((), ("--throttle", "400")))
    assert quick["seconds"]["fill"] < 1 < slow["seconds"]["fill"]
    assert slow["rate"] < 600 < quick["rate"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
async def test_interrupted_it_says_so_and_the_next_run_goes_on(
    filled_url: str, number: signal.Signals, code: int
) -> None:
    with rebuilding(filled_url, "--json", *SLOWLY) as process:
        before = await under_way(filled_url)
        process.send_signal(number)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (code, "Interrupted: the next run goes on from here\n")
    known = await known_of(filled_url)
    assert known is not None
    assert known.state == "interrupted"
    assert before.cursor.position <= known.cursor.position < EVENTS
    done = rebuild(filled_url, "--json")
    assert done.returncode == 0, done
    assert report_of(done)["events"] <= EVENTS - known.cursor.position
    await assert_whole(filled_url)


async def test_from_scratch_it_heeds_no_run_before(filled_url: str) -> None:
    with rebuilding(filled_url, "--json", *SLOWLY) as process:
        await under_way(filled_url)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    await run_sql(filled_url, "UPDATE items_rebuild SET price = 5")
    done = rebuild(filled_url, "--from-scratch", "--json")
    assert done.returncode == 0, done
    assert report_of(done)["rows_differ"] == 0
    await assert_whole(filled_url)


async def test_a_second_rebuild_at_once_is_refused(filled_url: str) -> None:
    with rebuilding(filled_url, *SLOWLY):
        await under_way(filled_url)
        assert_refused(rebuild(filled_url), "items is being rebuilt already")


async def test_one_that_somebody_cancels_says_so_and_leaves_nothing(filled_url: str) -> None:
    with rebuilding(filled_url, *SLOWLY) as process:
        await under_way(filled_url)
        async with opened(filled_url) as database:
            assert await database.write(lambda connection: rebuild_state.cancel(connection, "items"))
        output, errors = process.communicate(timeout=300)
    assert_refused(subprocess.CompletedProcess([], process.returncode, output, errors), "cancelled")
    assert await leftovers(filled_url) == []
    await assert_whole(filled_url)


async def test_a_log_that_this_version_cannot_read_is_refused(filled_url: str) -> None:
    await run_sql(filled_url, UNKNOWN_EVENT)
    assert_refused(rebuild(filled_url), "item.painted.v1", f"{EVENTS + 1}")


async def test_a_database_that_cannot_be_reached_is_said_in_one_line() -> None:
    assert_refused(rebuild(f"postgresql+asyncpg://me:secret@127.0.0.1:{free_port()}/items"), "can't be reached")


async def test_a_schema_that_is_not_at_head_is_said_with_the_command_that_helps(postgres_url: str) -> None:
    await migrate(postgres_url)
    await migrate(postgres_url, down_to="0004")
    assert_refused(rebuild(postgres_url), "itemledger migrate")


@pytest.mark.parametrize("arguments", [["nothing"], ["items", "--throttle", "0"], []])
def test_wrong_arguments_are_refused_with_the_usage(arguments: list[str]) -> None:
    done = subprocess.run([ITEMLEDGER, "rebuild", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: itemledger rebuild")


async def test_on_a_terminal_there_is_a_bar(filled_url: str) -> None:
    printed, shown = on_a_terminal(filled_url, "--throttle", "400")
    assert "━" in shown
    assert "1,000 events" in shown
    assert printed.startswith("items, version 2: rebuilt")


def on_a_terminal(url: str, *arguments: str) -> tuple[str, str]:
    """Run `itemledger rebuild items`; give what it printed, and what somebody who watched a terminal saw of it."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []

    def watch() -> None:
        with suppress(OSError):  # what a terminal gives that nobody holds any more
            seen.extend(iter(lambda: os.read(ours, 4096), b""))

    watching = threading.Thread(target=watch)
    watching.start()
    environment = {**outer_environment(), "DATABASE_URL": url, "TERM": "xterm", "COLUMNS": "160"}
    command = [os.fspath(ITEMLEDGER), "rebuild", "items", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    watching.join()
    os.close(ours)
    return done.stdout.decode(), b"".join(seen).decode()
