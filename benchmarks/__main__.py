"""The command line of the benchmarks: `python -m benchmarks [--quick] [--only DATABASE] [--scenario NAME]`.

Exit codes: 0 the measurements can be trusted, 1 a run had errors, 2 nothing could be run. None of them says whether the
targets were met.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from typing import Final, NoReturn

from benchmarks import start_and_memory
from benchmarks.databases import DATABASES, open_databases
from benchmarks.load import ROOT, BenchmarkError, wrk_version
from benchmarks.machine import describe
from benchmarks.replay import scenario as replay
from benchmarks.replay.report import tables
from benchmarks.report import Section, markdown, table
from benchmarks.rounds import FULL, QUICK, run_scenario
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
    sections: list[Section] = []
    for name in DATABASES if options.only is None else (options.only,):
        with open_databases(name) as databases:
            section = Section(databases.description)
            sections.append(section)
            for scenario in chosen:
                if name not in scenario.databases:
                    continue
                _tell(f"{name}: {scenario.title} ...")
                section.results.append(run_scenario(scenario, name, databases, rounds))
                _tell(f"{table(section.results[-1:])}\n")
            if options.scenario in (None, start_and_memory.NAME):
                _tell(f"{name}: {start_and_memory.NAME} ...")
                section.started = start_and_memory.run_start_and_memory(name, databases, quick=options.quick)
                _tell(f"{start_and_memory.table(section.started)}\n")
            if options.scenario in (None, replay.NAME):
                _tell(f"{name}: {replay.NAME} ...")
                section.replayed = replay.run_replay(databases, quick=options.quick, events=options.events)
                _tell(f"{tables(section.replayed)}\n")
    today = datetime.now(UTC).date().isoformat()
    page = markdown(sections, describe(), rounds, today, ITEMS)
    print(page)
    failed = any(section.failed for section in sections)
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
    names = [*(scenario.name for scenario in scenarios(quick=True)), start_and_memory.NAME, replay.NAME]
    parser.add_argument(
        "--quick", action="store_true", help="shorter rounds and fewer events, to try the benchmark out"
    )
    parser.add_argument("--only", choices=DATABASES, help="one database only")
    parser.add_argument("--scenario", choices=names, help="one scenario only")
    parser.add_argument(
        "--events", type=int, metavar="N", help=f"number of events that the scenario {replay.NAME} replays"
    )
    return parser.parse_args()


def _tell(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def _terminated(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
