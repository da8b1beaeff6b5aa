"""`itemledger verify log`: output and exit codes, for both databases and for files."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import SignerKey
from eventstore.log.head import Head, read_head
from eventstore.merkle import hashing
from tests.api.cli.command import Done, clean_environment, itemledger
from tests.eventstore.recording import created, opened, record
from tests.support.service import ITEMLEDGER, free_port, migrate, serving
from tests.support.tables import everything
from tests.support.tampering import tamper

KEY = SignerKey.generate("example.com/log")
VKEY = str(KEY.verifier)
EVENTS = 300


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
    """A saved checkpoint of the log."""
    head = asyncio.run(head_of(filled))
    path = tmp_path / "kept.checkpoint"
    path.write_text(Checkpoint("example.com/log", head.position, hashing.root(head.frontier)).write([KEY]))
    return path


async def head_of(url: str) -> Head:
    async with opened(url) as database:
        return await database.read_transaction(read_head)


async def all_of(url: str) -> dict[str, list[str]]:
    async with opened(url) as database:
        return await everything(database)


async def change(url: str) -> None:
    async with opened(url) as database:
        await tamper(database, "UPDATE events SET actor = 'eve' WHERE position = 7", covered_up=True)


def verify(url: str, *arguments: object) -> Done:
    return itemledger(url, "verify", "log", *arguments)


def test_an_intact_log_is_reported_and_nothing_is_changed(filled: str, kept: Path) -> None:
    before = asyncio.run(all_of(filled))
    done = verify(filled, "--checkpoint", kept, "--public-key", VKEY)
    assert asyncio.run(all_of(filled)) == before
    assert done.returncode == 0, done
    headline, root, checkpoint = done.stdout.splitlines()
    assert headline.startswith(f"The log is intact: {EVENTS:,} events in ")
    assert len(root.split()[1]) == 64
    assert checkpoint == f"  checkpoint   of example.com/log at size {EVENTS:,} (signature verified)"
    assert "signature not checked" in verify(filled, "--checkpoint", kept).stdout
    assert "checkpoint   none given: " in verify(filled).stdout


def test_a_changed_log_ends_with_1_and_the_position(filled: str, kept: Path) -> None:
    asyncio.run(change(filled))
    done = verify(filled, "--checkpoint", kept, "--public-key", VKEY)
    assert (done.returncode, done.stdout) == (
        1,
        f"The log was TAMPERED WITH. Position 1: the tree root at {EVENTS:,} events does not match the checkpoint: "
        f"an event between 1 and {EVENTS:,} was changed\n",
    )
    answer = json.loads(verify(filled, "--checkpoint", kept, "--json").stdout)
    assert (answer["intact"], answer["fault"]["position"], answer["tree_size"]) == (False, 1, None)
    answer = json.loads(verify(filled, "--json").stdout)  # rewritten as a whole: only a saved checkpoint can show it
    assert (answer["intact"], answer["fault"], answer["tree_size"]) == (True, None, EVENTS)


def test_a_file_is_verified_without_the_database(filled: str, kept: Path, tmp_path: Path) -> None:
    file, nowhere = tmp_path / "log.jsonl", "sqlite+aiosqlite:////nowhere/at/all.db"
    assert itemledger(filled, "events", "export", "--output", file).returncode == 0
    done = verify(nowhere, file, "--checkpoint", kept, "--public-key", VKEY, "--json")
    assert (done.returncode, json.loads(done.stdout)["tree_size"]) == (0, EVENTS), done
    file.write_bytes(file.read_bytes().replace(b'"anonymous"', b'"anonymouz"', 1))
    done = verify(nowhere, file)
    verdict = "The log was TAMPERED WITH. Position 1: its content does not match its stored hash\n"
    assert (done.returncode, done.stdout) == (1, verdict)
    assert not Path("/nowhere").exists()


def test_it_runs_while_a_service_runs(filled: str) -> None:
    with serving(filled):
        assert verify(filled).returncode == 0


@pytest.mark.parametrize("name", ["example.com/log", "example.com/other"])
def test_a_checkpoint_that_the_key_did_not_sign_ends_with_2(sqlite_url: str, tmp_path: Path, name: str) -> None:
    key = str(SignerKey.generate(name).verifier)
    (tmp_path / "kept").write_text(Checkpoint("example.com/log", 0, hashing.root(())).write([KEY]))
    (tmp_path / "key").write_text(f"{key}\n")
    for given in (key, tmp_path / "key"):
        done = verify(sqlite_url, "--checkpoint", tmp_path / "kept", "--public-key", given)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [("--checkpoint", "/etc/none"), ("--public-key", VKEY), ("--public-key", "key"), ("none.jsonl",), ("--fast",)],
)
def test_invalid_arguments_print_the_usage(sqlite_url: str, arguments: tuple[str, ...]) -> None:
    done = verify(sqlite_url, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: itemledger verify log")


@pytest.mark.parametrize(
    "case", ["nothing there", "no database", "no schema", "no server", "no export", "no checkpoint", "no setting"]
)
def test_an_unreadable_log_ends_with_2(
    sqlite_url: str, request: pytest.FixtureRequest, tmp_path: Path, case: str
) -> None:
    (tmp_path / "letter").write_text("Dear reader,\n" * 100)
    cases: dict[str, tuple[Any, ...]] = {
        "nothing there": (sqlite_url,),
        "no database": (f"sqlite+aiosqlite:///{tmp_path}/letter",),
        "no schema": (request.getfixturevalue("empty_postgres_url") if case == "no schema" else "",),
        "no server": (f"postgresql+asyncpg://me@127.0.0.1:{free_port()}/items",),
        "no export": (sqlite_url, tmp_path / "letter"),
        "no checkpoint": (sqlite_url, "--checkpoint", tmp_path / "letter"),
        "no setting": ("mysql://",),
    }
    done = verify(*cases[case])
    assert (done.returncode, done.stdout) == (2, ""), done
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: ")
    assert not Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).exists()


@pytest.mark.parametrize(("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {143, -signal.SIGTERM})])
def test_an_interrupt_prints_no_verdict(sqlite_url: str, tmp_path: Path, number: int, codes: set[int]) -> None:
    os.mkfifo(tmp_path / "endless")  # no process ever writes to it
    running = subprocess.Popen(
        [ITEMLEDGER, "verify", "log", tmp_path / "endless"],
        env=clean_environment(DATABASE_URL=sqlite_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with (tmp_path / "endless").open("wb"):  # returns when it is read
        running.send_signal(number)
        output, _ = running.communicate(timeout=300)
    assert (running.returncode in codes, output) == (True, ""), running.returncode
