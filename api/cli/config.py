"""`itemledger config`."""

import click
import msgspec

from api.settings import Settings, SettingsError, from_environment, read_variables, to_text, variable
from eventstore.database.engine import open_database
from eventstore.errors import UnsupportedDatabaseError


@click.group()
def config() -> None:
    """Look at the settings, as this environment gives them."""


@config.command()
def check() -> None:
    """Say whether the settings are valid, without connecting to anything. Exit code 0: they are; 1: not."""
    _checked()
    click.echo("The settings are valid")


@config.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(as_json: bool) -> None:
    """Print every setting with where it comes from; of a secret, that there is one."""
    settings = _checked()
    values = to_text(settings)
    origins = {variable(field): name for field, (name, _) in read_variables().items()}
    if as_json:
        told = {name: {"value": value, "from": origins.get(name)} for name, value in values.items()}
        click.echo(msgspec.json.format(msgspec.json.encode(told)))
        return
    width = max(len(name) + len(value) for name, value in values.items()) + 1
    for name, value in values.items():
        click.echo(f"{f'{name}={value}':<{width}}  # {origins.get(name, 'default')}")


def _checked() -> Settings:
    try:
        settings = from_environment()
        open_database(settings.database_url.reveal())
    except (SettingsError, UnsupportedDatabaseError) as error:
        raise click.ClickException(str(error)) from None
    return settings
