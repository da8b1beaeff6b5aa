"""`itemledger events`."""

import click

from api.cli.events.export import export
from api.cli.events.import_ import import_


@click.group()
def events() -> None:
    """Take the history elsewhere, and bring it from there."""


events.add_command(export)
events.add_command(import_)
