"""Natural batching of look-ups: while queries run, requested keys collect for the next."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar, cast

from eventstore.errors import UnavailableError

K = TypeVar("K")
V = TypeVar("V")


class Batched(Generic[K, V]):
    """Turns concurrent `get(key)` into few `load(keys)`, at most `max_batch` keys each and `max_loads` at once.

    A look-up never joins a load that has begun, so it sees everything committed before it was requested. With two loads
    at once and a time limit, a connection that does not answer delays only the look-ups that it has begun.
    """

    def __init__(
        self,
        load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        max_batch: int = 256,
        *,
        max_loads: int = 1,
        timeout_seconds: float | None = None,
    ) -> None:
        self._load = load
        self._max_batch = max_batch
        self._max_loads = max_loads
        self._timeout_seconds = timeout_seconds
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        #: Whether a task is about to take every key that is requested until then.
        self._starting = False

    async def get(self, key: K) -> V:
        """Return what `load` finds for `key`. All callers that share a load get its exception.

        Raises UnavailableError if the load takes too long.
        """
        # A future for each caller, so that one can be cancelled without the others.
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        self._start()
        return await future

    def _start(self) -> None:
        if self._waiting and not self._starting and len(self._running) < self._max_loads:
            self._starting = True
            self._running.add(asyncio.create_task(self._run()))

    async def _run(self) -> None:
        self._starting = False
        try:
            while self._waiting:
                keys = list(islice(self._waiting, self._max_batch))
                callers = [(key, future) for key in keys for future in self._waiting.pop(key)]
                self._start()  # for what exceeds a batch
                try:
                    values = await self._load_in_time(keys)
                except Exception as error:
                    for _, future in callers:
                        if not future.done():  # its caller was cancelled
                            future.set_exception(error)
                else:
                    for key, future in callers:
                        if not future.done():
                            future.set_result(values[key])
        finally:
            self._running.remove(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _load_in_time(self, keys: Sequence[K]) -> Mapping[K, V]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._load(keys)
        except TimeoutError as error:
            raise UnavailableError from error
