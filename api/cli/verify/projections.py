"""`itemledger verify projections`."""

import click
import msgspec
from rich.console import Console

from api.cli.exit_codes import finish
from api.cli.options import json_option
from api.cli.output import echo
from api.cli.report import print_lines, print_samples
from api.cli.runner import lower_priority, with_database
from api.startup import check_schema
from eventstore.database.database import Database
from eventstore.log.event_type_check import check_types
from projections import PROJECTIONS
from projections.verify import Verdict
from projections.verify import verify as compare


@click.command(
    "projections", epilog="Exit codes: 0 all match the log, 1 differences found, 2 not done, 130 and 143 interrupted."
)
@json_option
def verify_projections(as_json: bool) -> None:
    """Compare every projection with the log.

    Folds the whole log and compares every row of every projection's table, and every snapshot, with the result. The
    service may run meanwhile. Nothing is changed.
    """
    lower_priority()

    async def run(database: Database) -> list[Verdict]:
        await check_types(database)
        with Console(stderr=True).status("Folding the log"):
            return await compare(database, PROJECTIONS, lambda verdict: None if as_json else _print(verdict))

    verdicts = with_database(run, check_schema)
    same = all(verdict.same for verdict in verdicts)
    if as_json:
        echo(msgspec.json.encode({"same": same, "verdicts": verdicts}))
    finish(found=not same)


def _print(verdict: Verdict) -> None:
    position = "" if verdict.position is None else f", as of position {verdict.position:,}"
    echo(f"{verdict.name}: {'matches the log' if verdict.same else 'DIFFERS from the log'}{position}")
    lines = [("problem", problem) for problem in verdict.problems]
    if verdict.position is not None:
        lines += [("rows compared", f"{verdict.rows_compared:,}"), ("rows that differ", f"{verdict.rows_differ:,}")]
    if verdict.digest_live is not None and verdict.digest_folded is not None:
        lines += [("digest, stored", verdict.digest_live), ("digest, log", verdict.digest_folded)]
    print_lines(lines)
    print_samples(verdict.samples, "log")
