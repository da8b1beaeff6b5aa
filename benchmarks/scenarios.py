"""The scenarios: the load, the two servers, and the target of their ratio on each database."""

from typing import Final, Literal

import msgspec

from benchmarks.databases import DATABASES, DatabaseName
from benchmarks.servers import ServerName


class Contender(msgspec.Struct, frozen=True):
    """One side of a comparison: a server, its log, and background load."""

    label: str
    server: ServerName
    # Items that its log starts with.
    events: int = 0
    # Changes of item 1 that its log starts with.
    changes: int = 0
    # Whether another client sends full batches all the time.
    batches: bool = False


class Scenario(msgspec.Struct, frozen=True):
    """A load that runs against two contenders in turn."""

    name: str
    title: str
    script: str
    clients: int
    # By database. A scenario without one must have no errors. A ratio of throughputs must be reached; one of 99th
    # percentiles or of processor times must not be exceeded.
    targets: dict[DatabaseName, float]
    first: Contender
    second: Contender
    # Items to create beforehand.
    items: int = 0
    of: Literal["throughput", "p99", "processor"] = "throughput"
    # The second contender's script, where it is another one.
    second_script: str | None = None
    databases: tuple[DatabaseName, ...] = DATABASES


ITEMS: Final = 10_000
EVENTS: Final = 1_000_000
CHANGES: Final = 10_000
# Each item is deleted once: enough for 2,000 deletes per second of all rounds with their warm-ups, 1,300 with --quick.
DELETES: Final = 36_000
# --quick is for trying the benchmark out, and filling a log takes long.
QUICK_EVENTS: Final = 20_000
QUICK_DELETES: Final = 8_000

_OURS: Final = Contender("Itemledger", "itemledger")
_CRUD: Final = Contender("plain CRUD", "crud")
_TUNED: Final = Contender("plain CRUD, pool tuned", "crud, tuned")
_FRAMEWORK: Final = Contender("framework's POST", "framework")


def scenarios(*, quick: bool) -> list[Scenario]:
    """Return all scenarios in the order of the report."""
    return [*_beside_crud(quick=quick), *_beside_framework(), *_beside_itself(quick=quick)]


def _beside_crud(*, quick: bool) -> list[Scenario]:
    mixed, deletes = "70 % reads, 20 % creates, 10 % deletes", QUICK_DELETES if quick else DELETES
    return [
        Scenario("create-64", "creates, 64 clients", "create", 64, _targets(12, 8), _OURS, _CRUD),
        Scenario("read-64", "reads by id, 64 clients", "read", 64, _targets(9, 8), _OURS, _CRUD, ITEMS),
        Scenario("create-64-tuned", "creates, 64 clients", "create", 64, {}, _OURS, _TUNED),
        Scenario("read-64-tuned", "reads by id, 64 clients", "read", 64, {}, _OURS, _TUNED, ITEMS),
        Scenario("create-1", "creates, 1 client", "create", 1, _targets(1.0, 1.0), _OURS, _CRUD),
        Scenario("change-1", "changes, 1 client", "change", 1, _targets(0.8, 1.0), _OURS, _CRUD, ITEMS),
        Scenario("delete-1", "deletes, 1 client", "delete", 1, _targets(0.8, 1.0), _OURS, _CRUD, deletes),
        Scenario("read-1", "reads by id, 1 client", "read", 1, _targets(1.3, 1.3), _OURS, _CRUD, ITEMS),
        Scenario("mixed-64", f"{mixed}, 64 clients", "mixed", 64, {}, _OURS, _CRUD, ITEMS),
    ]


def _beside_framework() -> list[Scenario]:
    def processor(name: str, title: str, script: str, targets: dict[DatabaseName, float], items: int = 0) -> Scenario:
        title = f"processor time: {title}, 64 clients"
        return Scenario(
            name, title, script, 64, targets, _OURS, _FRAMEWORK, items, of="processor", second_script="create"
        )

    return [
        Scenario("framework", "creates, 64 clients", "create", 64, _targets(0.30, 0.25), _OURS, _FRAMEWORK),
        processor("processor-livez", "`GET /livez`", "livez", _targets(1.8, 1.8)),
        processor("processor-read", "reads by id", "read", _targets(2.4, 2.6), ITEMS),
        processor("processor-create", "creates", "create", _targets(3.2, 3.2)),
    ]


def _beside_itself(*, quick: bool) -> list[Scenario]:
    events = QUICK_EVENTS if quick else EVENTS
    full = Contender(f"{events:,} events in the log", "itemledger", events)
    during_batches = Contender("during batches", "itemledger", batches=True)
    return [
        Scenario(
            "no-database",
            "creates, 64 clients, against the same server without a database",
            "create",
            64,
            {},
            _OURS,
            Contender("no database", "no database"),
        ),
        Scenario(
            "two-processes",
            "creates, 64 clients, two processes against one",
            "create",
            64,
            {"postgresql": 0.9},
            Contender("two processes", "itemledger, two processes"),
            Contender("one process", "itemledger"),
            databases=("postgresql",),
        ),
        Scenario(
            "flat-append",
            f"creates, 64 clients, {full.label} against an empty one",
            "create",
            64,
            _targets(0.8, 0.8),
            full,
            Contender("empty log", "itemledger"),
        ),
        Scenario(
            "long-stream",
            f"changes of one item, 1 client, after {CHANGES:,} changes",
            "change",
            1,
            _targets(0.67, 0.67),
            Contender(f"after {CHANGES:,} changes", "itemledger", 1, changes=CHANGES),
            Contender("a new item", "itemledger", 1),
        ),
        *(
            Scenario(
                f"batches-{clients}",
                f"creates, {clients} clients, during a stream of full batches",
                "create",
                clients,
                _targets(3, 3),
                during_batches,
                Contender("no batches", "itemledger"),
                of="p99",
            )
            for clients in (16, 64)
        ),
    ]


def _targets(sqlite: float, postgresql: float) -> dict[DatabaseName, float]:
    return {"sqlite": sqlite, "postgresql": postgresql}
