"""Options and argument types that several commands share."""

from pathlib import Path

import click

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
