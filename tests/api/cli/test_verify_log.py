"""`itemledger verify log`: what it prints, and how it ends; of both databases and of a file."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest
from click.testing import Result

from api.cli import main
from api.cli.verify import log as verify_log
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import SignerKey
from eventstore.log import log
from eventstore.log.log import Head
from eventstore.merkle import hashing
from tests.eventstore.recording import created, opened, record
from tests.support.service import ITEMLEDGER, free_port, migrate, outer_environment, serving
from tests.support.tables import everything
from tests.support.tampering import tamper

KEY = SignerKey.generate("example.com/log")
VKEY = str(KEY.verifier)
EVENTS = 300

#: Runs the command in this process, on the database of a URL.
Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(verify_log, "lower_priority", lambda: None)  # the tests go on after it

    def invoke(url: str, *arguments: object) -> Result:
        runner = click.testing.CliRunner()
        words = ["verify", "log", *map(str, arguments)]
        return runner.invoke(main, words, prog_name="itemledger", env={"DATABASE_URL": url})

    return invoke


@pytest.fixture
def filled(database_url: str) -> str:
    """A database with a log."""
    asyncio.run(fill(database_url))
    return database_url


async def fill(url: str) -> None:
    await migrate(url)
    async with opened(url) as database:
        await record(database, [created(position) for position in range(1, EVENTS + 1)])


@pytest.fixture
def kept(filled: str, tmp_path: Path) -> Path:
    """A checkpoint of the log, kept elsewhere."""
    head = asyncio.run(head_of(filled))
    path = tmp_path / "kept.checkpoint"
    path.write_text(Checkpoint("example.com/log", head.position, hashing.root(head.frontier)).write([KEY]))
    return path


async def head_of(url: str) -> Head:
    async with opened(url) as database:
        return await database.read_transaction(log.read_head)


async def all_of(url: str) -> dict[str, list[str]]:
    async with opened(url) as database:
        return await everything(database)


async def change(url: str) -> None:
    async with opened(url) as database:
        await tamper(database, "UPDATE events SET actor = 'eve' WHERE position = 7", covered_up=True)


def process(url: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ITEMLEDGER, *map(str, arguments)],
        env={**outer_environment(), "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_an_intact_log_is_said_to_be_so_and_nothing_is_changed(run: Run, filled: str, kept: Path) -> None:
    before = asyncio.run(all_of(filled))
    done = process(filled, "verify", "log", "--checkpoint", kept, "--public-key", VKEY)
    assert asyncio.run(all_of(filled)) == before
    assert done.returncode == 0, done
    headline, root, checkpoint = done.stdout.splitlines()
    assert headline.startswith(f"The log is intact: {EVENTS:,} events in ")
    assert len(root.split()[1]) == 64
    assert checkpoint == f"  checkpoint   of example.com/log at size {EVENTS:,} (signature verified)"
    assert "signature not checked" in run(filled, "--checkpoint", kept).stdout
    assert "checkpoint   none: " in run(filled).stdout


def test_a_log_that_was_changed_ends_with_1_and_its_position(run: Run, filled: str, kept: Path) -> None:
    asyncio.run(change(filled))
    done = run(filled, "--checkpoint", kept, "--public-key", VKEY)
    assert (done.exit_code, done.stdout) == (
        1,
        f"The log was TAMPERED WITH. Position 1: the checkpoint of {EVENTS:,} events is not of these: "
        f"one of 1 to {EVENTS:,} is another one\n",
    )
    answer = json.loads(run(filled, "--checkpoint", kept, "--json").stdout)
    assert (answer["intact"], answer["fault"]["position"], answer["tree_size"]) == (False, 1, None)
    answer = json.loads(run(filled, "--json").stdout)  # made anew as a whole: only what was kept elsewhere tells
    assert (answer["intact"], answer["fault"], answer["tree_size"]) == (True, None, EVENTS)


def test_a_file_is_verified_without_the_database(run: Run, filled: str, kept: Path, tmp_path: Path) -> None:
    file, nowhere = tmp_path / "log.jsonl", "sqlite+aiosqlite:////nowhere/at/all.db"
    assert process(filled, "events", "export", "--output", file).returncode == 0
    done = run(nowhere, file, "--checkpoint", kept, "--public-key", VKEY, "--json")
    assert (done.exit_code, json.loads(done.stdout)["tree_size"]) == (0, EVENTS), done
    file.write_bytes(file.read_bytes().replace(b'"anonymous"', b'"anonymouz"', 1))
    done = run(nowhere, file)
    verdict = "The log was TAMPERED WITH. Position 1: it is not what its hash was made of\n"
    assert (done.exit_code, done.stdout) == (1, verdict)
    assert not Path("/nowhere").exists()


def test_it_runs_beside_a_service(run: Run, filled: str) -> None:
    with serving(filled):
        assert run(filled).exit_code == 0


@pytest.mark.parametrize("name", ["example.com/log", "example.com/other"])
def test_a_checkpoint_that_is_not_signed_by_the_key_tells_nothing(
    run: Run, sqlite_url: str, tmp_path: Path, name: str
) -> None:
    key = str(SignerKey.generate(name).verifier)
    (tmp_path / "kept").write_text(Checkpoint("example.com/log", 0, hashing.root(())).write([KEY]))
    (tmp_path / "key").write_text(f"{key}\n")
    for given in (key, tmp_path / "key"):
        done = run(sqlite_url, "--checkpoint", tmp_path / "kept", "--public-key", given)
        assert (done.exit_code, done.stdout) == (2, ""), done
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [("--checkpoint", "/etc/none"), ("--public-key", VKEY), ("--public-key", "key"), ("none.jsonl",), ("--fast",)],
)
def test_wrong_arguments_are_refused_with_the_usage(run: Run, sqlite_url: str, arguments: tuple[str, ...]) -> None:
    done = run(sqlite_url, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: itemledger verify log")


@pytest.mark.parametrize(
    "case", ["nothing there", "no database", "no schema", "no server", "no export", "no checkpoint", "no setting"]
)
def test_what_can_not_be_read_ends_with_2(
    run: Run, sqlite_url: str, request: pytest.FixtureRequest, tmp_path: Path, case: str
) -> None:
    (tmp_path / "letter").write_text("Dear reader,\n" * 100)
    cases: dict[str, tuple[Any, ...]] = {
        "nothing there": (sqlite_url,),
        "no database": (f"sqlite+aiosqlite:///{tmp_path}/letter",),
        "no schema": (request.getfixturevalue("postgres_url") if case == "no schema" else "",),
        "no server": (f"postgresql+asyncpg://me@127.0.0.1:{free_port()}/items",),
        "no export": (sqlite_url, tmp_path / "letter"),
        "no checkpoint": (sqlite_url, "--checkpoint", tmp_path / "letter"),
        "no setting": ("mysql://",),
    }
    done = run(*cases[case])
    assert (done.exit_code, done.stdout) == (2, ""), done
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: ")
    assert not Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).exists()


@pytest.mark.parametrize(("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {143, -signal.SIGTERM})])
def test_an_interrupt_is_no_verdict(sqlite_url: str, tmp_path: Path, number: int, codes: set[int]) -> None:
    os.mkfifo(tmp_path / "endless")  # nobody ever writes to it
    running = subprocess.Popen(
        [ITEMLEDGER, "verify", "log", tmp_path / "endless"],
        env={**outer_environment(), "DATABASE_URL": sqlite_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with (tmp_path / "endless").open("wb"):  # returns when it is read
        running.send_signal(number)
        output, _ = running.communicate(timeout=300)
    assert (running.returncode in codes, output) == (True, ""), running.returncode
