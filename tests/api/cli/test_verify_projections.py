"""`itemledger verify projections` and `itemledger rebuild items --item`: output and exit codes."""

import json
import signal
from typing import Any

import httpx
import pytest

from tests.api.cli.command import Done, assert_refused, itemledger
from tests.eventstore.log.test_snapshots import filling
from tests.eventstore.recording import execute_long, opened
from tests.support.checks import assert_whole
from tests.support.rebuilding import EVENTS, UNKNOWN_EVENT, fill, run_sql, running
from tests.support.service import serving
from tests.support.tables import everything

WRONG = ("UPDATE items SET price = 1 WHERE id = 7", "DELETE FROM items WHERE id = 9")
VERIFY = ("verify", "projections")


@pytest.fixture
async def filled_url(ready_url: str) -> str:
    """A database whose log has something to fold."""
    async with opened(ready_url) as database:
        await fill(database)
    return ready_url


def printed(done: Done) -> dict[str, dict[str, str]]:
    """Return what was printed for each projection: values by label, with the headline under the empty label."""
    verdicts: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        name, _, headline = line.partition(": ")
        if headline and not line.startswith(" "):
            verdicts[name] = {"": headline}
        elif verdicts and (label := line[2:20].strip()):
            list(verdicts.values())[-1][label] = line[20:].strip()
    return verdicts


async def test_when_everything_matches_the_exit_code_is_0_and_nothing_is_changed(filled_url: str) -> None:
    async with opened(filled_url) as database:
        before = await everything(database)
        done = itemledger(filled_url, *VERIFY)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert await everything(database) == before
    found = printed(done)
    assert list(found) == ["items", "activity", "item_versions", "snapshots"]
    assert {one[""] for one in found.values()} == {f"matches the log, as of position {EVENTS:,}"}
    assert (found["items"]["rows compared"], found["items"]["rows that differ"]) == (f"{EVENTS // 2:,}", "0")
    assert found["items"]["digest, stored"] == found["items"]["digest, log"]
    assert len(found["items"]["digest, stored"]) == 64


async def test_when_rows_differ_they_are_printed_and_the_exit_code_is_1(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG)
    done = itemledger(filled_url, *VERIFY)
    assert (done.returncode, done.stderr) == (1, ""), done
    found = printed(done)
    assert found["items"][""] == f"DIFFERS from the log, as of position {EVENTS:,}"
    assert found["items"]["rows that differ"] == "2"
    assert found["items"]["digest, stored"] != found["items"]["digest, log"]
    shown = [line.split() for line in done.stdout.splitlines()]
    assert ["7", "price", "1", "20000"] in shown
    assert ["9", "id", "None", "9"] in shown
    assert found["activity"][""] == f"matches the log, as of position {EVENTS:,}"


async def test_with_json_it_prints_one_object(filled_url: str) -> None:
    for same, code in ((True, 0), (False, 1)):
        done = itemledger(filled_url, *VERIFY, "--json")
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


async def test_an_unreadable_log_or_old_schema_is_refused_in_one_line(filled_url: str) -> None:
    await run_sql(filled_url, UNKNOWN_EVENT)
    assert_refused(itemledger(filled_url, *VERIFY), "item.painted.v1")
    await run_sql(filled_url, "DELETE FROM alembic_version")
    assert_refused(itemledger(filled_url, *VERIFY), "no schema", "itemledger migrate")


def test_a_missing_file_is_not_created(sqlite_url: str) -> None:
    assert_refused(itemledger(sqlite_url, *VERIFY), "unable to open database file")
    assert_refused(itemledger(sqlite_url, *VERIFY), "unable to open database file")


async def test_it_runs_while_a_service_writes(ready_url: str) -> None:
    with serving(ready_url) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            for number in range(50):
                (await client.post("/items", json={"name": f"item {number}", "price": 1})).raise_for_status()
            with running(ready_url, *VERIFY) as process:
                written = 0
                while process.poll() is None:
                    written += 1
                    (await client.patch("/items/1", json={"price": written})).raise_for_status()
                output, errors = process.communicate()
    assert (process.returncode, errors) == (0, ""), output
    assert written
    await assert_whole(ready_url)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupt_stops_it_and_changes_nothing(ready_url: str, number: int, code: int) -> None:
    async with opened(ready_url) as database:
        statements = filling(database.url.get_backend_name(), "many", 48_000)  # which takes a second to verify
        await execute_long(database, *(statement.replace(":", "\\:") for statement in statements))
        before = await everything(database)
    with running(ready_url, *VERIFY) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("items: ")
        process.send_signal(number)
        output, errors = process.communicate(timeout=300)
        assert (process.returncode, errors) == (code, "Stopped\n")
        assert "activity" not in output
    async with opened(ready_url) as database:
        assert await everything(database) == before


async def test_one_item_is_repaired(filled_url: str) -> None:
    await run_sql(filled_url, *WRONG)
    for item, column, live, folded in ((7, "price", "1", "20000"), (9, "id", "None", "9")):
        done = itemledger(filled_url, "rebuild", "items", "--item", str(item), "--dry-run")
        assert (done.returncode, done.stderr) == (1, ""), done
        assert done.stdout.startswith(f"items, item {item}: not repaired (dry run), as of position {EVENTS:,}\n")
        done = itemledger(filled_url, "rebuild", "items", "--item", str(item))
        assert (done.returncode, done.stderr) == (1, ""), done
        first, *lines = done.stdout.splitlines()
        assert first == f"items, item {item}: repaired, as of position {EVENTS:,}"
        assert [str(item), column, live, folded] in [line.split() for line in lines]
        done = itemledger(filled_url, "rebuild", "items", "--item", str(item), "--json")
        assert (done.returncode, done.stderr) == (0, ""), done
        assert json.loads(done.stdout) == {
            "mending": {
                "projection": "items", "item_id": item, "position": EVENTS, "row": [], "snapshots": [], "mended": False
            }
        }  # fmt: skip
    await assert_whole(filled_url)


async def test_a_repair_that_cannot_be_done_is_refused_in_one_line(filled_url: str) -> None:
    assert_refused(
        itemledger(filled_url, "rebuild", "items", "--item", "99999"), "Item 99999 does not exist and never existed"
    )
    assert_refused(itemledger(filled_url, "rebuild", "activity", "--item", "7"), "activity has no rows of single items")
    done = itemledger(filled_url, "rebuild", "items", "--item", "7", "--throttle", "9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--item cannot be combined with" in done.stderr
