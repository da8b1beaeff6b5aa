"""The meaning of database errors: whether they are transient, and whether a commit took place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from eventstore.errors import NewerTableError, OutcomeUnknownError, ReadOnlyError, StorageFullError, UnavailableError

#: PostgreSQL reports these when it can't work now, or rolled the transaction back. A retry may succeed.
_TRANSIENT_SQLSTATES = ("08", "40", "53", "55P03", "57")
#: PostgreSQL reports these for data that it does not accept, violated constraints, and what a trigger raises.
_ROW_SQLSTATES = ("22", "23", "P0")
_SQLITE_BUSY, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 5, 8, 10, 13, 14
_SQLITE_TOOBIG, _SQLITE_CONSTRAINT, _SQLITE_MISMATCH = 18, 19, 20
#: After these errors a connection may be unusable.
DISCONNECTING = (OutcomeUnknownError, UnavailableError)


class Transaction(Protocol):
    """What can be committed: SQLAlchemy's transaction, or SQLite's connection."""

    def commit(self) -> object:
        """Commit."""
        ...


def commit(transaction: Transaction) -> None:
    """Commit, or raise OutcomeUnknownError; see commit_outcome."""
    with commit_outcome():
        transaction.commit()


@contextmanager
def commit_outcome() -> Iterator[None]:
    """Raise OutcomeUnknownError where an error in the block does not show whether its commit took place.

    Other errors show that it did not: StorageFullError, and an error that PostgreSQL reports of the statement itself.
    """
    try:
        yield
    except Exception as error:
        if isinstance(full := translate(error), StorageFullError):
            raise full from error  # SQLite may first need the space here; this commit did not take place
        if _is_rolled_back(error):
            raise
        raise OutcomeUnknownError from error


def _is_rolled_back(error: Exception) -> bool:
    # PostgreSQL answers a statement with an ERROR only where it has rolled back. A FATAL error ends the session,
    # perhaps just after the commit. A ValueError is asyncpg's for a value that it cannot send.
    return getattr(error, "severity_en", None) == "ERROR" or isinstance(error, ValueError)


def concerns_one_command(error: Exception) -> bool:
    """Return whether one command's rows may have caused `error`, so that the others of its batch can succeed alone."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if sqlstate := getattr(cause, "sqlstate", None):
        return str(sqlstate).startswith(_ROW_SQLSTATES)
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in (_SQLITE_TOOBIG, _SQLITE_CONSTRAINT, _SQLITE_MISMATCH)
    return not isinstance(error, NewerTableError)


def translate(error: Exception) -> Exception:
    """Return UnavailableError for transient errors, or a subclass that names the reason, else the original error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(cause, "sqlstate", None) or ""
    sqlite_code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if sqlstate == "53100" or sqlite_code == _SQLITE_FULL:
        return StorageFullError()
    if sqlstate == "25006" or sqlite_code == _SQLITE_READONLY:
        return ReadOnlyError()
    if (
        (isinstance(error, DBAPIError) and error.connection_invalidated)
        or sqlstate.startswith(_TRANSIENT_SQLSTATES)
        or sqlite_code in (_SQLITE_BUSY, _SQLITE_IOERR, _SQLITE_CANTOPEN)
        or isinstance(error, OSError)  # refused, reset, timed out
        or is_stale(error)
        or _is_closed(cause)
    ):
        return UnavailableError()
    return error


def _is_closed(cause: object) -> bool:
    # asyncpg's errors for a call over a connection that is closed, or that the server has just ended. Its subclasses of
    # the first are errors of the call itself.
    names = ("InterfaceError", "InternalClientError")
    return type(cause).__name__ in names and type(cause).__module__.startswith("asyncpg")


def is_stale(error: Exception) -> bool:
    """Return whether a prepared statement failed because its tables changed. Prepared again, it may succeed."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return type(cause).__name__ == "InvalidCachedStatementError"


def reported_by_database(error: Exception) -> bool:
    """Return whether the database itself reported `error`; otherwise it may be lost."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return hasattr(cause, "sqlstate") or hasattr(cause, "sqlite_errorcode")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the translation of an error in the block, with the error as its cause where they differ."""
    try:
        yield
    except Exception as error:
        if (translation := translate(error)) is error:
            raise
        raise translation from error
