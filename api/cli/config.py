"""`itemledger config`."""

import click
import msgspec

from api.cli.exit_codes import CommandError
from api.cli.options import json_option
from api.cli.output import echo
from api.settings import Settings, SettingsError, from_environment, read_variables, to_text, variable
from eventstore.database.engine import open_database
from eventstore.errors import UnsupportedDatabaseError


@click.group()
def config() -> None:
    """Check and show the settings."""


@config.command(epilog="Exit codes: 0 valid, 2 not valid.")
def check() -> None:
    """Check the settings in the environment, without connecting to a database."""
    _settings()
    echo("The settings are valid")


@config.command(epilog="Exit codes: 0 done, 2 a setting is not valid.")
@json_option
def show(as_json: bool) -> None:
    """Print every setting and which variable sets it. Secrets are shown as ***."""
    values = to_text(_settings())
    origins = {variable(field): name for field, (name, _) in read_variables().items()}
    if as_json:
        described = {name: {"value": value, "from": origins.get(name)} for name, value in values.items()}
        echo(msgspec.json.format(msgspec.json.encode(described)))
        return
    width = max(len(name) + len(value) for name, value in values.items()) + 1
    for name, value in values.items():
        echo(f"{f'{name}={value}':<{width}}  # {origins.get(name, 'default')}")


def _settings() -> Settings:
    try:
        settings = from_environment()
        open_database(settings.database_url.reveal())  # does not connect: only checks the URL
    except (SettingsError, UnsupportedDatabaseError) as error:
        raise CommandError(str(error)) from None
    return settings
