"""The benchmark's targets: what they compare, on which database, and in which direction."""

import os

import pytest

from benchmarks.databases import DATABASES, DatabaseName
from benchmarks.process_usage import processor_seconds, resident_mib
from benchmarks.report import Section
from benchmarks.rounds import Figures, Result
from benchmarks.scenarios import Scenario, scenarios

SCENARIOS = {scenario.name: scenario for scenario in scenarios(quick=True)}


def figures(per_second: float = 1000, p99_ms: float = 1, processor_us: float = 100) -> Figures:
    return Figures(per_second, 1, p99_ms, processor_us, {})


@pytest.mark.parametrize(
    ("name", "database", "first", "met"),
    [
        ("create-64", "postgresql", figures(per_second=8000), True),
        ("create-64", "sqlite", figures(per_second=8000), False),
        ("processor-read", "sqlite", figures(processor_us=240), True),
        ("processor-read", "sqlite", figures(processor_us=250), False),
        ("processor-read", "postgresql", figures(processor_us=250), True),
        ("batches-16", "sqlite", figures(p99_ms=3), True),
        ("batches-16", "sqlite", figures(p99_ms=3.1), False),
        ("mixed-64", "sqlite", figures(per_second=1), True),
    ],
)
def test_a_target_is_of_its_database_and_of_one_kind(
    name: str, database: DatabaseName, first: Figures, met: bool
) -> None:
    result = Result(SCENARIOS[name], database, first, figures())
    assert result.met is met
    assert (f"- `{name}`" in "\n".join(Section(database, [result]).markdown())) is not met


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_has_a_target_on_each_of_its_databases_or_on_none(scenario: Scenario) -> None:
    assert scenario.targets.keys() in (set(), set(scenario.databases))
    assert set(scenario.databases) <= set(DATABASES)
    assert scenario.first != scenario.second


def test_the_usage_of_this_process_is_found() -> None:
    assert processor_seconds(os.getpid()) > 0
    assert resident_mib(os.getpid()) > 1
