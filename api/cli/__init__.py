"""The shell's door: a file for each command."""

import click

from api.cli.backup import backup
from api.cli.config import config
from api.cli.events.group import events
from api.cli.keys import keys
from api.cli.log import log
from api.cli.migrate import migrate
from api.cli.openapi import describe
from api.cli.rebuild import rebuild
from api.cli.serve import serve
from api.cli.verify.projections import verify


@click.group()
@click.version_option(package_name="itemledger")
def main() -> None:
    """Itemledger: an event-sourced item service."""


for _command in (
    serve,
    migrate,
    events,
    rebuild,
    verify,
    backup,
    log,
    config,
    keys,
    describe,
):
    main.add_command(_command)
