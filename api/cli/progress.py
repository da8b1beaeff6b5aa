"""Progress of a command: a bar on a terminal, otherwise a line about once a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import msgspec
from rich import progress as rich
from rich.console import Console

from api.cli.output import echo

if TYPE_CHECKING:
    from eventstore.log.history_reader import Progress
    from projections.rebuild.rebuild import Progress as RebuildProgress

P = TypeVar("P", "Progress", "RebuildProgress")

#: Between two lines of one phase.
_INTERVAL_SECONDS = 1.0


@contextmanager
def progress_reporter(
    phase_of: Callable[[P], str],
    *,
    is_counted: Callable[[P], bool] = lambda _: True,
    as_json: bool = False,
    only_on_terminal: bool = False,
) -> Iterator[Callable[[P], None]]:
    """Provide a function that reports progress on standard error, or `as_json` on standard output, an object a line.

    Of a phase that is not counted only the beginning is known.
    """
    console = Console(stderr=True)
    last: tuple[str, float] = ("", 0.0)

    def report_if_due(progress: P) -> None:
        nonlocal last
        phase = phase_of(progress)
        if phase != last[0] or monotonic() - last[1] >= _INTERVAL_SECONDS:
            if as_json:
                echo(msgspec.json.encode({"progress": progress}))
            else:
                echo(f"{phase}: {_amount(progress)}" if is_counted(progress) else phase, err=True)
            last = phase, monotonic()

    if as_json or not console.is_terminal:
        yield report_if_due if as_json or not only_on_terminal else lambda _: None
        return
    columns = (
        rich.SpinnerColumn(),  # moves in phases that report no progress
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TextColumn("{task.fields[amount]}"),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, amount="")

        def show(progress: P) -> None:
            amount = _amount(progress) if is_counted(progress) else ""
            position, target = progress.position, progress.target
            bar.update(task, description=phase_of(progress), completed=position, total=target, amount=amount)

        yield show


def _amount(progress: "Progress | RebuildProgress") -> str:
    left = "" if progress.eta is None else f", {timedelta(seconds=round(progress.eta))} left"
    return f"{progress.position:,} of {progress.target:,} events, {progress.rate:,.0f} a second{left}"
