"""`itemledger openapi`."""

import click
import msgspec

from api import openapi
from api.app import ROUTES


@click.command("openapi")
def describe() -> None:
    """Print the OpenAPI document, without a database."""
    click.echo(msgspec.json.format(msgspec.json.encode(openapi.document(ROUTES))))
