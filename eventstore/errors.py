"""What can go wrong in the log. The docstring of each class is its message; subclasses carry the numbers."""


class EventStoreError(Exception):
    """The event store failed."""

    def __str__(self) -> str:
        """Give the class's docstring, filled in with the instance's attributes."""
        return (self.__doc__ or "").strip().format(**vars(self))


class UnknownEventTypeError(EventStoreError):
    """Event {position} has the type {type!r}, which this version of the code does not know."""

    def __init__(self, position: int, type: str) -> None:
        self.position = position
        self.type = type


class CorruptEventError(EventStoreError):
    """Event {position} of type {type!r} does not decode: {reason}."""

    def __init__(self, position: int, type: str, reason: str) -> None:
        self.position = position
        self.type = type
        self.reason = reason


class MissingEventsError(EventStoreError):
    """The log is not whole: {missing} of the events behind position {after} up to position {through} are missing."""

    def __init__(self, missing: int, after: int, through: int) -> None:
        self.missing = missing
        self.after = after
        self.through = through


class OldEventTypeError(EventStoreError):
    """Events of type {type!r} are read for ever, but not written: they are not of the newest types."""

    def __init__(self, type: str) -> None:
        self.type = type


class EventTypesError(EventStoreError):
    """The types of events do not go together: {reason}."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class UnreadableLogError(EventStoreError):
    """The log has events that this version of the code does not know, written by a newer one perhaps: {unknown}."""

    def __init__(self, unknown: str) -> None:
        self.unknown = unknown


class UnavailableError(EventStoreError):
    """The database can't be reached or refuses work for now; nothing was committed."""


class StorageFullError(UnavailableError):
    """The database has no room left; nothing was committed."""


class OutcomeUnknownError(EventStoreError):
    """The connection broke while committing, and the log can't be asked whether the commit took place."""


class UnsafeDatabaseError(EventStoreError):
    """The database would lose acknowledged writes: {reason}."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class UnsupportedDatabaseError(EventStoreError):
    """DATABASE_URL names {url!r}; use sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/DATABASE."""

    def __init__(self, url: str) -> None:
        self.url = url


class LockHeldError(EventStoreError):
    """Somebody else is at it: the lock for {name!r} is held."""

    def __init__(self, name: str) -> None:
        self.name = name


class ProofError(EventStoreError):
    """The proof does not hold: {reason}."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class InconsistentLogError(EventStoreError):
    """The log was changed from outside: {reason}."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class TamperedError(EventStoreError):
    """Position {position}: {reason}."""

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        self.reason = reason


class NotEmptyError(EventStoreError):
    """The log is not empty: it has {events} events, and takes over none of another log."""

    def __init__(self, events: int) -> None:
        self.events = events


class NoBackupError(EventStoreError):
    """PostgreSQL is backed up by its own tools, pg_dump and pg_basebackup: docs/operations.md says how."""


class DamagedCopyError(EventStoreError):
    """The copy is damaged, as the database itself may be: {reason}."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
