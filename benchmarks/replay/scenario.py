"""The scenario `replay`: rebuild, export and verify long logs, beside other event stores that only read theirs."""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.databases import Databases
from benchmarks.load import BenchmarkError
from benchmarks.peers import environment
from benchmarks.replay.auditing import Audited, audit
from benchmarks.replay.processes import run_to_end
from benchmarks.servers import ITEMLEDGER

NAME: Final = "replay"
#: Rebuilds of the first log, and reads of each peer.
ROUNDS: Final = 3

_EVENTS: Final = (1_000_000, 5_000_000)
_PEER_EVENTS: Final = 200_000
# For trying it out.
_QUICK_EVENTS: Final = (100_000,)
_QUICK_PEER_EVENTS: Final = 20_000

#: Targets: events per second on both databases, MiB resident at most, and multiple of a peer's rate.
TARGET_PER_SECOND: Final = 190_000
TARGET_MIB: Final = 256
TARGET_RATIO: Final = 2.0


class Rebuilt(msgspec.Struct, frozen=True):
    """Results of rebuilds from one log: medians, and the highest memory and differences of any."""

    events: int
    #: While the shadow table was filled.
    per_second: float
    #: The whole command.
    seconds: float
    peak_mib: float
    rows_compared: int
    #: Rows that differ from the live table.
    rows_differ: int


class PeerRead(msgspec.Struct, frozen=True):
    """Events per second that a peer read and decoded: the median."""

    label: str
    events: int
    per_second: float


class Replayed(msgspec.Struct, frozen=True):
    """Result of the scenario on one database."""

    rebuilt: list[Rebuilt]
    #: Of the same logs.
    audited: list[Audited]
    peers: list[PeerRead]

    def ratio(self, peer: PeerRead) -> float:
        """Ratio of the first rebuild's rate to that of a peer, which took turns with it."""
        return self.rebuilt[0].per_second / peer.per_second

    def met(self, rebuilt: Rebuilt) -> bool:
        """Whether a rebuild was correct and met its time and memory targets."""
        fast = rebuilt.per_second >= TARGET_PER_SECOND
        return fast and rebuilt.peak_mib <= TARGET_MIB and not rebuilt.rows_differ

    @property
    def wrong(self) -> bool:
        """Whether any rebuilt table differed from the live one."""
        return any(rebuilt.rows_differ for rebuilt in self.rebuilt)


def run_replay(databases: Databases, *, quick: bool, events: int | None) -> Replayed:
    """Rebuild `items` from a log, with the peers reading theirs in turn; then from longer logs; and audit each.

    With `events` there is only one log, of that length.
    """
    first, *longer = (_QUICK_EVENTS if quick else _EVENTS) if events is None else (events,)
    peer_events = _QUICK_PEER_EVENTS if quick else _PEER_EVENTS
    environment.install()
    with ExitStack() as stack:
        log = stack.enter_context(_database(databases))
        _fill(databases, log, first)
        peers = {peer: stack.enter_context(_database(databases)) for peer in environment.PEERS}
        for peer, url in peers.items():
            environment.fill(peer, url, peer_events)
            databases.settle(url)
        rebuilds, reads = list[Rebuilt](), dict[str, list[float]]()
        for _ in range(ROUNDS):
            rebuilds.append(_rebuild(log, first))
            for peer, url in peers.items():
                reads.setdefault(peer, []).append(environment.read(peer, url, peer_events))
        rebuilt, audited = [_summary(rebuilds)], [audit(log, first)]
        for length in longer:
            _fill(databases, log, length)
            rebuilt.append(_rebuild(log, length))
            audited.append(audit(log, length))
    read = [
        PeerRead(f"{peer} {environment.version(peer)}", peer_events, statistics.median(rates))
        for peer, rates in reads.items()
    ]
    return Replayed(rebuilt, audited, read)


@contextmanager
def _database(databases: Databases) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="itemledger-bench-") as directory:
        url = databases.create(Path(directory))
        try:
            yield url
        finally:
            databases.drop(url)


def _fill(databases: Databases, url: str, events: int) -> None:
    run_to_end((sys.executable, "-m", "benchmarks.replay.fill_history", url, str(events)))
    databases.settle(url)


def _rebuild(url: str, events: int) -> Rebuilt:
    command = (ITEMLEDGER, "rebuild", "items", "--from-scratch", "--json")
    finished = run_to_end(command, url, succeeded=(0, 3))  # 3: rows differ; the report shows it too
    report: dict[str, Any] = msgspec.json.decode(finished.output.splitlines()[-1])["report"]
    if report["events"] != events:
        raise BenchmarkError(f"{events} events were to be replayed: {report}")
    return Rebuilt(
        events, report["rate"], finished.seconds, finished.peak_mib, report["rows_compared"], report["rows_differ"]
    )


def _summary(rebuilds: Sequence[Rebuilt]) -> Rebuilt:
    return Rebuilt(
        rebuilds[0].events,
        statistics.median(rebuilt.per_second for rebuilt in rebuilds),
        statistics.median(rebuilt.seconds for rebuilt in rebuilds),
        max(rebuilt.peak_mib for rebuilt in rebuilds),
        rebuilds[0].rows_compared,
        max(rebuilt.rows_differ for rebuilt in rebuilds),
    )
