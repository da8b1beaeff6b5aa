"""`itemledger keys`: what it prints and logs, what it refuses, and that the key it prints is one."""

import json
import subprocess
from typing import Any

import pytest

from api.auth.api_keys.format import read_key
from tests.support.service import ITEMLEDGER, outer_environment


def keys(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ITEMLEDGER, "keys", *arguments],
        env={**outer_environment(), "DATABASE_URL": database_url, "USER": "somebody-else", "LOGNAME": "somebody-else"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def done(database_url: str, *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run a command that changes something; give what it printed and what it logged."""
    ran = keys(database_url, *arguments)
    assert ran.returncode == 0, ran.stderr
    [line] = ran.stderr.splitlines()
    if ran.stdout:
        assert ran.stdout.strip() not in line
    return ran.stdout, json.loads(line)


def test_a_key_is_made_listed_replaced_and_ended(database_url: str) -> None:
    migrated = subprocess.run(
        [ITEMLEDGER, "migrate"], env={**outer_environment(), "DATABASE_URL": database_url}, check=False
    )
    assert migrated.returncode == 0
    printed, logged = done(database_url, "create", "shop", "--scope", "items:read", "--scope", "items:write")
    key = read_key(printed.removesuffix("\n").encode())
    assert key is not None
    who = logged["by"]
    assert who.startswith("shell:")
    assert "somebody-else" not in who, "the environment is no witness"
    assert logged["event"] == "API key created"
    assert (logged["key_id"], logged["name"], logged["scopes"]) == (key.id, "shop", ["items:read", "items:write"])

    printed, logged = done(database_url, "rotate", key.id, "--overlap", "0s", "--expires-in", "never", "--json")
    successor = json.loads(printed)
    assert read_key(successor["key"].encode()) is not None
    assert (successor["name"], successor["expires_at"], successor["created_by"]) == ("shop", None, who)
    assert (logged["event"], logged["key_id"], logged["replaces"]) == ("API key rotated", successor["id"], key.id)

    listed = json.loads(keys(database_url, "list", "--json").stdout)
    assert [entry["id"] for entry in listed] == [successor["id"]]
    assert "key" not in listed[0]

    _, logged = done(database_url, "revoke", successor["id"])
    assert (logged["event"], logged["key_id"], logged["by"]) == ("API key revoked", successor["id"], who)
    assert json.loads(keys(database_url, "list", "--json").stdout) == []
    table = keys(database_url, "list", "--all").stdout
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
        (["create", "shop", "--scope", "items:read", "--expires-in", "0s"], 2, "never live"),
        (["create", "shop", "--scope", "items:read", "--expires-in", "1y"], 2, "no duration"),
        (["rotate", "00000000"], 1, "There is no key 00000000"),
        (["revoke", "00000000"], 1, "There is no key 00000000"),
    ],
)
def test_what_can_not_be_is_refused_with_a_reason(sqlite_url: str, arguments: list[str], code: int, words: str) -> None:
    ran = keys(sqlite_url, *arguments)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
