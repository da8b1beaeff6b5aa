"""What an error of the database means: whether it passes by itself, and whether a commit took place."""

from typing import NoReturn

from sqlalchemy import RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from eventstore.errors import OutcomeUnknownError, StorageFullError, UnavailableError

#: PostgreSQL says these when it can't work now (or took the transaction back); the same transaction may succeed later.
_TRANSIENT_SQLSTATES = ("08", "25006", "40", "53", "55P03", "57")
_SQLITE_BUSY, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 5, 8, 10, 13, 14


def commit(transaction: RootTransaction) -> None:
    """Commit, or raise OutcomeUnknownError: once COMMIT was sent, an error does not tell whether it took place.

    Raises StorageFullError where it did not, for want of room.
    """
    try:
        transaction.commit()
    except (SQLAlchemyError, OSError) as error:
        if isinstance(full := translate(error), StorageFullError):
            raise full from error  # a commit that found no room did not take place; SQLite first asks for it here
        raise OutcomeUnknownError from error


def translate(error: Exception) -> Exception:
    """Give UnavailableError for an error that passes by itself, else the error: a statement the database refuses."""
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
    """Tell whether a statement failed since it was prepared before its tables changed: prepared anew, it may do."""
    return isinstance(error, DBAPIError) and type(error.orig).__name__ == "InvalidCachedStatementError"


def raise_translated(error: Exception) -> NoReturn:
    """Raise what `error` translates to, with `error` as its cause where that is another."""
    translated = translate(error)
    if translated is error:
        raise error
    raise translated from error
