"""Natural batching of look-ups: while one query runs, the keys that others ask for gather for the next."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Batched(Generic[K, V]):
    """Turns concurrent `get(key)` into few `load(keys)`, at most `max_batch` keys each, one at a time.

    A look-up never joins a query that has begun, so it sees all that was committed before it was asked.
    """

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], max_batch: int = 256) -> None:
        self._load = load
        self._max_batch = max_batch
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """Give what `load` finds for `key`. Raises what `load` raises, to all who share that query."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._run())
        # Shielded: whoever else asked for the same key must not be cancelled with this caller.
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._max_batch]
                asked = {key: self._waiting.pop(key) for key in keys}
                try:
                    found = await self._load(keys)
                except Exception as error:
                    for future in asked.values():
                        future.set_exception(error)
                else:
                    for key, future in asked.items():
                        future.set_result(found[key])
        finally:
            self._task = None
