"""Errors of the event store. The docstring of each class is its message, filled in with the instance's attributes."""

from collections.abc import Sequence


class EventStoreError(Exception):
    """The event store failed."""

    def __str__(self) -> str:
        """Return the class's docstring, filled in with the instance's attributes."""
        return (self.__doc__ or "").strip().format(**vars(self))


class _ReasonError(EventStoreError):
    """{reason}."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class UnknownEventTypeError(EventStoreError):
    """Event {position} has the type {type!r}, which this version does not support."""

    def __init__(self, position: int, type: str) -> None:
        self.position = position
        self.type = type


class CorruptEventError(EventStoreError):
    """Event {position} of type {type!r} cannot be decoded: {reason}."""

    def __init__(self, position: int, type: str, reason: str) -> None:
        self.position = position
        self.type = type
        self.reason = reason


class MissingEventsError(EventStoreError):
    """The log is incomplete: {missing} events are missing after position {after}, up to position {through}."""

    def __init__(self, missing: int, after: int, through: int) -> None:
        self.missing = missing
        self.after = after
        self.through = through


class OldEventTypeError(EventStoreError):
    """Event type {type!r} is deprecated: it can be read but no longer written."""

    def __init__(self, type: str) -> None:
        self.type = type


class EventTypesError(_ReasonError):
    """The event types are inconsistent: {reason}."""


class UnreadableLogError(EventStoreError):
    """The log contains event types that this version does not support. It may have been written by a newer version: {unknown}."""  # noqa: E501

    def __init__(self, unknown: str) -> None:
        self.unknown = unknown


class NewerTableError(_ReasonError):
    """A table belongs to newer code than this process runs: {reason}."""


class UnwritableTableError(NewerTableError):
    """A table of an older version cannot be kept in step by this version: {reason}."""


class ObstacleError(EventStoreError):
    """The table {table} must be replaced, but other objects would be lost or broken: {objects}. Drop them, rebuild, then create them again."""  # noqa: E501

    def __init__(self, table: str, objects: Sequence[str]) -> None:
        self.table = table
        self.objects = ", ".join(objects)


class WriteFailedError(EventStoreError):
    """The write failed. Nothing was committed. The service's log has the reason."""


class UnavailableError(EventStoreError):
    """The database can't be reached or temporarily refuses work. Nothing was committed; retry later."""


class ReadersBusyError(UnavailableError):
    """All connections for reading are in use. Nothing was done; retry later."""


class StorageFullError(UnavailableError):
    """The database has no storage space left. Nothing was committed; free some space, then retry."""


class ClockJumpError(EventStoreError):
    """The clock is {ahead_seconds} s ahead of where it should be. Nothing was written: set it right, or restart the service if it is right now."""  # noqa: E501

    def __init__(self, ahead_seconds: int) -> None:
        self.ahead_seconds = ahead_seconds


class ReadOnlyError(UnavailableError):
    """The database is read-only. Nothing was committed; make it writable, then retry."""


class MovedFileError(UnavailableError):
    """The database's {part} was moved, removed or replaced while the service ran. Nothing was committed; see docs/operations.md."""  # noqa: E501

    def __init__(self, part: str) -> None:
        self.part = part


class OutcomeUnknownError(EventStoreError):
    """The connection broke during COMMIT, and the log cannot be read to find out whether the commit took place."""


class UnsafeDatabaseError(_ReasonError):
    """The database would lose acknowledged writes: {reason}."""


class UnsupportedEncodingError(EventStoreError):
    """The database's encoding is {encoding}, which cannot store every name. Create it with ENCODING 'UTF8' TEMPLATE template0."""  # noqa: E501

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding


class UnsupportedDatabaseError(_ReasonError):
    """DATABASE_URL is not supported: {reason}. Use sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/DATABASE."""


class LinkedFileError(EventStoreError):
    """{path} is a symbolic link where a file is to be created. No file is created through a link: remove the link."""

    def __init__(self, path: str) -> None:
        self.path = path


class LockHeldError(EventStoreError):
    """The lock {name!r} is held by another process. Wait until it ends, then retry."""

    def __init__(self, name: str) -> None:
        self.name = name


class AlreadyServedError(EventStoreError):
    """Another process serves {path}, and an SQLite file can have one server. Stop that process, or use PostgreSQL."""

    def __init__(self, path: str) -> None:
        self.path = path


class ProofError(_ReasonError):
    """The proof is not valid: {reason}."""


class InconsistentLogError(_ReasonError):
    """The log was changed outside the service: {reason}."""


class TamperedError(EventStoreError):
    """Position {position}: {reason}."""

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        self.reason = reason


class NotEmptyError(EventStoreError):
    """Cannot import: the log already contains {events} events. Import needs an empty log."""

    def __init__(self, events: int) -> None:
        self.events = events


class NoBackupError(EventStoreError):
    """PostgreSQL has its own backup tools. Use pg_dump or pg_basebackup; see docs/operations.md."""


class DamagedCopyError(_ReasonError):
    """The copy is damaged, and the database itself may be damaged too: {reason}."""
