"""`itemledger keys`: output, log lines and errors."""

import json
from typing import Any

import pytest

from api.auth.api_keys.format import read_key
from tests.api.cli.command import itemledger, process

#: What the environment says about the user, which is not to be believed.
FORGED = {"USER": "somebody-else", "LOGNAME": "somebody-else"}


def change(database_url: str, *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run a command that changes keys as a process of its own: it sets up logging. Return its output and log line."""
    done = process(database_url, "keys", *arguments, **FORGED)
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    if done.stdout:
        assert done.stdout.strip() not in line
    return done.stdout, json.loads(line)


def test_a_key_is_created_listed_rotated_and_revoked(database_url: str) -> None:
    assert itemledger(database_url, "migrate").returncode == 0
    printed, logged = change(database_url, "create", "shop", "--scope", "items:read", "--scope", "items:write")
    key = read_key(printed.removesuffix("\n").encode())
    assert key is not None
    who = logged["by"]
    assert who.startswith("shell:")
    assert "somebody-else" not in who, "the environment can be forged"
    assert logged["event"] == "API key created"
    assert (logged["key_id"], logged["name"], logged["scopes"]) == (key.id, "shop", ["items:read", "items:write"])

    printed, logged = change(database_url, "rotate", key.id, "--overlap", "0s", "--expires-in", "never", "--json")
    successor = json.loads(printed)
    assert read_key(successor["key"].encode()) is not None
    assert (successor["name"], successor["expires_at"], successor["created_by"]) == ("shop", None, who)
    assert (logged["event"], logged["key_id"], logged["replaces"]) == ("API key rotated", successor["id"], key.id)

    listed = json.loads(itemledger(database_url, "keys", "list", "--json").stdout)
    assert [entry["id"] for entry in listed] == [successor["id"]]
    assert "key" not in listed[0]

    _, logged = change(database_url, "revoke", successor["id"])
    assert (logged["event"], logged["key_id"], logged["by"]) == ("API key revoked", successor["id"], who)
    assert json.loads(itemledger(database_url, "keys", "list", "--json").stdout) == []
    table = itemledger(database_url, "keys", "list", "--all").stdout
    assert [line.split()[:2] for line in table.splitlines() if "shop" in line] == [
        [key.id, "shop"],
        [successor["id"], "shop"],
    ]
    assert "expired" in table
    assert "revoked" in table
    assert printed.strip() not in table


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["create", "shop"], 2, "--scope"),
        (["create", "shop", "--scope", "items:burn"], 2, "items:read"),
        (["create", "anonymous", "--scope", "items:read"], 2, "anonymous"),
        (["create", "two words", "--scope", "items:read"], 2, "NAME"),
        (["create", "jwt:alice", "--scope", "items:read"], 2, "NAME"),
        (["create", "shop", "--scope", "items:read", "--expires-in", "0s"], 2, "must be greater than zero"),
        (["create", "shop", "--scope", "items:read", "--expires-in", "1y"], 2, "Invalid duration '1y'"),
        (["rotate", "00000000"], 2, "No API key has the id 00000000"),
        (["revoke", "00000000"], 2, "No API key has the id 00000000"),
    ],
)
def test_invalid_arguments_are_refused_with_a_reason(
    sqlite_url: str, arguments: list[str], code: int, words: str
) -> None:
    done = itemledger(sqlite_url, "keys", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
