"""`itemledger config`: the settings, where each comes from, and errors; never a secret."""

import json
from pathlib import Path

import pytest

from tests.api.cli.command import Done, assert_refused, without_database

URL = "postgresql+asyncpg://me:swordfish@db.example/items"


def config(*arguments: str, **settings: object) -> Done:
    return without_database("config", *arguments, **settings)


def test_show_prints_every_setting_and_its_source(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    done = config("show", DATABASE_URL_FILE=str(tmp_path / "url"), ITEMLEDGER_MAX_QUEUE="7")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [tuple(part.strip() for part in line.split("  #")) for line in done.stdout.splitlines()]
    assert ("DATABASE_URL=postgresql+asyncpg://me:***@db.example/items", "DATABASE_URL_FILE") in lines
    assert ("ITEMLEDGER_MAX_QUEUE=7", "ITEMLEDGER_MAX_QUEUE") in lines
    assert ("ITEMLEDGER_BODY_TIMEOUT=10", "default") in lines
    assert "swordfish" not in done.stdout
    described = json.loads(config("show", "--json", DATABASE_URL=URL).stdout)
    assert described["DATABASE_URL"] == {
        "value": "postgresql+asyncpg://me:***@db.example/items",
        "from": "DATABASE_URL",
    }
    assert described["ITEMLEDGER_MAX_QUEUE"] == {"value": "1024", "from": None}
    assert len(described) == len(lines)


def test_check_needs_no_database() -> None:
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
def test_an_invalid_setting_is_named_in_one_line(command: str, variable: str, text: str) -> None:
    done = config(command, **{variable: text})
    assert_refused(done, variable)
    assert done.returncode == 2
    assert "swordfish" not in done.stderr
