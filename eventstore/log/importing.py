"""Import the events of another log: each is verified before it is written, and nothing in it is changed.

Positions, times, command ids and hashes stay as recorded.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec
from sqlalchemy.exc import IntegrityError

from eventstore import codec
from eventstore.errors import NotEmptyError, TamperedError
from eventstore.events import Metadata, RecordedEvent
from eventstore.log.history import StoredEvent
from eventstore.log.streams import read_commands
from eventstore.log.transitions import ItemStates
from eventstore.log.unit_of_work import UnitOfWork
from eventstore.log.write_set import extend
from eventstore.merkle import hashing
from eventstore.merkle.log_verifier import Verification
from eventstore.merkle.tree_head import TreeHead

#: The largest value of the column.
_MAX_ORDINAL = 2**31 - 1

#: Return an event as a row for `Verification.add`.
row_of = attrgetter(*codec.LEAF, "leaf_hash")


class Import:
    """Imports a whole log, page by page, in one unit of work: all of it or nothing."""

    def __init__(self, unit: UnitOfWork, known_heads: Iterable[TreeHead] = ()) -> None:
        """Start with an empty log; `known_heads` are tree heads that the imported log must have had.

        Raises NotEmptyError, and TamperedError where a known head of the empty log has the wrong root.
        """
        if unit.head.position:
            raise NotEmptyError(unit.head.position)
        self._unit = unit
        self._states = ItemStates()
        self._verification = Verification(known_heads)

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Append the next events, and project them.

        Raises TamperedError for the first invalid event, and UnknownEventTypeError or CorruptEventError for one that
        this version of the code can't read.
        """
        self._verification.add(map(row_of, events))
        unit, recorded = self._unit, list(map(_recorded, events))
        transitions = self._states.follow(unit.connection, recorded)
        rows = list(map(msgspec.structs.astuple, events))
        try:
            with unit.connection.begin_nested():
                unit.write(extend(unit.head, rows, unit.projector.fold(transitions)))
        except IntegrityError:
            self._find_repeated(events)
            raise

    def finish(self) -> TreeHead:
        """Return the log's head. Raises TamperedError where the log ends before a known head."""
        self._verification.finish()
        return TreeHead(self._unit.head.position, hashing.root(self._unit.head.frontier))

    def _find_repeated(self, events: Sequence[StoredEvent]) -> None:
        """Raise TamperedError for the first event that repeats an earlier command and ordinal."""
        earlier = read_commands(self._unit.connection, {event.command_id for event in events})
        positions = {(one.metadata.command_id, one.ordinal): one.position for one in earlier}
        for event in events:
            position = positions.setdefault((event.command_id, event.ordinal), event.position)
            if position != event.position:
                raise TamperedError(event.position, f"its command and ordinal repeat those of position {position}")


def _recorded(event: StoredEvent) -> RecordedEvent:
    # The leaf's encoding does not bound these two. The columns would refuse them too, but without naming a position.
    if len(event.fingerprint) != hashing.HASH_SIZE:
        raise TamperedError(event.position, "its fingerprint is not a SHA-256 hash")
    if not 0 <= event.ordinal <= _MAX_ORDINAL:
        raise TamperedError(event.position, "its ordinal is out of range")
    metadata = Metadata(
        *(event.command_id, event.actor, event.credential, event.fingerprint, event.correlation_id, event.causation_id)
    )
    decoded = codec.decode(event.position, event.type, event.data)
    return RecordedEvent(
        event.position, event.item_id, event.version, event.recorded_at, decoded, metadata, event.ordinal
    )
