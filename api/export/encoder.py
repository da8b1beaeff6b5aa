"""The interface of an export format."""

from collections.abc import Sequence

from eventstore.log.history import StoredEvent


class Encoder:
    """Encodes events page by page. The export is the concatenation of everything that the methods return."""

    def __init__(self, origin: str, resumed: bool) -> None:
        """Start an export of the log named `origin`, or continue one that already contains events (`resumed`)."""

    def begin(self) -> bytes:
        """Return the text before the first event."""
        return b""

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Encode `events`, at least one."""
        raise NotImplementedError

    def end(self) -> bytes:
        """Return the text after the last event."""
        return b""
