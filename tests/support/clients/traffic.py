"""Clients that write and clients that read, each of which knows the right answers."""

import asyncio
import json
import random
import re
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from tests.support.clients.load import Answer, Client, new_item
from tests.support.long_log import Item

T = TypeVar("T")

WRITERS, READERS = 16, 16
#: Of so many items that were there before, one is written to; the others are never touched.
_TOUCHED = 20
#: Pages that a reader follows before it starts again.
_PAGES = 50
#: Seconds between two requests of a reader: else reading is all that the machine does.
_PAUSE = 0.03


class Traffic:
    """WRITERS clients that write and READERS that read. Each fails at an answer that is not the one it must be."""

    def __init__(self, port: int, items: dict[int, Item], seed: int) -> None:
        """Speak to the server at `port`, which has `items`, by id."""
        touched = list(items)[::_TOUCHED]
        self.kept = {item_id: items[item_id] for item_id in items.keys() - touched}
        self._ids = sorted(self.kept)
        self._port = port
        self._chance = random.Random(seed)
        shares = [{item_id: items[item_id] for item_id in touched[number::WRITERS]} for number in range(WRITERS)]
        self._writers = [Writer(share, random.Random(self._chance.random())) for share in shares]
        self._days: dict[str, Any] = {}
        self.read = 0

    async def during(self, something: Awaitable[T]) -> tuple[T, list[float]]:
        """Have all of them go on until `something` is done; return what came of it, and the seconds each write took."""
        done = asyncio.Event()
        took: list[float] = []
        readings = [self._read_pages] * (READERS // 2) + [self._read_one] * (READERS // 2 - 1) + [self._read_days]
        async with asyncio.TaskGroup() as group:  # the first wrong answer ends it
            for writer in self._writers:
                group.create_task(self._go(partial(writer.write, took), done))
            for reading in readings:
                group.create_task(self._go(reading, done))
            try:
                result = await something
            finally:
                done.set()
        return result, took

    async def check_all(self) -> None:
        """Read every item that any writer wrote to."""
        async with Client.connected(self._port) as client:
            for writer in self._writers:
                for item_id in (*writer.live, *writer.deleted):
                    await writer.read(client, item_id)

    async def _go(self, once: Callable[[Client], Awaitable[None]], done: asyncio.Event) -> None:
        async with Client.connected(self._port) as client:
            while not done.is_set():
                await once(client)

    async def _ask(self, client: Client, path: str) -> Answer:
        """Read something, after a pause."""
        await asyncio.sleep(_PAUSE)
        answer = await client.ask("GET", path)
        assert answer.status == 200, answer
        self.read += 1
        return answer

    async def _read_one(self, client: Client) -> None:
        item_id = self._chance.choice(self._ids)
        answer = await self._ask(client, f"/items/{item_id}")
        assert answer.json() == self.kept[item_id], answer

    async def _read_pages(self, client: Client) -> None:
        path, after = f"/items?limit={self._chance.choice((20, 100, 500))}", 0
        for _ in range(_PAGES):
            answer = await self._ask(client, path)
            after = self._check_page(answer, after)
            following = re.search(r'<([^>]*)>; rel="next"', answer.headers["link"])
            if following is None:
                assert after >= self._ids[-1], f"the list ends at {after}"
                return
            path = following[1]

    def _check_page(self, answer: Answer, after: int) -> int:
        """Fail if a page omits an item between its first and its last one; return the last one's id."""
        found: dict[int, Item] = {item["id"]: item for item in answer.json()}
        assert found, "a page is empty"
        ids = list(found)
        assert ids == sorted(ids)
        assert after < ids[0]
        expected = self._ids[bisect_right(self._ids, after) : bisect_right(self._ids, ids[-1])]
        assert expected == [item_id for item_id in ids if item_id in self.kept], "a page is not whole"
        for item_id in expected:
            assert found[item_id] == self.kept[item_id]
        return ids[-1]

    async def _read_days(self, client: Client) -> None:
        answer = await self._ask(client, "/activity")
        days = {day["day"]: day for day in answer.json()}
        self._days = self._days or {day: days[day] for day in sorted(days)[:-1]}  # what is over never changes
        assert {day: days.get(day) for day in self._days} == self._days


class Writer:
    """A client that creates, changes, deletes and restores items that nobody else writes to, and reads them."""

    def __init__(self, live: dict[int, Item], chance: random.Random) -> None:
        self.live = live
        self.deleted: dict[int, Item] = {}
        self._chance = chance

    async def write(self, took: list[float], client: Client) -> None:
        """Write once, and now and then read what came of it; the seconds that the write took go to `took`."""
        began = perf_counter()
        item_id = await self._write(client)
        took.append(perf_counter() - began)
        if self._chance.random() < 0.2:
            await self.read(client, item_id)

    async def read(self, client: Client, item_id: int) -> None:
        """Read an item, and expect it as it was left."""
        answer = await client.ask("GET", f"/items/{item_id}")
        if item_id in self.deleted:
            assert answer.status == 404, answer
        else:
            assert (answer.status, answer.json()) == (200, self.live[item_id]), answer

    async def _write(self, client: Client) -> int:
        drawn = self._chance.random()
        if drawn < 0.1 and self.deleted:
            item_id = self._chance.choice(list(self.deleted))
            answer = await client.ask("POST", f"/items/{item_id}/restore")
            self.live[item_id] = self.deleted.pop(item_id)
            assert (answer.status, answer.json()) == (200, self.live[item_id]), answer
            return item_id
        if drawn < 0.6 and self.live:
            item_id = self._chance.choice(list(self.live))
            if drawn < 0.25:
                answer = await client.ask("DELETE", f"/items/{item_id}")
                assert answer.status == 204, answer
                self.deleted[item_id] = self.live.pop(item_id)
                return item_id
            name = f"Changed {self._chance.randrange(10**6)}"
            answer = await client.ask("PATCH", f"/items/{item_id}", json.dumps({"name": name}).encode())
            self.live[item_id] = {**self.live[item_id], "name": name}
            assert (answer.status, answer.json()) == (200, self.live[item_id]), answer
            return item_id
        answer = await client.ask("POST", "/items", new_item("New", "2.25"))
        assert answer.status == 201, answer
        item: Item = answer.json()
        assert {**item, "id": 0} == {"id": 0, "name": "New", "price": 2.25, "in_stock": True}
        self.live[item["id"]] = item
        return int(item["id"])


def p99(took: Sequence[float]) -> float:
    """Return the time, in milliseconds, that 99 of 100 took no longer than."""
    return sorted(took)[len(took) * 99 // 100] * 1000
