"""Signs checkpoints of the log, one at a time, and never two that contradict each other.

A new checkpoint must extend those that this process returned, and the last signed one that the database records. The
owner of the database can change that record: a process that starts afterwards trusts the changed record.
"""

from collections.abc import Sequence
from functools import partial
from time import monotonic

from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.log_identity import LogKeys
from eventstore.batching import Batched
from eventstore.database.database import Database
from eventstore.merkle import tree_head
from eventstore.merkle.tree_head import TreeHead

#: How long a tree head is reused, unless a request needs a newer one. It can miss events of other processes.
_MAX_AGE_SECONDS = 1.0


class CheckpointSigner:
    """Returns tree heads of the log, the newest or an earlier one, and checkpoints of them."""

    def __init__(self, database: Database, keys: LogKeys | None, origin: str) -> None:
        """Sign with `keys`, whose name must be `origin`, the log's. Without keys, checkpoints are not signed."""
        self._database = database
        self._keys = () if keys is None else keys.signers
        self.origin = origin
        self._latest: tuple[float, TreeHead] | None = None
        self._heads = Batched(self._read_head)

    async def latest_head(self, at_least: int) -> TreeHead:
        """Return the log's tree head as of at most a second ago, with `at_least` events if the log has them.

        Raises InconsistentLogError if the log does not extend what was signed before, and UnavailableError.
        """
        if self._latest and self._latest[1].size >= at_least and monotonic() - self._latest[0] < _MAX_AGE_SECONDS:
            return self._latest[1]
        return await self._heads.get(None)

    async def _read_head(self, keys: Sequence[None]) -> dict[None, TreeHead]:
        """Read the tree head once for all concurrent requests."""
        known = self._latest[1] if self._latest else tree_head.EMPTY
        if self._keys:
            head = await self._database.write(partial(tree_head.advance, known_head=known))
        else:
            head = await self._database.read_transaction(partial(tree_head.head, known_head=known))
        self._latest = monotonic(), head
        return dict.fromkeys(keys, head)

    async def earlier_head(self, size: int, latest: TreeHead) -> TreeHead:
        """Return the tree head of `size` events, at most those of `latest`. Raises what `latest_head` raises."""
        if size == latest.size:
            return latest
        return await self._database.read_transaction(partial(tree_head.earlier, size=size, signed=latest))

    def checkpoint(self, head: TreeHead) -> str:
        """Return the checkpoint of a head from this signer, signed if there is a key."""
        return Checkpoint(self.origin, head.size, head.root).write(self._keys)
