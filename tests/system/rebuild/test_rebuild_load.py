"""Tables rebuilt while many clients write and read: every answer is right, and nothing is lost."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import pytest

from tests.support.checks import assert_stopped_well, assert_whole
from tests.support.clients.traffic import Traffic, p99
from tests.support.long_log import fill_long
from tests.support.rebuilding import OF_ANOTHER_VERSION, run_sql
from tests.support.scale import SCALE, seed
from tests.support.service import ITEMLEDGER, outer_environment, serving

EVENTS = 3_000 if SCALE == 1 else 20_000 * SCALE
SEED = seed(4)
#: Seconds for which writes are timed without a rebuild, at most.
COMPARED = 1.0 if SCALE == 1 else 120.0


async def rebuild(url: str, name: str) -> dict[str, Any]:
    """Run `itemledger rebuild` while others go on; return its report."""
    process = await asyncio.create_subprocess_exec(
        *(ITEMLEDGER, "rebuild", name, "--json"),
        env={**outer_environment(), "DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.communicate()
        raise
    assert (process.returncode, errors) == (0, b""), (output, errors)
    report: dict[str, Any] = json.loads(output.splitlines()[-1])["report"]
    return report


def assert_rebuilt(report: Mapping[str, Any], *, swapped: bool = False) -> None:
    """Fail unless the new table is the same as the old one, and others wrote while it was filled."""
    assert (report["rows_differ"], report["swapped"]) == (0, swapped), report["samples"]
    assert report["digest_live"] == report["digest_rebuilt"]
    assert report["position"] > EVENTS


def told(took: Sequence[float]) -> str:
    """Describe writes that took so many seconds each."""
    return f"{len(took):,} writes, p99 {p99(took):.1f} ms, at most {max(took) * 1000:.1f} ms"


@pytest.mark.slow
async def test_16_writers_and_16_readers_notice_nothing_of_a_rebuild(ready_url: str) -> None:
    items = await fill_long(ready_url, EVENTS, SEED)
    # On SQLite there is one process, on PostgreSQL there may be several.
    workers = ["--workers", "2"] if ready_url.startswith("postgresql") else []
    with serving(ready_url, *workers) as server:
        traffic = Traffic(server.port, items, SEED)
        await traffic.during(asyncio.sleep(1))  # the first writes prepare connections and statements
        began = monotonic()
        report, took = await traffic.during(rebuild(ready_url, "items"))
        lasted = monotonic() - began
        _, took_without = await traffic.during(asyncio.sleep(min(lasted, COMPARED)))
        print(  # noqa: T201
            f"\n{report['events']:,} events in {lasted:.1f} s, lock held {report['lock_held_ms']} ms\n"
            f"{told(took)} meanwhile; {told(took_without)} without; {traffic.read:,} reads"
        )
        assert_rebuilt(report)
        await run_sql(ready_url, *OF_ANOTHER_VERSION)
        report, _ = await traffic.during(rebuild(ready_url, "items"))
        assert_rebuilt(report, swapped=True)
        report, _ = await traffic.during(rebuild(ready_url, "activity"))
        assert_rebuilt(report, swapped=True)
        await traffic.check_all()
        server.terminate()
        assert_stopped_well(server)
    await assert_whole(ready_url)
