"""`itemledger openapi`."""

import click
import msgspec

from api.app import ROUTES
from api.cli.output import echo
from api.ops import openapi


@click.command("openapi")
def describe() -> None:
    """Print the OpenAPI document."""
    echo(msgspec.json.format(msgspec.json.encode(openapi.build_document(ROUTES))))
