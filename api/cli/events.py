"""`itemledger events`."""

import click

from api.cli.export import export


@click.group()
def events() -> None:
    """Take the history elsewhere, and bring it from there."""


events.add_command(export)
