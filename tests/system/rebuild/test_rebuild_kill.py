"""A rebuild killed at any moment: the old table still serves, and the next run completes."""

import asyncio
import json
import random
import signal
from collections import Counter
from typing import Any

import pytest

from tests.support.checks import assert_stopped_well, assert_whole
from tests.support.clients.load import Client, ask, list_items
from tests.support.long_log import Item, fill_long
from tests.support.rebuilding import OF_ANOTHER_VERSION, known_of, leftovers, run_sql
from tests.support.scale import SCALE, seed
from tests.support.service import ITEMLEDGER, outer_environment, serving

EVENTS = 20_000
KILLS = min(50, 3 * SCALE)
SEED = seed(15)
#: In which phase to kill, and at most how many seconds from its beginning: in the swap's case that may be behind it.
MOMENTS = (("fill", 0.5), ("swap", 0.1), ("index", 0.05), ("swap", 0.4), ("compare", 0.1), ("fill", 0.1))


async def start(url: str) -> asyncio.subprocess.Process:
    """Start `itemledger rebuild items`."""
    return await asyncio.create_subprocess_exec(
        *(ITEMLEDGER, "rebuild", "items", "--json"),
        env={**outer_environment(), "DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def complete(url: str) -> dict[str, Any]:
    """Run a rebuild to its end; return its report."""
    process = await start(url)
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b""), (output, errors)
    report: dict[str, Any] = json.loads(output.splitlines()[-1])["report"]
    return report


async def killed(url: str, phase: str, delay: float) -> bool:
    """Kill a rebuild `delay` seconds after the beginning of `phase`; return whether it was still there."""
    process = await start(url)
    assert process.stdout
    async for line in process.stdout:
        if json.loads(line).get("progress", {}).get("phase") == phase:
            break
    await asyncio.sleep(delay)
    if process.returncode is None:
        process.kill()
    await process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


async def assert_serves(port: int, items: dict[int, Item], chance: random.Random) -> None:
    """Fail where a list, or one item, is not what it must be."""
    assert {item["id"]: item for item in await list_items(port)} == items
    for item_id in chance.sample(sorted(items), 5):
        assert (await ask(port, "GET", f"/items/{item_id}")).json() == items[item_id]


async def write(port: int, items: dict[int, Item], chance: random.Random) -> None:
    """Create an item, change one and delete one."""
    changed, deleted = chance.sample(sorted(items), 2)
    async with Client.connected(port) as client:
        created = await client.ask("POST", "/items", b'{"name":"New","price":2.25}')
        assert created.status == 201, created
        items[created.json()["id"]] = created.json()
        items[changed] = (await client.ask("PATCH", f"/items/{changed}", b'{"name":"Changed"}')).json()
        assert items[changed]["name"] == "Changed"
        assert (await client.ask("DELETE", f"/items/{deleted}")).status == 204
        del items[deleted]


@pytest.mark.slow
async def test_a_rebuild_killed_at_any_moment_leaves_a_table_that_serves_and_one_that_can_be_finished(
    ready_url: str,
) -> None:
    chance = random.Random(SEED)
    items = await fill_long(ready_url, EVENTS, SEED)
    seen: Counter[str] = Counter()
    with serving(ready_url) as server:
        while seen["killed"] < KILLS:
            phase, latest = MOMENTS[seen["tries"] % len(MOMENTS)]
            if swapping := seen["tries"] // 2 % 2 == 0:
                await run_sql(ready_url, *OF_ANOTHER_VERSION)
            seen["tries"] += 1
            assert seen["tries"] <= 4 * KILLS, f"it mostly ends before the kill: {seen}"
            was_killed = await killed(ready_url, phase, chance.uniform(0, latest))
            await assert_serves(server.port, items, chance)
            await write(server.port, items, chance)
            if not was_killed:
                continue
            known = await known_of(ready_url)
            assert known is not None
            seen.update(["killed", f"killed in {known.phase}, {known.state}"])
            report = await complete(ready_url)
            # Else it was killed behind its commit.
            assert report["swapped"] or not swapping or known.state == "succeeded"
            assert (report["rows_differ"], report["rows"]) == (0, len(items))
            if report["events"] < report["position"]:
                seen["resumed"] += 1
                assert known.state == "interrupted"
            await assert_serves(server.port, items, chance)
            assert await leftovers(ready_url) == []
        server.terminate()
        assert_stopped_well(server)
    print(dict(seen))  # noqa: T201
    assert seen["resumed"]
    await assert_whole(ready_url)
