"""Exit codes follow one rule in all commands: 0 fine, 1 found something, 2 could not do it, 130 and 143 interrupted."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from api.cli import main
from tests.api.cli.command import clean_environment, itemledger, process
from tests.api.cli.test_help import commands
from tests.support.postgres import as_service
from tests.support.service import ITEMLEDGER, free_port

#: What the help of a command may say of each code.
MEANING = {
    "0": r"done|valid|intact|proven|stopped|all match|no differences|the log only grew",
    "1": r"differences found|tampered with|the proof fails|something wrong",
    "2": r"not done|not valid|not started|cannot be read|a file cannot be read|no key|a setting|FILE is not",
}
#: Every command that uses a database, as it is called where there is none.
WITHOUT_A_DATABASE = [
    *(["serve"], ["migrate"], ["rebuild", "items"], ["rebuild", "items", "--item", "1"], ["verify", "log"]),
    *(
        ["verify", "projections"],
        ["events", "export", "--output", "-"],
        ["keys", "list"],
        ["keys", "revoke", "00000000"],
    ),
    *(["backup", "copy.db"], ["keys", "create", "shop", "--scope", "items:read"]),
]


@pytest.mark.parametrize("line", WITHOUT_A_DATABASE, ids=" ".join)
def test_a_command_that_cannot_reach_its_database_ends_with_2(line: list[str], tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("")
    done = itemledger(f"postgresql+asyncpg://me@127.0.0.1:{free_port()}/items", *line)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("line", [*WITHOUT_A_DATABASE, ["config", "check"], ["config", "show"]], ids=" ".join)
def test_a_command_with_a_setting_that_is_not_valid_ends_with_2(line: list[str], sqlite_url: str) -> None:
    done = itemledger(sqlite_url, *line, ITEMLEDGER_MAX_QUEUE="many")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ITEMLEDGER_MAX_QUEUE" in done.stderr


def test_the_help_of_every_command_says_the_same_of_its_codes() -> None:
    said = set()
    for path, command in commands(main):
        text = " ".join(f"{command.help} {command.epilog or ''}".split())
        codes = dict(re.findall(r"(?:^|, )(\d) ([^,]+)", text.partition("Exit codes: ")[2]))
        assert codes.keys() <= MEANING.keys(), path
        for code, meaning in codes.items():
            assert re.match(MEANING[code], meaning), (path, code, meaning)
        if codes:
            said.add(path[0])
    assert said == set(main.list_commands(click.Context(main))) - {"openapi"}


CRASHING = """
import sys
import click
from api.cli import main
@main.command()
def crash():
    raise RuntimeError("a fault")
main.get_command = lambda context, name: crash
main(["crash"])
"""


def test_a_fault_in_a_command_ends_with_2_and_a_trace() -> None:
    """Python's own code for it is 1, which says that something was found."""
    done = subprocess.run([sys.executable, "-c", CRASHING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "RuntimeError: a fault" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_an_interrupt_before_the_work_began_ends_with_the_code_of_the_signal(number: int, code: int) -> None:
    """A process that a signal ended has 128 and the signal's number as its code in a shell."""
    waiting = CRASHING.replace(
        'raise RuntimeError("a fault")', 'print("begun", flush=True); import time; time.sleep(60)'
    )
    with subprocess.Popen([sys.executable, "-c", waiting], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"begun\n"
        running.send_signal(number)
        _, errors = running.communicate()
    assert (running.returncode, errors.strip()) == (code, b"")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_cannot_listen_ends_with_2(workers: str, postgres_url: str) -> None:
    done = process(postgres_url, "serve", "--host", "192.0.2.1", "--insecure-no-auth", "--workers", workers)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_cannot_start_ends_with_2(workers: str, postgres_url: str) -> None:
    """It listens already when it finds out."""
    jwt = {"ITEMLEDGER_JWT_ISSUER": "i", "ITEMLEDGER_JWT_AUDIENCE": "a", "ITEMLEDGER_JWT_JWKS": "/nowhere/keys.json"}
    done = process(as_service(postgres_url), "serve", "--port", "0", "--workers", workers, **jwt)
    assert done.returncode == 2, done
    assert "/nowhere/keys.json" in done.stdout


def test_a_stopped_server_ends_with_0(postgres_url: str) -> None:
    for number, workers in ((signal.SIGINT, "1"), (signal.SIGTERM, "2")):
        with subprocess.Popen(
            [ITEMLEDGER, "serve", "--port", "0", "--workers", workers],
            env=clean_environment(DATABASE_URL=as_service(postgres_url)),
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            begun = 0
            for line in running.stdout:
                begun += "Application startup complete" in line
                if begun == int(workers):
                    break
            running.send_signal(number)
            running.stdout.read()
        assert running.returncode == 0, (number, workers)
