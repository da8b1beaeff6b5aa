"""The commands that auditors wait for: export and verification of a long log."""

import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from api.export import manifest
from benchmarks.load import BenchmarkError
from benchmarks.replay.processes import run_to_end
from benchmarks.servers import ITEMLEDGER

#: Targets of an export as JSON Lines: events per second, and MiB resident at most.
TARGET_PER_SECOND: Final = 100_000
TARGET_MIB: Final = 128
#: Target of the verification of a million events, in seconds.
TARGET_SECONDS_A_MILLION: Final = 30


class Audited(msgspec.Struct, frozen=True):
    """Results of `events export` as JSON Lines and of `verify log`, each a process of its own."""

    events: int
    #: From the command's start to its end.
    exported_per_second: float
    export_mib: float
    verify_seconds: float
    verify_mib: float

    @property
    def met(self) -> bool:
        """Whether both met their time targets, and the export its memory target."""
        quick = self.exported_per_second >= TARGET_PER_SECOND
        quick &= self.verify_seconds <= TARGET_SECONDS_A_MILLION * self.events / 1e6
        return quick and self.export_mib <= TARGET_MIB


def audit(url: str, events: int) -> Audited:
    """Export a log of `events`, and verify it in its database."""
    with tempfile.TemporaryDirectory(prefix="itemledger-bench-") as directory:
        file = Path(directory) / "log.jsonl"
        exported = run_to_end((ITEMLEDGER, "events", "export", "--output", str(file)), url)
        count = manifest.decode(manifest.path_of(file).read_bytes()).count
    verified = run_to_end((ITEMLEDGER, "verify", "log", "--json"), url)
    verdict: dict[str, Any] = msgspec.json.decode(verified.output)
    if count != events or not verdict["intact"]:
        raise BenchmarkError(f"{events} events were to be exported and verified: {count}, {verdict}")
    return Audited(events, events / exported.seconds, exported.peak_mib, verified.seconds, verified.peak_mib)
