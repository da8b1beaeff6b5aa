"""How far a replay has come in the log, and in which order it reads it."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from eventstore.errors import MissingEventsError
from eventstore.events import Fact
from eventstore.log import replay_reader
from eventstore.log.replay_reader import Place
from projections.projection import Projection


class Cursor(Struct, frozen=True):
    """How far a table has come in the log: it is the fold of the events 1 to `position`.

    Where each row comes of one item's events alone, the events 1 to `base` are folded item by item, which writes every
    row once. Until that is done `position` is the number of events that were folded, up to `place`.
    """

    position: int = 0
    base: int = 0
    place: Place = Place()

    @classmethod
    def start(cls, projection: Projection, head: int) -> "Cursor":
        """Give where to begin with an empty table, while the log is at position `head`."""
        return cls(base=head if projection.item_by_item else 0)

    @property
    def whole(self) -> bool:
        """Whether the table is the fold of the events 1 to `position`."""
        return self.position >= self.base

    def read(self, connection: Connection, limit: int) -> list[Fact]:
        """Read the next events, at most `limit`, none where there are no more. Raises what `facts.behind` raises."""
        if self.whole:
            return replay_reader.behind(connection, self.position, limit)
        events = replay_reader.by_item(connection, self.place, self.base, limit)
        if not events:
            raise MissingEventsError(self.base - self.position, 0, self.base)
        return events

    def behind(self, events: Sequence[Fact]) -> "Cursor":
        """Give where the table is once `events`, which were read here, are folded."""
        last, position = events[-1], self.position + len(events)
        return Cursor(position, self.base, Place() if self.whole else Place(last.item_id, last.version))
