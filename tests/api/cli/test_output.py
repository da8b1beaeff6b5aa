"""Commands write on any terminal, pipe and locale, and what they did stays done."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.api.cli.command import clean_environment, itemledger
from tests.eventstore.recording import opened
from tests.support.rebuilding import fill, run_sql
from tests.support.service import ITEMLEDGER, migrate

#: A name outside of every encoding but Unicode's: a snowman, an accent, an emoji.
NAME = "\u2603 caf\u00e9 \U0001f600"


@pytest.fixture
def changed_url(sqlite_url: str) -> str:
    """A database of which one row of `items` is not what the log says."""

    async def change() -> None:
        await migrate(sqlite_url)
        async with opened(sqlite_url) as database:
            await fill(database)
        await run_sql(sqlite_url, f"UPDATE items SET name = '{NAME}' WHERE id = 7")

    asyncio.run(change())
    return sqlite_url


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"\u2603 caf\xe9 \U0001f600"),
        ("latin-1", "\\u2603 caf\u00e9 \\U0001f600"),
    ],
)
def test_what_an_encoding_lacks_is_escaped(changed_url: str, encoding: str, shown: str) -> None:
    """The rebuild mends the table, reports the name that was wrong, and ends with the code of what it found."""
    done = subprocess.run(
        [ITEMLEDGER, "rebuild", "items"],
        env=clean_environment(DATABASE_URL=changed_url, PYTHONIOENCODING=encoding),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done
    assert shown in done.stdout.decode(encoding.partition(":")[0])
    assert b"Traceback" not in done.stderr
    assert itemledger(changed_url, "rebuild", "items").returncode == 0


def test_json_is_utf_8_in_every_locale(changed_url: str) -> None:
    for locale in ({"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        done = subprocess.run(
            [ITEMLEDGER, "rebuild", "items", "--dry-run", "--json"],
            env=clean_environment(DATABASE_URL=changed_url, **locale),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, done
        assert json.loads(done.stdout.splitlines()[-1])["report"]["samples"][0]["live"] == NAME


def unread(url: str, *arguments: object, **streams: int) -> int:
    """Run a command whose output goes to a pipe that nobody reads, and that no process will. Return its exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [ITEMLEDGER, *map(str, arguments)],
        env=clean_environment(DATABASE_URL=url),
        stdout=writer,
        stderr=streams.get("stderr", subprocess.PIPE),
        check=False,
    )
    os.close(writer)
    assert not done.stderr or b"Traceback" not in done.stderr, done.stderr
    assert not done.stderr or b"Broken pipe" not in done.stderr, done.stderr
    return done.returncode


def test_a_closed_pipe_changes_neither_the_work_nor_its_code(changed_url: str) -> None:
    assert unread(changed_url, "verify", "projections") == 1
    assert unread(changed_url, "rebuild", "items", stderr=subprocess.STDOUT) == 1
    assert unread(changed_url, "verify", "log") == 0
    assert unread(changed_url, "keys", "revoke", "00000000", stderr=subprocess.STDOUT) == 2


def test_an_export_that_nobody_reads_ends_with_2(changed_url: str) -> None:
    """Then the output is the work."""
    assert unread(changed_url, "events", "export", "--output", "-") == 2


def test_a_key_that_nobody_reads_ends_with_2_and_is_named(changed_url: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [ITEMLEDGER, "keys", "create", "shop", "--scope", "items:read"],
        env=clean_environment(DATABASE_URL=changed_url),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 2
    logged, told = done.stderr.decode().splitlines()
    assert f"run `itemledger keys revoke {json.loads(logged)['key_id']}`" in told


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&- <&-"])
def test_a_command_works_with_closed_streams(changed_url: str, streams: str, tmp_path: Path) -> None:
    """The database must not become the standard output."""
    command = f"exec {ITEMLEDGER} verify projections {streams}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=clean_environment(DATABASE_URL=changed_url), capture_output=True, check=False
    )
    assert done.returncode == 1, done
    assert itemledger(changed_url, "verify", "log").returncode == 0


def test_a_full_disk_is_reported_in_one_line(changed_url: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [ITEMLEDGER, "verify", "log"],
            env=clean_environment(DATABASE_URL=changed_url),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, b"Error: Cannot write standard output: No space left on device\n")
