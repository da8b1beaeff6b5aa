"""The scenarios: the load, the two servers, and the target of their ratio."""

from typing import Final, Literal

import msgspec

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
    # Without a target the run must have no errors. A ratio of throughputs must be reached, one of 99th
    # percentiles must not be exceeded.
    target: float | None
    first: Contender
    second: Contender
    # Items to create beforehand.
    items: int = 0
    of: Literal["throughput", "p99"] = "throughput"


ITEMS: Final = 10_000
EVENTS: Final = 1_000_000
CHANGES: Final = 10_000
# --quick is for trying the benchmark out, and filling a log takes long.
QUICK_EVENTS: Final = 20_000

_OURS: Final = Contender("Itemledger", "itemledger")
_CRUD: Final = Contender("plain CRUD", "crud")
_TUNED: Final = Contender("plain CRUD, pool tuned", "crud, tuned")


def scenarios(*, quick: bool) -> list[Scenario]:
    """Return all scenarios in the order of the report."""
    events = QUICK_EVENTS if quick else EVENTS
    full = Contender(f"{events:,} events in the log", "itemledger", events)
    return [
        Scenario("create-64", "creates, 64 clients", "create", 64, 12, _OURS, _CRUD),
        Scenario("read-64", "reads by id, 64 clients", "read", 64, 6, _OURS, _CRUD, ITEMS),
        Scenario("create-64-tuned", "creates, 64 clients", "create", 64, None, _OURS, _TUNED),
        Scenario("read-64-tuned", "reads by id, 64 clients", "read", 64, None, _OURS, _TUNED, ITEMS),
        Scenario("create-1", "creates, 1 client", "create", 1, 0.7, _OURS, _CRUD),
        Scenario("read-1", "reads by id, 1 client", "read", 1, 1.0, _OURS, _CRUD, ITEMS),
        Scenario(
            "mixed-64", "70 % reads, 20 % creates, 10 % deletes, 64 clients", "mixed", 64, None, _OURS, _CRUD, ITEMS
        ),
        Scenario(
            "no-database",
            "creates, 64 clients, against the same server without a database",
            "create",
            64,
            0.30,
            _OURS,
            Contender("no database", "no database"),
        ),
        Scenario(
            "flat-append",
            f"creates, 64 clients, {full.label} against an empty one",
            "create",
            64,
            0.8,
            full,
            Contender("empty log", "itemledger"),
        ),
        Scenario(
            "long-stream",
            f"changes of one item, 1 client, after {CHANGES:,} changes",
            "change",
            1,
            0.67,
            Contender(f"after {CHANGES:,} changes", "itemledger", 1, changes=CHANGES),
            Contender("a new item", "itemledger", 1),
        ),
        *(
            Scenario(
                f"batches-{clients}",
                f"creates, {clients} clients, during a stream of full batches",
                "create",
                clients,
                3,
                Contender("during batches", "itemledger", batches=True),
                Contender("no batches", "itemledger"),
                of="p99",
            )
            for clients in (16, 64)
        ),
    ]
