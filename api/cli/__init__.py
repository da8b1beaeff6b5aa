"""The command line. A command's module is imported only when the command runs, so that `--help` answers at once."""

import gc
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click

from api.cli import output
from api.cli.exit_codes import FAILED, INTERRUPTED


@contextmanager
def without_collecting() -> Iterator[None]:
    """Do not collect garbage for a while: imports leave little, and each collection visits all that is loaded."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class LazyGroup(click.Group):
    """A group whose `targets` are, by command name, the command's `module:object` and its short help."""

    def __init__(self, *arguments: Any, targets: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the help."""
        return sorted(self.targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. Returns None for an unknown name."""
        if cmd_name not in self.targets:
            return None
        module, _, name = self.targets[cmd_name][0].partition(":")
        with without_collecting():
            command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.targets[name][1]) for name in self.list_commands(ctx)])


class CommandLine(LazyGroup):
    """All commands. Ends the process with the code that `exit_codes` defines, whatever happens in a command."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        """Run a command and end the process."""
        output.prepare()
        try:
            code = super().main(*arguments, **{**options, "standalone_mode": False}) or 0
        except click.ClickException as error:
            error.show(file=sys.stderr)
            code = FAILED
        except click.Abort:
            code = INTERRUPTED + signal.SIGINT
        except Exception:
            traceback.print_exc()
            code = FAILED
        sys.exit(code)


@click.group(
    cls=CommandLine,
    epilog="Exit codes: 0 done and nothing wrong found, 1 something wrong found, 2 not done, 130 and 143 interrupted.",
    targets={
        "serve": ("api.cli.serve:serve", "Run the HTTP server until it is stopped."),
        "migrate": ("api.cli.migrate:migrate", "Upgrade the database schema to the version this code needs."),
        "events": ("api.cli:events_group", "Export and import events."),
        "rebuild": ("api.cli.rebuild:rebuild", "Rebuild a projection from the log while the service runs."),
        "verify": ("api.cli:verify_group", "Verify the log, proofs and projections."),
        "backup": ("api.cli.backup:backup", "Copy the SQLite database to FILE and check the copy."),
        "log": ("api.cli.log:log", "Manage the key that signs checkpoints."),
        "config": ("api.cli.config:config", "Check and show the settings."),
        "console": ("api.cli.console:console", "Write the offline verifier: one HTML file for auditors."),
        "keys": ("api.cli.keys:keys", "Create, list, rotate and revoke API keys."),
        "openapi": ("api.cli.openapi:describe", "Print the OpenAPI document."),
    },
)
@click.version_option(package_name="itemledger")
def main() -> None:
    """Run and operate Itemledger, an event-sourced item service."""


@click.group(
    "events",
    cls=LazyGroup,
    targets={
        "export": ("api.cli.events.export:export", "Export events to a file or to standard output."),
        "import": ("api.cli.events.import_:import_", "Import an exported log into an empty one."),
    },
)
def events_group() -> None:
    """Export and import events."""


@click.group(
    "verify",
    cls=LazyGroup,
    targets={
        "log": ("api.cli.verify.log:verify_log", "Verify that the log was not changed."),
        "proof": ("api.cli.verify.proofs:verify_proof", "Verify the proof that an event is in the log."),
        "consistency": ("api.cli.verify.proofs:verify_consistency", "Verify that the log only grew."),
        "projections": ("api.cli.verify.projections:verify_projections", "Compare every projection with the log."),
    },
)
def verify_group() -> None:
    """Verify the log, proofs and projections."""
