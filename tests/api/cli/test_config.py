"""`itemledger config`: what is set, from where, and whether it is right; never a secret."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.service import ITEMLEDGER, outer_environment

URL = "postgresql+asyncpg://me:swordfish@db.example/items"


def config(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    outer = {name: text for name, text in outer_environment().items() if name != "DATABASE_URL"}
    return subprocess.run(
        [ITEMLEDGER, "config", *arguments],
        env={**outer, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_shows_every_setting_and_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    done = config("show", DATABASE_URL_FILE=str(tmp_path / "url"), ITEMLEDGER_MAX_QUEUE="7")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [tuple(part.strip() for part in line.split("  #")) for line in done.stdout.splitlines()]
    assert ("DATABASE_URL=postgresql+asyncpg://me:***@db.example/items", "DATABASE_URL_FILE") in lines
    assert ("ITEMLEDGER_MAX_QUEUE=7", "ITEMLEDGER_MAX_QUEUE") in lines
    assert ("ITEMLEDGER_BODY_TIMEOUT=10", "default") in lines
    assert "swordfish" not in done.stdout
    told = json.loads(config("show", "--json", DATABASE_URL=URL).stdout)
    assert told["DATABASE_URL"] == {"value": "postgresql+asyncpg://me:***@db.example/items", "from": "DATABASE_URL"}
    assert told["ITEMLEDGER_MAX_QUEUE"] == {"value": "1024", "from": None}
    assert len(told) == len(lines)


def test_it_checks_them_without_a_database() -> None:
    assert config("check", DATABASE_URL=URL).stdout == "The settings are valid\n"


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ITEMLEDGER_MAX_QUEUE", "0"),
        ("ITEMLEDGER_QUEUE", "1"),
        ("DATABASE_URL", "swordfish"),
        ("DATABASE_URL_FILE", "/"),
    ],
)
def test_it_names_what_is_wrong_in_one_line(command: str, variable: str, text: str) -> None:
    done = config(command, **{variable: text})
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: ")
    assert variable in done.stderr
    assert "swordfish" not in done.stderr
