"""The shell's door: `itemledger serve`, `migrate`, `rebuild`, `verify`, `openapi`, `config` and `keys`; a file each."""

import click

from api.cli.config import config
from api.cli.keys import keys
from api.cli.migrate import migrate
from api.cli.openapi import describe
from api.cli.rebuild import rebuild
from api.cli.serve import serve
from api.cli.verify import verify


@click.group()
@click.version_option(package_name="itemledger")
def main() -> None:
    """Itemledger: an event-sourced item service."""


for _command in (serve, migrate, rebuild, verify, describe, config, keys):
    main.add_command(_command)
