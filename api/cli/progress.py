"""How a rebuild's progress is told: a bar for who watches a terminal, else a line about once a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

import click
import msgspec
from rich import progress as rich
from rich.console import Console

from projections.rebuild import Progress

Tell = Callable[[Progress], None]

#: Seconds between two lines of one phase.
_PAUSE = 1.0


@contextmanager
def telling(*, as_json: bool) -> Iterator[Tell]:
    """Give what tells people of progress, on standard error; or programs, on standard output: an object a line."""
    console = Console(stderr=True)
    if as_json:
        yield _seldom(lambda progress: click.echo(msgspec.json.encode({"progress": progress})))
    elif console.is_terminal:
        with _bar(console) as tell:
            yield tell
    else:
        yield _seldom(
            lambda progress: click.echo(": ".join(filter(None, (_phase(progress), _far(progress)))), err=True)
        )


def _seldom(tell: Tell) -> Tell:
    """Let `tell` know of the beginning of every phase, and then of what is new about once a second."""
    told: tuple[str, float] = ("", 0.0)

    def tell_seldom(progress: Progress) -> None:
        nonlocal told
        if progress.phase != told[0] or monotonic() - told[1] >= _PAUSE:
            tell(progress)
            told = progress.phase, monotonic()

    return tell_seldom


@contextmanager
def _bar(console: Console) -> Iterator[Tell]:
    columns = (
        rich.SpinnerColumn(),  # shows that it lives, in phases of which nothing is told
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TextColumn("{task.fields[far]}"),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, far="")

        def tell(progress: Progress) -> None:
            far = _far(progress)
            bar.update(task, description=_phase(progress), completed=progress.position, total=progress.target, far=far)

        yield tell


def _phase(progress: Progress) -> str:
    return f"{progress.projection}, {progress.phase}"


def _far(progress: Progress) -> str:
    """Say how far the replay is; of other phases only their beginning is known."""
    if progress.phase != "fill":
        return ""
    left = "" if progress.eta is None else f", {timedelta(seconds=round(progress.eta))} left"
    return f"{progress.position:,} of {progress.target:,} events, {progress.rate:,.0f} a second{left}"
