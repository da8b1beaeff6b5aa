"""The command line of the benchmarks: `python -m benchmarks [--quick] [--only DATABASE] [--scenario NAME]`.

Exit codes: 0 the measurements can be trusted, 1 a run had errors, 2 nothing could be run. None of them says whether the
targets were met.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from typing import Final, NoReturn

from benchmarks.databases import DATABASES, open_databases
from benchmarks.load import ROOT, BenchmarkError, wrk_version
from benchmarks.machine import describe
from benchmarks.replay.report import tables
from benchmarks.replay.scenario import NAME, Replayed, run_replay
from benchmarks.report import markdown, table
from benchmarks.rounds import FULL, QUICK, Result, run_scenario
from benchmarks.scenarios import ITEMS, scenarios

REPORT: Final = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Run the requested scenarios and print the report."""
    options = _parse()
    if wrk_version() is None:
        print("The load generator wrk is not installed. Run `apt-get install wrk`.", file=sys.stderr)
        return 2
    # An exception, so that the servers are stopped too.
    signal.signal(signal.SIGTERM, _terminated)
    rounds = QUICK if options.quick else FULL
    chosen = [scenario for scenario in scenarios(quick=options.quick) if options.scenario in (None, scenario.name)]
    results: dict[str, list[Result]] = {}
    replays: dict[str, Replayed] = {}
    for name in DATABASES if options.only is None else (options.only,):
        with open_databases(name) as databases:
            rows = results.setdefault(databases.description, [])
            for scenario in chosen:
                print(f"{name}: {scenario.title} ...", file=sys.stderr, flush=True)
                rows.append(run_scenario(scenario, databases, rounds))
                print(f"{table(rows[-1:])}\n", file=sys.stderr, flush=True)
            if options.scenario in (None, NAME):
                print(f"{name}: {NAME} ...", file=sys.stderr, flush=True)
                replayed = run_replay(name, databases, quick=options.quick, events=options.events)
                replays[databases.description] = replayed
                print(f"{tables(replayed)}\n", file=sys.stderr, flush=True)
    today = datetime.now(UTC).date().isoformat()
    page = markdown(results, replays, describe(), rounds, today, ITEMS)
    print(page)
    failed = any(result.errors for rows in results.values() for result in rows)
    failed |= any(replayed.wrong for replayed in replays.values())
    complete = not options.quick and options.only is options.scenario is options.events is None
    if complete and not failed:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(page, encoding="utf-8")
    return 1 if failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare Itemledger with a plain CRUD service. A partial run prints its results. Only a whole"
        f" run without errors rewrites {REPORT.relative_to(ROOT)}.",
    )
    names = [*(scenario.name for scenario in scenarios(quick=True)), NAME]
    parser.add_argument(
        "--quick", action="store_true", help="shorter rounds and fewer events, to try the benchmark out"
    )
    parser.add_argument("--only", choices=DATABASES, help="one database only")
    parser.add_argument("--scenario", choices=names, help="one scenario only")
    parser.add_argument("--events", type=int, metavar="N", help=f"number of events that the scenario {NAME} replays")
    return parser.parse_args()


def _terminated(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
