"""`itemledger keys`. A new key goes to standard output; what was done, and who did it, is logged on standard error."""

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
from api.app import prepare
from api.auth.api_keys import store
from api.auth.api_keys.store import NAME_PATTERN, NAME_RULE, ApiKey, KeyChangeError, NewKey, now
from api.auth.api_keys.usage import log_change
from api.auth.scopes import Scope
from api.cli.runner import with_database
from api.durations import Duration, Lifetime
from api.keys.schemas import KeyState, to_created_key, to_key
from eventstore.database.database import Database

T = TypeVar("T")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def keys() -> None:
    """Make, list, replace and end API keys."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What for; once a scope.",
)
@click.option("--expires-in", "lifetime", type=Lifetime(), default="365d", show_default=True, help="90d, 12h; never.")
@_as_json
def create_key(name: str, scopes: tuple[str, ...], lifetime: int, as_json: bool) -> None:
    """Make a key for NAME, and print it: it is not kept, and can't be shown again.

    NAME is the actor of every event that is caused with it.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise click.UsageError(f"NAME is {NAME_RULE}")
    by = _user()
    new = _change(lambda connection: store.create(connection, name, [*map(Scope, scopes)], lifetime, by))
    _log("created", new.key, by)
    _print_new(new, as_json=as_json)


@keys.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Those too that have expired or were revoked.")
@_as_json
def list_keys(with_ended: bool, as_json: bool) -> None:
    """List the keys: whose, what for, until when, when last used (to within some minutes)."""

    async def read(database: Database) -> list[ApiKey]:
        await prepare(database)
        return await database.read_transaction(store.read_all)

    moment = now()
    found = [to_key(key, moment) for key in with_database(read) if with_ended or key.is_active(moment)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _print_table(found)


@keys.command("rotate")
@click.argument("key_id")
@click.option("--overlap", type=Duration(), default="24h", show_default=True, help="How long KEY_ID stays good yet.")
@click.option("--expires-in", "lifetime", type=Lifetime(), help="90d, 12h; never.  [default: as KEY_ID was made for]")
@_as_json
def rotate_key(key_id: str, overlap: int, lifetime: int | None, as_json: bool) -> None:
    """Make a key to take the place of KEY_ID, with its name and scopes, and print it."""
    by = _user()
    new = _change(lambda connection: store.rotate(connection, key_id, overlap, lifetime, by))
    _log("rotated", new.key, by, replaces=key_id)
    _print_new(new, as_json=as_json)


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """End KEY_ID. A second later every process refuses it."""
    by = _user()
    key = _change(lambda connection: store.revoke(connection, key_id, by))
    _log("revoked", key, by)


def _user() -> str:
    """Say who runs this: not as the environment has it, which anybody can set."""
    try:
        return f"shell:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"shell:{os.getuid()}"


def _change(work: Callable[[Connection], T]) -> T:
    async def run(database: Database) -> T:
        await prepare(database)
        try:
            return await database.write(work)
        except KeyChangeError as error:
            raise click.ClickException(str(error)) from None

    return with_database(run)


def _log(done: str, key: ApiKey, by: str, **more: str) -> None:
    logs.configure("info", sys.stderr)
    log_change(done, key, by, **more)


def _print_new(new: NewKey, *, as_json: bool) -> None:
    click.echo(msgspec.json.encode(to_created_key(new)) if as_json else new.text)


def _print_table(found: list[KeyState]) -> None:
    table = Table("id", "name", "scopes", "state", "created", "expires", "last used", box=SIMPLE_HEAD)
    for key in found:
        times = (key.created_at, key.expires_at, key.last_used_at)
        told = [(time or "never")[:16].replace("T", " ") for time in times]
        table.add_row(key.id, key.name, " ".join(key.scopes), key.state, *told)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
