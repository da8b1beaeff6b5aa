"""The command line: what it prints, what it refuses, and that it refuses in one line."""

import subprocess
from pathlib import Path

import pytest

import migrations
from tests.support.postgres import SERVICE_ROLE, PostgresServer
from tests.support.service import ITEMLEDGER, free_port, outer_environment, serving


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ITEMLEDGER, *arguments],
        env={**outer_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Fail unless it ended with an error told in one line that has all these words."""
    assert done.returncode not in (0, None), done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["serve", "migrate"]),
        (["serve", "--help"], ["--host", "--port", "--workers"]),
        (["migrate", "--help"], ["schema"]),
        (["--version"], ["itemledger", "0."]),
    ],
)
def test_help_says_what_there_is(arguments: list[str], words: list[str]) -> None:
    done = _run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    for word in words:
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [["unknown"], ["serve", "--port", "none"], ["serve", "--workers", "0"]])
def test_wrong_arguments_are_refused_with_the_usage(arguments: list[str]) -> None:
    done = _run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: itemledger")
    assert "Traceback" not in done.stderr


def test_migrate_says_from_where_to_where_and_does_nothing_the_second_time(empty_url: str) -> None:
    head = migrations.head()
    for before in ("nothing", head):
        done = _run("migrate", DATABASE_URL=empty_url)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"Schema: {before} -> {head}\n", "")
    with serving(empty_url, as_owner=True):
        pass  # it found the schema as it needs it


def test_migrate_gives_the_service_its_rights(empty_postgres_url: str, sqlite_url: str) -> None:
    done = _run("migrate", "--grant", SERVICE_ROLE, DATABASE_URL=empty_postgres_url)
    first, *lines = done.stdout.splitlines()
    assert (done.returncode, first) == (0, f"Schema: nothing -> {migrations.head()}")
    assert "service may SELECT, INSERT: events, log_tiles, snapshots" in lines
    with serving(empty_postgres_url):
        pass  # under that role
    for url, role, words in (
        (empty_postgres_url, "nobody", "no role 'nobody'"),
        (sqlite_url, SERVICE_ROLE, "no roles"),
    ):
        refused = _run("migrate", "--grant", role, DATABASE_URL=url)
        assert refused.returncode == 1
        assert words in refused.stderr


def test_serve_brings_an_sqlite_file_to_head_by_itself_in_a_directory_that_is_not_there(sqlite_url: str) -> None:
    url = sqlite_url.replace("itemledger.db", "some/where/itemledger.db")
    with serving(url):
        pass
    assert _run("migrate", DATABASE_URL=url).stdout == f"Schema: {migrations.head()} -> {migrations.head()}\n"


def test_serve_refuses_a_postgresql_without_our_schema_and_says_what_brings_it_there(empty_postgres_url: str) -> None:
    _assert_refused(_run("serve", DATABASE_URL=empty_postgres_url), "itemledger migrate", "nothing", migrations.head())


def test_serve_refuses_several_workers_on_sqlite_and_says_why(sqlite_url: str) -> None:
    done = _run("serve", "--workers", "2", DATABASE_URL=sqlite_url)
    _assert_refused(done, "SQLite is written by one process", "PostgreSQL")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://me:secret@localhost/items",
        "postgresql://me:secret@localhost/items",
        "postgresql+psycopg://me:secret@localhost/items",
        "postgresql+asyncpg://me:secret@localhost:port/items",
        "sqlite:///items.db",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
    ],
)
def test_a_database_url_of_another_kind_is_refused_without_its_password(url: str) -> None:
    done = _run("serve", DATABASE_URL=url)
    _assert_refused(done, "DATABASE_URL")
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ITEMLEDGER_MAX_QUEU", "10"),
        ("ITEMLEDGER_MAX_QUEUE", "many"),
        ("ITEMLEDGER_MAX_BATCH", "0"),
        ("ITEMLEDGER_BODY_TIMEOUT", "nan"),
        ("ITEMLEDGER_LOG_LEVEL", "loud"),
    ],
)
def test_an_unknown_or_wrong_setting_is_refused_by_its_name(name: str, value: str, sqlite_url: str) -> None:
    _assert_refused(_run("serve", **{"DATABASE_URL": sqlite_url, name: value}), name)


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_postgresql_that_cannot_be_reached_is_said_in_one_line(command: str) -> None:
    _assert_refused(_run(command, DATABASE_URL=f"postgresql+asyncpg://me:secret@127.0.0.1:{free_port()}/items"))


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_database_that_is_not_there_is_said_in_one_line(command: str, postgres_server: PostgresServer) -> None:
    url = f"postgresql+asyncpg://postgres@127.0.0.1:{postgres_server.port}/nowhere"
    _assert_refused(_run(command, DATABASE_URL=url), "nowhere")


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_file_that_is_no_database_is_said_in_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)
    _assert_refused(_run(command, DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/letter.txt"))
