"""`itemledger verify projections` and `itemledger rebuild items --item`: what they print, and how they end."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.eventstore.log.test_snapshots import filling
from tests.eventstore.recording import execute_long, opened
from tests.support.checks import assert_whole
from tests.support.rebuilding import EVENTS, UNKNOWN_EVENT, fill, run_sql
from tests.support.service import ITEMLEDGER, outer_environment, serving
from tests.support.tables import everything

WRONG = ("UPDATE items SET price = 1 WHERE id = 7", "DELETE FROM items WHERE id = 9")
VERIFY = ("verify", "projections")


@pytest.fixture
async def filled_url(ready_url: str) -> str:
    """A database whose log has something to fold."""
    async with opened(ready_url) as database:
        await fill(database)
    return ready_url


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ITEMLEDGER, *arguments],
        env={**outer_environment(), "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def verifying(url: str) -> Iterator["subprocess.Popen[str]"]:
    """Have `itemledger verify projections` run; it is killed at the end, if it is still there."""
    process = subprocess.Popen(
        [ITEMLEDGER, *VERIFY],
        env={**outer_environment(), "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Fail unless it ended with 1 and an error told in one line that has all these words."""
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    for word in words:
        assert word in line


def told(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    """Give what was printed of each: the facts by their labels, and what the headline says under the empty one."""
    verdicts: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        name, _, headline = line.partition(": ")
        if headline and not line.startswith(" "):
            verdicts[name] = {"": headline}
        elif verdicts and (label := line[2:20].strip()):
            list(verdicts.values())[-1][label] = line[20:].strip()
    return verdicts


async def test_where_all_is_what_the_log_says_the_exit_code_is_0_and_nothing_is_changed(filled_url: str) -> None:
    async with opened(filled_url) as database:
        before = await everything(database)
        done = run(filled_url, *VERIFY)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert await everything(database) == before
    found = told(done)
    assert list(found) == ["items", "activity", "item_versions", "snapshots"]
    assert {one[""] for one in found.values()} == {f"as the log says, as of position {EVENTS:,}"}
    assert (found["items"]["rows compared"], found["items"]["rows that differ"]) == (f"{EVENTS // 2:,}", "0")
    assert found["items"]["digest, stored"] == found["items"]["digest, the log's"]
    assert len(found["items"]["digest, stored"]) == 64


async def test_where_rows_differ_they_are_shown_and_the_exit_code_is_1(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG)
    done = run(filled_url, *VERIFY)
    assert (done.returncode, done.stderr) == (1, ""), done
    found = told(done)
    assert found["items"][""] == f"NOT as the log says, as of position {EVENTS:,}"
    assert found["items"]["rows that differ"] == "2"
    assert found["items"]["digest, stored"] != found["items"]["digest, the log's"]
    shown = [line.split() for line in done.stdout.splitlines()]
    assert ["7", "price", "1", "20000"] in shown
    assert ["9", "id", "None", "9"] in shown
    assert found["activity"][""] == f"as the log says, as of position {EVENTS:,}"


async def test_as_json_it_is_one_object(filled_url: str) -> None:
    for same, code in ((True, 0), (False, 1)):
        done = run(filled_url, *VERIFY, "--json")
        assert (done.returncode, done.stderr) == (code, ""), done
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["same"] is same
        assert [verdict["name"] for verdict in answer["verdicts"]] == [
            "items",
            "activity",
            "item_versions",
            "snapshots",
        ]
        assert answer["verdicts"][0]["rows_differ"] == (0 if same else 2)
        await run_sql(filled_url, *WRONG)


async def test_what_stands_elsewhere_is_said(filled_url: str) -> None:
    await run_sql(filled_url, "UPDATE projections SET position = 9 WHERE name = 'items'")
    done = run(filled_url, *VERIFY)
    assert done.returncode == 1
    assert told(done)["items"]["problem"] == f"it stands at position 9, while the log is at {EVENTS}"


async def test_what_can_not_be_verified_is_refused_in_one_line(filled_url: str) -> None:
    await run_sql(filled_url, UNKNOWN_EVENT)
    assert_refused(run(filled_url, *VERIFY), "item.painted.v1")
    await run_sql(filled_url, "UPDATE alembic_version SET version_num = '0004'")
    assert_refused(run(filled_url, *VERIFY), "0004", "itemledger migrate")


def test_a_file_that_is_not_there_is_not_made(sqlite_url: str) -> None:
    assert_refused(run(sqlite_url, *VERIFY), "unable to open database file")
    assert_refused(run(sqlite_url, *VERIFY), "unable to open database file")


async def test_it_runs_beside_a_service_that_writes(ready_url: str) -> None:
    with serving(ready_url) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            for number in range(50):
                (await client.post("/items", json={"name": f"item {number}", "price": 1})).raise_for_status()
            with verifying(ready_url) as process:
                written = 0
                while process.poll() is None:
                    written += 1
                    (await client.patch("/items/1", json={"price": written})).raise_for_status()
                output, errors = process.communicate()
    assert (process.returncode, errors) == (0, ""), output
    assert written
    await assert_whole(ready_url)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupt_ends_it_and_leaves_nothing(ready_url: str, number: int, code: int) -> None:
    async with opened(ready_url) as database:
        statements = filling(database.url.get_backend_name(), "many")  # what takes some seconds
        await execute_long(database, *(statement.replace(":", "\\:") for statement in statements))
        before = await everything(database)
    with verifying(ready_url) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("items: ")
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (code, "Stopped\n")
        assert "activity" not in output
    async with opened(ready_url) as database:
        assert await everything(database) == before


async def test_one_item_is_mended(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG)
    for item, column, live, folded in ((7, "price", "1", "20000"), (9, "id", "None", "9")):
        done = run(filled_url, "rebuild", "items", "--item", str(item), "--dry-run")
        assert (done.returncode, done.stderr) == (3, ""), done
        assert done.stdout.startswith(f"items, item {item}: not mended: a dry run, as of position {EVENTS:,}\n")
        done = run(filled_url, "rebuild", "items", "--item", str(item))
        assert (done.returncode, done.stderr) == (3, ""), done
        first, *lines = done.stdout.splitlines()
        assert first == f"items, item {item}: mended, as of position {EVENTS:,}"
        assert [str(item), column, live, folded] in [line.split() for line in lines]
        done = run(filled_url, "rebuild", "items", "--item", str(item), "--json")
        assert (done.returncode, done.stderr) == (0, ""), done
        assert json.loads(done.stdout) == {
            "mending": {
                "projection": "items", "item_id": item, "position": EVENTS, "row": [], "snapshots": [], "mended": False
            }
        }  # fmt: skip
    await assert_whole(filled_url)


async def test_what_can_not_be_mended_is_refused_in_one_line(filled_url: str) -> None:
    assert_refused(run(filled_url, "rebuild", "items", "--item", "99999"), "There is no item 99999, and never was")
    assert_refused(run(filled_url, "rebuild", "activity", "--item", "7"), "activity has no rows of single items")
    done = run(filled_url, "rebuild", "items", "--item", "7", "--throttle", "9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--item goes with neither" in done.stderr
