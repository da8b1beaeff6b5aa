"""Run the shell sessions of the pages for users, and check that their tables are complete."""

import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from api.http.idempotency import command_id
from api.http.problems import KINDS
from tests.docs import curl
from tests.docs.sessions import at_home, masked, prepare, run, steps
from tests.support.service import migrate, serving

ROOT = Path(__file__).parent.parent.parent
TOUR = ROOT / "docs" / "api.md"
PAGES = [ROOT / "README.md", TOUR, ROOT / "docs" / "audit.md"]


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """A search path for sessions in which our stand-in goes by the name of curl."""
    command = tmp_path / "bin" / "curl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{curl.__file__}" "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}{os.pathsep}{os.environ['PATH']}"


def printed_otherwise(page: Path, database_url: str, path: str) -> list[tuple[str, str, str]]:
    asyncio.run(migrate(database_url))
    text = page.read_text()
    with (
        tempfile.TemporaryDirectory() as home,
        serving(database_url, as_owner=True, environment=prepare(home, text)) as server,
    ):
        environment = at_home(home, database_url, path)
        ran = [(step, run(step, server.port, environment)) for step in steps(text)]
    assert len(ran) > 3
    return [(step.command, step.output, now) for step, now in ran if masked(now) != masked(step.output)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_prints_what_the_page_says(page: Path, database_url: str, stand_in: str) -> None:
    # Without curl our stand-in serves. Machines with curl show that both print the same.
    path = os.environ["PATH"] if shutil.which("curl") else stand_in
    assert printed_otherwise(page, database_url, path) == []


def test_a_machine_without_curl_gets_the_same(sqlite_url: str, stand_in: str) -> None:
    assert printed_otherwise(TOUR, sqlite_url, stand_in) == []


def test_the_table_of_problems_is_complete() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \| (.*) \|$", TOUR.read_text(), re.MULTILINE)
    assert rows == sorted((str(kind.status), kind.code, kind.description) for kind in KINDS)


def test_a_key_leads_an_auditor_to_its_command() -> None:
    [digest] = [step.output.split()[0] for step in steps(TOUR.read_text()) if "sha256sum" in step.command]
    assert f"key:{digest}" == command_id("anonymous", None, "POST", "/items", "order-4711")


def test_a_session_is_read_as_a_person_reads_it() -> None:
    page = "Text\n\n    $ one \\\n        two\n    1\n\n    2\n\n    $ three\n\nText\n\n    no session\n"
    assert [(step.command, step.output) for step in steps(page)] == [("one \\\ntwo", "1\n\n2"), ("three", "")]


def test_only_the_time_and_the_names_of_requests_may_differ() -> None:
    page = 'date: today\nx-request-id: a\netag: "1"\n{"request_id":"a","code":"b"}'
    same = 'date: tomorrow\nx-request-id: b\netag: "1"\n{"request_id":"b","code":"b"}'
    assert masked(page) == masked(same)
    root = "1vTNU29l0DeRlyVzC1HPyW9Yl0VBpYWX9NhQZ6ZQzQo="
    assert masked(f"{root}\n— name AA\n  root   1\nok in 1.5 s") == masked(
        f"{root[::-1][1:]}=\n— name BB\n  root   2\nok in 0 s"
    )
    for other in (same.replace('"1"', '"2"'), same.replace('"code":"b"', '"code":"c"'), same + "\n"):
        assert masked(page) != masked(other)
