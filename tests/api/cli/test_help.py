"""The help: quick, since it imports no command, and the same as the commands' own."""

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from api.cli import LazyGroup, main
from tests.api.cli.command import clean_environment, process

#: Modules that are slow to import.
HEAVY = {"FasterAPI", "alembic", "api.app", "cryptography", "rich", "sqlalchemy", "structlog", "uvicorn"}
WEB = {"FasterAPI", "api.app", "uvicorn"}
#: What a running service imports when it needs it: for a schema that is not at head, a key, an issuer, a format.
LATER = {"alembic", "cryptography", "jwt", "mako", "pyarrow"}
LIGHT_COMMANDS: dict[str, set[str]] = {
    "--help": HEAVY,
    "verify --help": HEAVY,
    "verify log /dev/null": {*WEB, "alembic"},
    "verify proof /dev/null": {*WEB, "alembic", "rich"},
    "verify projections": {*WEB, "alembic"},
    "events export --output -": {*WEB, "alembic"},
    "config show": {*WEB, "alembic", "rich"},
    "keys list": WEB,
    "log keygen example.com/log /dev/null": HEAVY - {"cryptography"},
    "console --offline-verifier -": {*HEAVY} - {"structlog"},
    "rebuild items": WEB,
    "serve --host 192.0.2.1": {"api.app", "FasterAPI"},
}

_LIST_MODULES = """
import json, sys
from api.cli import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps([*sys.modules]), file=sys.stderr)
"""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and group below `group` with its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("line", LIGHT_COMMANDS)
def test_a_command_imports_only_what_it_needs(line: str, sqlite_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *line.split()],
        env=clean_environment(DATABASE_URL=sqlite_url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert "api.cli" in modules
    assert modules & LIGHT_COMMANDS[line] == set()


def test_a_service_without_keys_or_issuer_imports_only_what_it_needs(sqlite_url: str) -> None:
    """Each of these is slow to import, and most processes never need it."""
    assert process(sqlite_url, "migrate").returncode == 0
    with subprocess.Popen(
        [sys.executable, "-c", _LIST_MODULES, "serve", "--port", "0"],
        env=clean_environment(DATABASE_URL=sqlite_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stderr is not None
        assert any("Uvicorn running" in line for line in serving.stdout)
        serving.terminate()
        modules = set(json.loads(serving.stderr.read().splitlines()[-1]))
    assert {"FasterAPI", "api.app", "sqlalchemy"} <= modules
    assert modules & LATER == set()


def test_the_help_of_a_group_lists_the_commands_own_short_help() -> None:
    groups = [main, *(command for _, command in commands(main) if isinstance(command, LazyGroup))]
    assert len(groups) == 3
    for group in groups:
        context = click.Context(group)
        for name, (_, short_help) in group.targets.items():
            command = group.get_command(context, name)
            assert command is not None
            assert (command.name, command.get_short_help_str(200)) == (name, short_help)


def test_every_command_describes_itself_and_its_options() -> None:
    assert len(dict(commands(main))) == 25
    for path, command in commands(main):
        assert command.help, path
        for option in command.params:
            assert isinstance(option, click.Argument) or option.help, (path, option)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["serve", "Run the HTTP server", "migrate"]),
        (["serve", "--help"], ["--host", "--port", "--workers", "127.0.0.1"]),
        (["migrate", "--help"], ["schema"]),
        (["--version"], ["itemledger", "0."]),
    ],
)
def test_help_lists_commands_and_options(arguments: list[str], words: list[str]) -> None:
    done = process("", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    for word in words:
        assert word in done.stdout
