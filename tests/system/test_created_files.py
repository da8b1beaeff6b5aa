"""Files that are created belong to their user alone, and no symbolic link leads what is written elsewhere."""

import asyncio
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from eventstore.database.engine import open_database
from eventstore.errors import LinkedFileError
from tests.api.cli.command import Done, clean_environment, itemledger, process
from tests.eventstore.recording import opened
from tests.support.rebuilding import fill
from tests.support.service import ITEMLEDGER, migrate, serving


@pytest.fixture
def _wide_umask() -> Iterator[None]:
    """Let the system restrict nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def filled_url(sqlite_url: str) -> str:
    """A database whose log has something to export."""

    async def make() -> None:
        await migrate(sqlite_url)
        async with opened(sqlite_url) as database:
            await fill(database)

    asyncio.run(make())
    return sqlite_url


def modes(folder: Path) -> dict[str, str]:
    """Return the mode of every file and folder below `folder`."""
    return {path.name: f"{stat.S_IMODE(path.lstat().st_mode):o}" for path in folder.rglob("*")}


@pytest.mark.usefixtures("_wide_umask")
def test_what_a_service_creates_is_its_users_alone(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new/folder/itemledger.db"
    with serving(url, command=[str(ITEMLEDGER), "serve"]) as server:
        found = modes(tmp_path)
        assert {found.pop("new"), found.pop("folder")} == {"700"}
        assert {"itemledger.db", "itemledger.db-wal", "itemledger.db-shm", "itemledger.db-serve.lock"} <= found.keys()
        assert set(found.values()) == {"600"}
        server.terminate()
        assert "every user of this machine" not in server.output()


@pytest.mark.usefixtures("_wide_umask")
def test_what_commands_create_is_their_users_alone(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for line in (
        ["backup", out / "copy.db"],
        ["events", "export", "--output", out / "log.jsonl"],
        ["log", "keygen", "example.com/log", out / "log.key"],
        ["rebuild", "items"],
    ):
        assert process(filled_url, *line).returncode == 0
    assert modes(out) == dict.fromkeys(("copy.db", "log.jsonl", "log.jsonl.manifest.json", "log.key"), "600")


def test_an_existing_database_keeps_its_mode_and_the_start_warns_of_it(filled_url: str) -> None:
    path = Path(make_url(filled_url).database or "")
    path.chmod(0o644)
    with serving(filled_url) as server:
        assert set(modes(path.parent).values()) == {"644"}
        server.terminate()
        assert "every user of this machine can read the database" in server.output()


@pytest.mark.parametrize("part", ["", "-wal", "-serve.lock", "-rebuild-items.lock"])
def test_a_database_is_not_created_through_a_link(sqlite_url: str, tmp_path: Path, part: str) -> None:
    target, link = tmp_path / "target", tmp_path / f"itemledger.db{part}"
    link.symlink_to(target)
    command = ["rebuild", "items"] if "rebuild" in part else ["serve", "--port", "0"]
    done = process(sqlite_url, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: {link} is a symbolic link where a file is to be created. "
        "No file is created through a link: remove the link.\n"
    )
    assert not target.exists()


async def test_a_link_to_an_existing_database_is_followed(sqlite_url: str, tmp_path: Path) -> None:
    await migrate(sqlite_url)
    (tmp_path / "link.db").symlink_to("itemledger.db")
    database = open_database(f"sqlite+aiosqlite:///{tmp_path}/link.db")
    try:
        await database.check()
    finally:
        await database.dispose()
    assert issubclass(LinkedFileError, Exception)


def export(url: str, output: object, *more: str) -> Done:
    return itemledger(url, "events", "export", "--output", output, *more)


@pytest.mark.parametrize("command", ["export", "backup"])
@pytest.mark.parametrize("planted", ["", ".partial"])
def test_a_planted_link_is_refused_by_name_and_not_followed(
    filled_url: str, tmp_path: Path, command: str, planted: str
) -> None:
    victim, output = tmp_path / "victim", tmp_path / "output"
    victim.write_text("precious")
    link = Path(f"{output}{planted}")
    link.symlink_to(victim)
    if command == "export":
        done = export(filled_url, output, "--from-scratch")
    else:
        done = itemledger(filled_url, "backup", "--overwrite", output)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: {link} is a symbolic link. Name the file itself, or remove the link\n"
    assert victim.read_text() == "precious"
    link.unlink()
    link.hardlink_to(victim)
    if planted:
        done = itemledger(filled_url, "backup", "--overwrite", output)
        assert (done.returncode, done.stderr) == (2, f"Error: {link} is not a file of this user alone. Remove it\n")
        assert victim.read_text() == "precious"


def test_links_planted_at_the_files_of_a_state_are_replaced(filled_url: str, tmp_path: Path) -> None:
    victim, output = tmp_path / "victim", tmp_path / "output"
    victim.write_text("precious")
    for part in (".partial.json", ".partial.json.new", ".manifest.json", ".manifest.json.new"):
        Path(f"{output}{part}").symlink_to(victim)
    assert export(filled_url, output).returncode == 0
    assert victim.read_text() == "precious"
    assert not Path(f"{output}.manifest.json").is_symlink()


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_an_export_to_standard_output_continues_the_file_that_it_is(filled_url: str, tmp_path: Path, name: str) -> None:
    """Opened by its name, the file would be written from its beginning."""
    with (tmp_path / "out").open("ab") as out:
        out.write(b"before\n")
        out.flush()
        done = subprocess.run(
            [ITEMLEDGER, "events", "export", "--output", name],
            env=clean_environment(DATABASE_URL=filled_url),
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 0, done
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert lines[0] == b"before"
    assert len(lines) > 1000
