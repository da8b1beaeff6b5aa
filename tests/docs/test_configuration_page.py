"""Check the tables of docs/configuration.md against `Settings`."""

import re
from pathlib import Path

from api.settings import Settings, to_text, variable

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
ROWS = re.findall(r"(?m)^\| (`[A-Z_`, ]+`)( \*)? \| ([^|]+) \| ([^|]+) \|$", PAGE)
#: Variable to what the page says of it: whether it is a secret, and its default.
TABLE = {
    name: (bool(secret), default.strip("` "))
    for cell, secret, default, _ in ROWS
    for name in re.findall(r"`(\w+)`", cell)
}


def test_the_page_has_every_setting_and_no_other() -> None:
    assert TABLE.keys() == {variable(field) for field in Settings.__struct_fields__}


def test_the_page_has_the_default_of_every_setting() -> None:
    defaults = {name: text.lower() or "none" for name, text in to_text(Settings()).items()}
    computed = {"ITEMLEDGER_LOG_ORIGIN": Settings().origin}
    assert {name: default for name, (_, default) in TABLE.items()} == defaults | computed


def test_the_page_marks_the_settings_that_a_file_can_hold() -> None:
    assert {name for name, (secret, _) in TABLE.items() if secret} == {"DATABASE_URL", "ITEMLEDGER_LOG_KEY"}
