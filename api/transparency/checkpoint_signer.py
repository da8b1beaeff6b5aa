"""Checkpoints of the log, signed where there is a key: one at a time, and none that contradicts an earlier one.

Earlier ones are those that this process gave out, and the one that the database tells to have been signed last. Who
owns the database can make it tell another: a process that was started since then goes by that.
"""

from collections.abc import Sequence
from functools import partial
from time import monotonic

from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.log_identity import LogKeys
from eventstore.database.batching import Batched
from eventstore.database.database import Database
from eventstore.merkle import tree_head
from eventstore.merkle.tree_head import TreeHead

#: Seconds that a checkpoint is given out, unless a newer one is asked for. Other processes' writes may lie behind it.
_FRESH = 1.0


class CheckpointSigner:
    """Gives checkpoints of the log: the newest, or one of an earlier size."""

    def __init__(self, database: Database, keys: LogKeys | None, origin: str) -> None:
        """Sign with `keys`, whose name is then `origin`, the log's."""
        self._database = database
        self._keys = () if keys is None else keys.signers
        self.origin = origin
        self._latest: tuple[float, TreeHead] | None = None
        self._found = Batched(self._find)

    async def latest(self, at_least: int) -> TreeHead:
        """Give a head that may be signed: the log's, as of now or a second ago, of `at_least` events if it has them.

        Raises InconsistentLogError where the log is not the one that was signed before, and UnavailableError.
        """
        if self._latest and self._latest[1].size >= at_least and monotonic() - self._latest[0] < _FRESH:
            return self._latest[1]
        return await self._found.get(None)

    async def _find(self, keys: Sequence[None]) -> dict[None, TreeHead]:
        """Find the head once for all who ask."""
        known = self._latest[1] if self._latest else tree_head.EMPTY
        if self._keys:
            head = await self._database.write(partial(tree_head.advance, known_head=known))
        else:
            head = await self._database.read_transaction(partial(tree_head.head, known_head=known))
        self._latest = monotonic(), head
        return dict.fromkeys(keys, head)

    async def earlier(self, size: int, latest: TreeHead) -> TreeHead:
        """Give the head of `size` events, at most those of `latest`, which was given by this. Raises as that does."""
        if size == latest.size:
            return latest
        return await self._database.read_transaction(partial(tree_head.earlier, size=size, signed=latest))

    def write(self, head: TreeHead) -> str:
        """Give the checkpoint of a head that was given by this, signed where there is a key."""
        return Checkpoint(self.origin, head.size, head.root).write(self._keys)
