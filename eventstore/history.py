"""The history as it is stored: events chosen by what is recorded of them, in either direction, none of them decoded.

What auditors read, follow, export and verify is what the log holds, byte for byte. Projections read `log.py` instead.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, bindparam, select

from eventstore.log import END
from eventstore.tables import events


class StoredEvent(Struct, frozen=True):
    """A row of `events`, column by column; see `tables.py` and `events.RecordedEvent`."""

    position: int
    item_id: int
    version: int
    type: str
    #: The exact JSON text that was written.
    data: str
    #: Microseconds since the epoch, UTC.
    recorded_at: int
    actor: str
    command_id: str
    ordinal: int
    #: SHA-256 of the command as it was sent, 32 bytes.
    fingerprint: bytes
    correlation_id: str | None
    causation_id: str | None
    #: SHA-256 of 0x00 and the leaf, 32 bytes; see `codec.leaf`.
    leaf_hash: bytes


class Filter(Struct, frozen=True):
    """Which events: those that have all the values given, between two positions."""

    item_id: int | None = None
    type: str | None = None
    actor: str | None = None
    correlation_id: str | None = None
    command_id: str | None = None
    #: Only events behind this position, and before that one.
    after: int = 0
    before: int = END


#: The columns that a filter can ask for a value of.
_EQUAL = ("item_id", "type", "actor", "correlation_id", "command_id")


def selection(chosen: Filter, limit: int, *, newest_first: bool = False) -> tuple[Select[Any], dict[str, object]]:
    """Give the statement for at most `limit` of the events `chosen`, in position order, and its parameters.

    Its rows are what `StoredEvent` is made of, column by column.
    """
    wanted: dict[str, object] = {name: value for name in _EQUAL if (value := getattr(chosen, name)) is not None}
    bounds = {"after": chosen.after, "before": chosen.before, "limit": limit}
    return _statement(tuple(wanted), newest_first), {**wanted, **bounds}


@lru_cache
def _statement(names: tuple[str, ...], newest_first: bool) -> Select[Any]:
    position = events.c.position
    return (
        select(*(events.c[name] for name in StoredEvent.__struct_fields__))
        .where(*(events.c[name] == bindparam(name) for name in names))
        .where(position > bindparam("after"), position < bindparam("before"))
        .order_by(position.desc() if newest_first else position)
        .limit(bindparam("limit"))
    )


def read(connection: Connection, chosen: Filter, limit: int, *, newest_first: bool = False) -> Iterator[StoredEvent]:
    """Read at most `limit` of the events `chosen`, in position order, or the newest first."""
    statement, parameters = selection(chosen, limit, newest_first=newest_first)
    return (StoredEvent(*row) for row in connection.execute(statement, parameters))
