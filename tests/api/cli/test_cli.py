"""`itemledger migrate` and `serve`: output, and errors in one line."""

from pathlib import Path

import pytest

import migrations
from tests.api.cli.command import assert_refused, itemledger, without_database
from tests.support.postgres import SERVICE_ROLE, PostgresServer
from tests.support.service import free_port, serving


@pytest.mark.parametrize("arguments", [["unknown"], ["serve", "--port", "none"], ["serve", "--workers", "0"]])
def test_invalid_arguments_print_the_usage(arguments: list[str]) -> None:
    done = without_database(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: itemledger")


def test_migrate_prints_both_revisions_and_changes_nothing_the_second_time(empty_url: str) -> None:
    head = migrations.head()
    for before in ("nothing", head):
        done = itemledger(empty_url, "migrate")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"Schema: {before} -> {head}\n", "")
    with serving(empty_url, as_owner=True):
        pass  # the schema is at head


def test_migrate_grants_the_service_its_rights(empty_postgres_url: str, sqlite_url: str) -> None:
    done = itemledger(empty_postgres_url, "migrate", "--grant", SERVICE_ROLE)
    first, *lines = done.stdout.splitlines()
    assert (done.returncode, first) == (0, f"Schema: nothing -> {migrations.head()}")
    assert "service may SELECT, INSERT: events, first_api_key, log_tiles, snapshots" in lines
    with serving(empty_postgres_url):
        pass  # with that role
    for url, role, words in (
        (empty_postgres_url, "nobody", "the role 'nobody' does not exist"),
        (sqlite_url, SERVICE_ROLE, "no roles"),
    ):
        refused = itemledger(url, "migrate", "--grant", role)
        assert refused.returncode == 2
        assert words in refused.stderr


def test_serve_creates_and_migrates_an_sqlite_file_in_a_missing_directory(sqlite_url: str) -> None:
    url = sqlite_url.replace("itemledger.db", "some/where/itemledger.db")
    with serving(url):
        pass
    assert itemledger(url, "migrate").stdout == f"Schema: {migrations.head()} -> {migrations.head()}\n"


def test_serve_refuses_a_postgresql_without_the_schema_and_names_the_command(empty_postgres_url: str) -> None:
    assert_refused(itemledger(empty_postgres_url, "serve"), "itemledger migrate", "no schema", migrations.head())


def test_serve_refuses_several_workers_on_sqlite(sqlite_url: str) -> None:
    done = itemledger(sqlite_url, "serve", "--workers", "2")
    assert_refused(done, "SQLite supports one process", "PostgreSQL")


@pytest.mark.parametrize(
    "url",
    [
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
def test_an_unsupported_database_url_is_refused_without_printing_its_password(url: str) -> None:
    done = itemledger(url, "serve")
    assert_refused(done, "DATABASE_URL")
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
def test_an_unknown_or_invalid_setting_is_refused_by_name(name: str, value: str, sqlite_url: str) -> None:
    assert_refused(itemledger(sqlite_url, "serve", **{name: value}), name)


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_an_unreachable_postgresql_is_reported_in_one_line(command: str) -> None:
    assert_refused(itemledger(f"postgresql+asyncpg://me:secret@127.0.0.1:{free_port()}/items", command))


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_missing_database_is_reported_in_one_line(command: str, postgres_server: PostgresServer) -> None:
    url = f"postgresql+asyncpg://postgres@127.0.0.1:{postgres_server.port}/nowhere"
    assert_refused(itemledger(url, command), "nowhere")


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_file_that_is_not_a_database_is_reported_in_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)
    assert_refused(itemledger(f"sqlite+aiosqlite:///{tmp_path}/letter.txt", command))
