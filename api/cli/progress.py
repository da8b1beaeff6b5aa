"""How progress is told: a bar for who watches a terminal, else a line about once a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import NamedTuple, TypeVar

import click
import msgspec
from rich import progress as rich
from rich.console import Console

from eventstore.log.history_reader import Progress

P = TypeVar("P")

#: Seconds between two lines of one phase.
_PAUSE = 1.0


class ProgressLine(NamedTuple):
    """Progress in words and numbers."""

    #: What is being done.
    phase: str
    #: How far that is, empty where only its beginning is known.
    far: str
    position: int
    target: int


@contextmanager
def progress_reporter(describe: Callable[[P], ProgressLine], *, as_json: bool = False) -> Iterator[Callable[[P], None]]:
    """Give what tells people of progress, on standard error; or programs, on standard output: an object a line."""
    console = Console(stderr=True)
    if as_json:
        yield _seldom(describe, lambda progress, _: click.echo(msgspec.json.encode({"progress": progress})))
    elif console.is_terminal:
        with _bar(console) as show:
            yield lambda progress: show(describe(progress))
    else:
        yield _seldom(describe, lambda _, told: click.echo(": ".join(filter(None, (told.phase, told.far))), err=True))


def how_far(position: int, target: int, rate: float, eta: float | None) -> str:
    """Say how far in a log something is: positions, positions a second, and seconds left where that is known."""
    left = "" if eta is None else f", {timedelta(seconds=round(eta))} left"
    return f"{position:,} of {target:,} events, {rate:,.0f} a second{left}"


def through_log(phase: str) -> Callable[[Progress], ProgressLine]:
    """Give what describes the progress of something that goes through the log once."""

    def describe(progress: Progress) -> ProgressLine:
        far = how_far(progress.position, progress.target, progress.rate, progress.eta)
        return ProgressLine(phase, far, progress.position, progress.target)

    return describe


def _seldom(describe: Callable[[P], ProgressLine], tell: Callable[[P, ProgressLine], None]) -> Callable[[P], None]:
    """Let `tell` know of the beginning of every phase, and then of what is new about once a second."""
    last: tuple[str, float] = ("", 0.0)

    def tell_seldom(progress: P) -> None:
        nonlocal last
        told = describe(progress)
        if told.phase != last[0] or monotonic() - last[1] >= _PAUSE:
            tell(progress, told)
            last = told.phase, monotonic()

    return tell_seldom


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[ProgressLine], None]]:
    columns = (
        rich.SpinnerColumn(),  # shows that it lives, in phases of which nothing is told
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TextColumn("{task.fields[far]}"),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, far="")

        def show(told: ProgressLine) -> None:
            bar.update(task, description=told.phase, completed=told.position, total=told.target, far=told.far)

        yield show
