"""Writes the results of the scenario `replay` as Markdown."""

from collections.abc import Iterator
from typing import Final

from benchmarks.peers import PAGE
from benchmarks.replay import auditing
from benchmarks.replay.scenario import NAME, ROUNDS, TARGET_MIB, TARGET_PER_SECOND, TARGET_RATIO, Replayed

_REBUILT_HEAD: Final = f"""\
| `{NAME}`: `itemledger rebuild items` | events/s | target | MiB | target | whole, s | rows compared | differ | met |
|---|--:|--:|--:|--:|--:|--:|--:|---|"""

_AUDITED_HEAD: Final = f"""\
| `{NAME}`: `events export`, `verify log` | events/s | target | MiB | target | verified, s | target | MiB | met |
|---|--:|--:|--:|--:|--:|--:|--:|---|"""

_PEERS_HEAD: Final = f"""\
| `{NAME}`: compared with | events | events/s | ratio | target | met |
|---|--:|--:|--:|--:|---|"""

METHOD: Final = f"""\
`{NAME}` rebuilds the table of items from a prepared log: of 100 events 60 create an item, 30 change, 7 delete and 3
restore one chosen at random. The table shows the events per second while the shadow table is filled, the peak
resident memory of the process, and the time of the whole command, which also creates the indexes, compares every row
with the live table and swaps. The peers, two other event stores for Python, only read and decode the same history,
which they recorded themselves; they fold and write nothing: eventsource-py by its stores' `read_all`, eventsourcing
by its recorders' `select_notifications` and its mapper with the default transcoder, each in pages of {PAGE:,}. They
alternate with the first rebuild; all these figures are medians of {ROUNDS}, and the ratio compares events per second.
A longer log is rebuilt once. The same logs are exported as JSON Lines, and verified in the database, each by a
command that is timed from its start to its end."""


def tables(replayed: Replayed) -> str:
    """Return the tables of one database: our rebuilds, and the peers."""
    rows = [_REBUILT_HEAD]
    for rebuilt in replayed.rebuilt:
        cells = (
            f"{rebuilt.events:,} events",
            f"{rebuilt.per_second:,.0f}",
            f"≥ {TARGET_PER_SECOND:,}",
            f"{rebuilt.peak_mib:.0f}",
            f"≤ {TARGET_MIB}",
            f"{rebuilt.seconds:.1f}",
            f"{rebuilt.rows_compared:,}",
            f"{rebuilt.rows_differ:,}",
            _yes_or_no(replayed.met(rebuilt)),
        )
        rows.append(_row(*cells))
    rows += ["", _AUDITED_HEAD]
    for audited in replayed.audited:
        cells = (
            f"{audited.events:,} events",
            f"{audited.exported_per_second:,.0f}",
            f"≥ {auditing.TARGET_PER_SECOND:,}",
            f"{audited.export_mib:.0f}",
            f"≤ {auditing.TARGET_MIB}",
            f"{audited.verify_seconds:.1f}",
            f"≤ {auditing.TARGET_SECONDS_A_MILLION * audited.events / 1e6:g}",
            f"{audited.verify_mib:.0f}",
            _yes_or_no(audited.met),
        )
        rows.append(_row(*cells))
    rows += ["", _PEERS_HEAD]
    for peer in replayed.peers:
        ratio = replayed.ratio(peer)
        met = _yes_or_no(ratio >= TARGET_RATIO)
        rates = f"{peer.events:,}", f"{peer.per_second:,.0f}", f"{ratio:.2f}", f"≥ {TARGET_RATIO:g}"
        rows.append(_row(peer.label, *rates, met))
    return "\n".join(rows)


def missed(replayed: Replayed) -> Iterator[str]:
    """Return what did not meet its target on one database."""
    for rebuilt in replayed.rebuilt:
        if not replayed.met(rebuilt):
            yield f"`{NAME}`: rebuild of {rebuilt.events:,} events"
    for audited in replayed.audited:
        if not audited.met:
            yield f"`{NAME}`: export or verification of {audited.events:,} events"
    for peer in replayed.peers:
        if replayed.ratio(peer) < TARGET_RATIO:
            yield f"`{NAME}`: compared with {peer.label}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _yes_or_no(met: bool) -> str:
    return "yes" if met else "no"
