"""Natural batching of look-ups: while one query runs, requested keys collect for the next."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Batched(Generic[K, V]):
    """Turns concurrent `get(key)` into few `load(keys)`, at most `max_batch` keys each, one at a time.

    A look-up never joins a query that has begun, so it sees everything committed before it was requested.
    """

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], max_batch: int = 256) -> None:
        self._load = load
        self._max_batch = max_batch
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """Return what `load` finds for `key`. All callers that share a query get its exception."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._run())
        # Shielded: other callers of the same key must not be cancelled with this one.
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._max_batch]
                futures = {key: self._waiting.pop(key) for key in keys}
                try:
                    values = await self._load(keys)
                except Exception as error:
                    for future in futures.values():
                        future.set_exception(error)
                else:
                    for key, future in futures.items():
                        future.set_result(values[key])
        finally:
            self._task = None
