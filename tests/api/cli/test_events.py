"""`itemledger events export` and `import`: files, output and errors."""

import csv
import json
import os
import shlex
import subprocess
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from tests.api.cli.command import Done, clean_environment, itemledger, process
from tests.eventstore.recording import opened
from tests.support.rebuilding import EVENTS, fill
from tests.support.service import ITEMLEDGER, migrate, serving


@pytest.fixture
async def filled_url(ready_url: str) -> str:
    """A database whose log has something to export."""
    async with opened(ready_url) as database:
        await fill(database)
    return ready_url


@pytest.fixture
async def filled_file(sqlite_url: str) -> str:
    """The same on SQLite alone, for tests that do not depend on the database."""
    await migrate(sqlite_url)
    async with opened(sqlite_url) as database:
        await fill(database)
    return sqlite_url


def export(url: str, *arguments: object) -> Done:
    return itemledger(url, "events", "export", *arguments)


def test_the_log_is_exported_to_a_file_with_a_manifest_and_to_standard_output(filled_url: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    done = export(filled_url, "--output", path)
    assert (done.returncode, done.stdout) == (0, ""), done
    content = path.read_bytes()
    positions = [json.loads(line)["position"] for line in content.splitlines()]
    assert positions == list(range(1, EVENTS + 1))
    made = json.loads((tmp_path / "log.jsonl.manifest.json").read_text())
    assert (made["count"], made["sha256"], made["bytes"]) == (EVENTS, sha256(content).hexdigest(), len(content))
    *lines, last = done.stderr.splitlines()
    assert lines[0].startswith(f"export: {EVENTS:,} of {EVENTS:,} events, ")
    assert last == f"{EVENTS:,} events in {path}, {len(content):,} bytes; see log.jsonl.manifest.json"

    streamed = process(filled_url, "events", "export", "--output", "-", "--format", "jsonl")
    assert (streamed.returncode, streamed.stdout.encode()) == (0, content)


def test_options_select_events(filled_url: str, tmp_path: Path) -> None:
    chosen = ("--item", "3", "--type", "item.changed.v1", "--actor", "anonymous", "--after", "3", "--before", "900",
              "--from", "1970-01-01T00:00:00Z", "--to", "1970-01-01T01:00:00.000001+01:00")  # fmt: skip
    done = export(filled_url, "--format", "csv", "--output", tmp_path / "few.csv", *chosen)
    assert done.returncode == 0, done
    (row,) = csv.DictReader((tmp_path / "few.csv").read_text().splitlines())
    assert (row["position"], row["item_id"], row["version"]) == (str(EVENTS // 2 + 3), "3", "2")
    made = json.loads((tmp_path / "few.csv.manifest.json").read_text())
    assert made["filter"] == {
        "item_id": 3, "type": "item.changed.v1", "actor": "anonymous", "after": 3, "before": 900,
        "from": "1970-01-01T00:00:00Z", "to": "1970-01-01T01:00:00.000001+01:00",
    }  # fmt: skip
    nothing = export(filled_url, "--output", tmp_path / "none.csv", "--from", "1970-01-01T00:00:00.000002Z")
    assert nothing.returncode == 0, nothing
    assert (tmp_path / "none.csv").read_bytes() == b""
    assert (made["format"], made["count"]) == ("csv", 1)


def test_a_device_or_pipe_is_written_as_a_stream(filled_file: str, tmp_path: Path) -> None:
    assert export(filled_file, "--output", "/dev/null").returncode == 0
    assert export(filled_file, "--output", "/dev/full").stderr.splitlines()[-1].startswith("Error: ")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", f"wc -l < {pipe}"], stdout=subprocess.PIPE) as counting:
        assert export(filled_file, "--output", pipe).returncode == 0
        assert counting.communicate()[0].strip() == b"%d" % EVENTS
    assert sorted(path.name for path in tmp_path.iterdir() if "pipe" in path.name) == ["pipe"]


def test_the_reader_of_standard_output_may_stop(filled_file: str) -> None:
    shell = f"{shlex.quote(str(ITEMLEDGER))} events export --output - | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", shell],
        env=clean_environment(DATABASE_URL=filled_file),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert json.loads(done.stdout)["position"] == 1
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--output", "x", "--format", "xml"],
        ["--output", "x", "--after", "-1"],
        ["--output", "x", "--to", "soon"],
        ["--output", "x", "--type", "item.create.v1"],
        ["--output", "x", "--item", "0"],
    ],
)
def test_invalid_arguments_print_the_usage(sqlite_url: str, arguments: list[str]) -> None:
    done = export(sqlite_url, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: itemledger events export")


def test_a_failed_export_is_reported_in_one_line(filled_file: str, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    for output, words in (("there", "already exists"), ("no/where", "No such file")):
        done = export(filled_file, "--output", tmp_path / output)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("Error: ")
        assert words in line
    nowhere = export(f"{sqlite_url}.other", "--output", tmp_path / "x")
    assert nowhere.returncode == 2
    assert not Path(f"{sqlite_url}.other".partition("///")[2]).exists()


def test_an_export_is_imported_into_an_empty_log_and_served(filled_url: str, tmp_path: Path) -> None:
    path, url = tmp_path / "log.jsonl", f"sqlite+aiosqlite:///{tmp_path}/new/itemledger.db"
    assert export(filled_url, "--output", path).returncode == 0
    root = json.loads((tmp_path / "log.jsonl.manifest.json").read_text())["log"]["root"]
    done = itemledger(url, "events", "import", path)
    summary = f"{EVENTS:,} events; the root is {root} (matches the manifest)\n"
    assert (done.returncode, done.stdout) == (0, summary), done
    with serving(url) as server:
        assert httpx.get(f"{server.url}/items/7").json()["price"] == 2
    again = itemledger(url, "events", "import", path)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "Error: Cannot import: the log already contains 1000 events. Import needs an empty log.\n"


def test_a_failed_import_is_reported_in_one_line(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n")
    (tmp_path / "log.csv").write_text("position,\n1,\n")
    for name, words in (("log.jsonl", "its line is not an event"), ("log.csv", "not a JSON Lines export")):
        done = itemledger(sqlite_url, "events", "import", tmp_path / name)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (2, "")
        assert line.startswith("Error: ")
        assert words in line
