"""`itemledger verify`."""

from collections.abc import Iterator

import click
import msgspec
from rich.console import Console

import migrations
from api.app import check_schema
from api.cli.report import print_samples
from api.cli.runner import lower_priority, with_database
from api.cli.verify.consistency import verify_consistency
from api.cli.verify.log import verify_log
from api.cli.verify.proof import verify_proof
from eventstore.database.database import Database
from eventstore.log.event_type_check import check_types
from projections import PROJECTIONS
from projections.verify import Verdict
from projections.verify import verify as compare


@click.group()
def verify() -> None:
    """Verify the log, proofs of what is in it, and what was made of it."""


for _command in (verify_log, verify_proof, verify_consistency):
    verify.add_command(_command)


@verify.command("projections")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify_projections(as_json: bool) -> None:
    """Fold the whole log, and compare every projection's table with that, row by row, and every snapshot.

    The service serves meanwhile, and nothing is changed. Exit codes: 0, all is what the log says; 1, something is not,
    or it failed; 130 and 143, it was interrupted.
    """
    lower_priority()

    async def run(database: Database) -> list[Verdict]:
        check_schema(await database.run_isolated(migrations.current))
        await check_types(database)
        with Console(stderr=True).status("Folding the log"):
            return await compare(database, PROJECTIONS, lambda verdict: None if as_json else _print(verdict))

    verdicts = with_database(run)
    same = all(verdict.same for verdict in verdicts)
    if as_json:
        click.echo(msgspec.json.encode({"same": same, "verdicts": verdicts}))
    raise click.exceptions.Exit(0 if same else 1)


def _print(verdict: Verdict) -> None:
    place = "" if verdict.position is None else f", as of position {verdict.position:,}"
    click.echo(f"{verdict.name}: {'as the log says' if verdict.same else 'NOT as the log says'}{place}")
    for label, value in _facts(verdict):
        click.echo(f"  {label:<18}{value}")
    print_samples(verdict.samples, "the log says")


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    for problem in verdict.problems:
        yield "problem", problem
    if verdict.position is not None:
        yield "rows compared", f"{verdict.rows_compared:,}"
        yield "rows that differ", f"{verdict.rows_differ:,}"
    if verdict.digest_live is not None and verdict.digest_folded is not None:
        yield "digest, stored", verdict.digest_live
        yield "digest, the log's", verdict.digest_folded
