"""Taking over what another log holds: every event is verified before it is written, and nothing of it is changed.

What goes in is what was recorded elsewhere: positions, times, command ids and hashes as they are.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec
from sqlalchemy.exc import IntegrityError

from eventstore import codec
from eventstore.errors import NotEmptyError, TamperedError
from eventstore.events import Metadata, RecordedEvent
from eventstore.log.history import StoredEvent
from eventstore.log.unit_of_work import UnitOfWork
from eventstore.merkle import hashing
from eventstore.merkle.log_verifier import Verification
from eventstore.merkle.tree_head import TreeHead

#: What the column holds.
_LAST_ORDINAL = 2**31 - 1

#: Gives an event as Verification takes it.
row_of = attrgetter(*codec.LEAF, "leaf_hash")


class Import:
    """Takes a whole log over, page by page, in one unit of work: it is there whole, or nothing is."""

    def __init__(self, unit: UnitOfWork, known: Iterable[TreeHead] = ()) -> None:
        """Begin with an empty log; `known` are heads that the other one must have had.

        Raises NotEmptyError, and TamperedError where a head of the empty log is known that is none.
        """
        if unit.head.position:
            raise NotEmptyError(unit.head.position)
        self._unit = unit
        self._verification = Verification(known)

    def take(self, events: Sequence[StoredEvent]) -> None:
        """Append the next events, and project them.

        Raises TamperedError for the first that is wrong, and UnknownEventTypeError or CorruptEventError for one that
        this version of the code can't read.
        """
        self._verification.take(map(row_of, events))
        recorded = list(map(_recorded, events))
        try:
            self._unit.take_over([msgspec.structs.asdict(event) for event in events], recorded)
        except IntegrityError:
            self._find_repeated(events)
            raise

    def finish(self) -> TreeHead:
        """Give the log's head. Raises TamperedError where it ends before one that is known."""
        self._verification.finish()
        return TreeHead(self._unit.head.position, hashing.root(self._unit.head.frontier))

    def _find_repeated(self, events: Sequence[StoredEvent]) -> None:
        """Raise TamperedError for the first event of a command and ordinal that were there before."""
        earlier = self._unit.commands({event.command_id for event in events})
        there = {(one.metadata.command_id, one.ordinal): one.position for one in earlier}
        for event in events:
            position = there.setdefault((event.command_id, event.ordinal), event.position)
            if position != event.position:
                raise TamperedError(event.position, f"its command and ordinal are those of the event at {position}")


def _recorded(event: StoredEvent) -> RecordedEvent:
    # These two are no part of the leaf's shape: the columns would refuse what does not fit them, but name no position.
    if len(event.fingerprint) != hashing.HASH_SIZE:
        raise TamperedError(event.position, "its fingerprint is no SHA-256")
    if not 0 <= event.ordinal <= _LAST_ORDINAL:
        raise TamperedError(event.position, "its ordinal is out of range")
    metadata = Metadata(event.command_id, event.actor, event.fingerprint, event.correlation_id, event.causation_id)
    decoded = codec.decode(event.position, event.type, event.data)
    return RecordedEvent(
        event.position, event.item_id, event.version, event.recorded_at, decoded, metadata, event.ordinal
    )
