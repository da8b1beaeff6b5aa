"""The log's events as the code knows them."""

from sqlalchemy import Connection

from eventstore import codec
from eventstore.events import Metadata, RecordedEvent
from eventstore.log import history
from eventstore.log.history import Filter, StoredEvent


def read_all(connection: Connection, after: int = 0, limit: int = 1_000_000) -> list[RecordedEvent]:
    """Read at most `limit` events behind position `after`, in position order, which is commit order."""
    return list(map(_recorded, history.read(connection, Filter(after=after), limit)))


def _recorded(event: StoredEvent) -> RecordedEvent:
    metadata = Metadata(event.command_id, event.actor, event.fingerprint, event.correlation_id, event.causation_id)
    decoded = codec.decode(event.position, event.type, event.data)
    return RecordedEvent(
        event.position, event.item_id, event.version, event.recorded_at, decoded, metadata, event.ordinal
    )
