"""The meaning of database errors: whether they are transient, and whether a commit took place."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from eventstore.errors import OutcomeUnknownError, StorageFullError, UnavailableError

#: PostgreSQL reports these when it can't work now, or rolled the transaction back. A retry may succeed.
_TRANSIENT_SQLSTATES = ("08", "25006", "40", "53", "55P03", "57")
_SQLITE_BUSY, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 5, 8, 10, 13, 14
#: After these errors a connection may be unusable.
DISCONNECTING = (OutcomeUnknownError, UnavailableError)


def commit(transaction: RootTransaction) -> None:
    """Commit, or raise OutcomeUnknownError: an error after COMMIT was sent does not show whether it took place.

    Raises StorageFullError where it did not take place for lack of space.
    """
    try:
        transaction.commit()
    except (SQLAlchemyError, OSError) as error:
        if isinstance(full := translate(error), StorageFullError):
            raise full from error  # SQLite may first need the space here; this commit did not take place
        raise OutcomeUnknownError from error


def translate(error: Exception) -> Exception:
    """Return UnavailableError for transient errors, StorageFullError for lack of space, else the original error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(cause, "sqlstate", None) or ""
    sqlite_code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if sqlstate == "53100" or sqlite_code == _SQLITE_FULL:
        return StorageFullError()
    if (
        (isinstance(error, DBAPIError) and error.connection_invalidated)
        or sqlstate.startswith(_TRANSIENT_SQLSTATES)
        or sqlite_code in (_SQLITE_BUSY, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_CANTOPEN)
        or isinstance(error, (OSError, PoolTimeoutError))  # refused, reset, timed out
        or is_stale(error)
    ):
        return UnavailableError()
    return error


def is_stale(error: Exception) -> bool:
    """Return whether a prepared statement failed because its tables changed. Prepared again, it may succeed."""
    return isinstance(error, DBAPIError) and type(error.orig).__name__ == "InvalidCachedStatementError"


@contextmanager
def translated() -> Iterator[None]:
    """Raise the translation of an error in the block, with the error as its cause where they differ."""
    try:
        yield
    except Exception as error:
        if (translation := translate(error)) is error:
            raise
        raise translation from error
