"""The exit codes of every command: one rule, and no command has a code of its own.

0: the command did what it was asked to, and found nothing wrong. 1: it found something: rows that differ, a log that
was tampered with, a proof that fails. 2: it could not do it: an option or a setting is not valid, a database or a file
cannot be used, or the work was refused or failed. 130 and 143: SIGINT or SIGTERM interrupted it.
"""

from typing import NoReturn

import click

FOUND = 1
FAILED = 2
#: And the signal's number.
INTERRUPTED = 128


class CommandError(click.ClickException):
    """The command could not do its work; the message says why."""

    exit_code = FAILED


def finish(*, found: bool = False) -> NoReturn:
    """End a command that did its work, and may have found something."""
    raise click.exceptions.Exit(FOUND if found else 0)
