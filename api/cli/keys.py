"""`itemledger keys`. A new key is printed on standard output; who changed what is logged on standard error."""

import os
import pwd
import re
import sys
from collections.abc import Callable
from typing import TypeVar

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from api import logs
from api.auth.api_keys import store
from api.auth.api_keys.store import KeyChangeError, NewKey
from api.auth.api_keys.table import NAME_PATTERN, NAME_RULE
from api.auth.api_keys.usage import log_change, log_new
from api.auth.scopes import Scope
from api.cli.exit_codes import CommandError
from api.cli.options import json_option
from api.cli.output import deliver, echo
from api.cli.runner import with_database
from api.durations import Duration, Lifetime
from api.keys.schemas import KeyState, to_created_key, to_key
from api.startup import prepare
from eventstore.clock import now

T = TypeVar("T")

_SCOPE = click.Choice([scope.value for scope in Scope])
_LIFETIME = "Lifetime of the key, such as 90d or 12h, or never."


@click.group(epilog="Exit codes: 0 done, 2 not done, 130 and 143 interrupted.")
def keys() -> None:
    """Create, list, rotate and revoke API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=_SCOPE, help="Scope to grant; repeatable.")
@click.option("--expires-in", "lifetime", type=Lifetime(), default="365d", show_default=True, help=_LIFETIME)
@json_option
def create_key(name: str, scopes: tuple[str, ...], lifetime: int, as_json: bool) -> None:
    """Create an API key for NAME and print it.

    NAME is the actor of every event caused with the key. The key itself is not stored and cannot be shown again.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise click.UsageError(f"NAME is not valid: {NAME_RULE}")
    by = _user()
    new = _change(lambda connection: store.create(connection, name, [*map(Scope, scopes)], lifetime, by))
    _report_new("created", new, by, as_json=as_json)


@keys.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Include expired and revoked keys.")
@json_option
def list_keys(with_ended: bool, as_json: bool) -> None:
    """List the API keys. Last used is accurate to some minutes."""
    moment = now()
    found = with_database(lambda database: database.read_transaction(store.read_all), prepare)
    states = [to_key(key, moment) for key in found if with_ended or key.is_active(moment)]
    if as_json:
        echo(msgspec.json.format(msgspec.json.encode(states)))
    else:
        _print_table(states)


@keys.command("rotate")
@click.argument("key_id")
@click.option("--overlap", type=Duration(), default="24h", show_default=True, help="How long the old key stays valid.")
@click.option("--expires-in", "lifetime", type=Lifetime(), help=f"{_LIFETIME}  [default: that of the old key]")
@json_option
def rotate_key(key_id: str, overlap: int, lifetime: int | None, as_json: bool) -> None:
    """Create and print a key that replaces KEY_ID, with the same name and scopes."""
    by = _user()
    new = _change(lambda connection: store.rotate(connection, key_id, overlap, lifetime, by))
    _report_new("rotated", new, by, as_json=as_json, replaces=key_id)


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Revoke KEY_ID. Every process refuses it within a second."""
    by = _user()
    key = _change(lambda connection: store.revoke(connection, key_id, by))
    logs.configure("info", sys.stderr)
    log_change("revoked", key, by, None)
    logs.drain()


def _user() -> str:
    """Return who runs this process, by its user id: environment variables can be forged."""
    try:
        return f"shell:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"shell:{os.getuid()}"


def _change(work: Callable[[Connection], T]) -> T:
    return with_database(lambda database: database.write(work), prepare, reported=(KeyChangeError,))


def _report_new(change: str, new: NewKey, by: str, *, as_json: bool, **more: str) -> None:
    logs.configure("info", sys.stderr)
    log_new(change, new, by, None, **more)
    logs.drain()
    if new.earlier:
        echo(_earlier_keys(new), err=True)
    try:
        deliver(msgspec.json.encode(to_created_key(new)) if as_json else new.text.encode())
    except OSError as error:
        raise CommandError(
            f"Cannot print the new key: {error.strerror}. Nobody has it: run `itemledger keys revoke {new.key.id}`"
        ) from None


def _earlier_keys(new: NewKey) -> str:
    ids = ", ".join(key.id for key in new.earlier)
    return (
        f"Note: {new.key.name} had keys before ({ids}). If their holder was another person, tell the events of the two "
        f"apart by credential: those of the new key have {new.key.credential}."
    )


def _print_table(states: list[KeyState]) -> None:
    table = Table("id", "name", "scopes", "state", "created", "expires", "last used", box=SIMPLE_HEAD)
    for key in states:
        times = (key.created_at, key.expires_at, key.last_used_at)
        minutes = [(time or "never")[:16].replace("T", " ") for time in times]
        table.add_row(key.id, key.name, " ".join(key.scopes), key.state, *minutes)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
