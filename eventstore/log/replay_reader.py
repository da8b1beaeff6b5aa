"""The log as a replay reads it: item events without metadata, in position order or item by item.

Every function raises UnknownEventTypeError or CorruptEventError for an event that cannot be read.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, bindparam, func, select, tuple_

from eventstore import codec
from eventstore.database.functions import concat_rows, no_index
from eventstore.database.parameters import lateral_lookup, pairs, unnest_pairs
from eventstore.errors import MissingEventsError
from eventstore.events import ItemEvent
from eventstore.log.tables import events

_Rows = Select[Any, Any, Any, Any, Any, Any]


class ItemVersion(Struct, frozen=True):
    """A position in the log that is read item by item: after the event that gave an item this version."""

    item_id: int = 0
    version: int = 0


_position, _item = events.c.position, (events.c.item_id, events.c.version)
_COLUMNS = (events.c.type, _position, *_item, events.c.recorded_at, events.c.data)
_EVENTS = select(*_COLUMNS).limit(bindparam("limit"))
_BEHIND = _EVENTS.where(_position > bindparam("after")).order_by(_position)
_BY_ITEM = _EVENTS.where(
    tuple_(*_item) > tuple_(bindparam("item_id"), bindparam("version")), no_index(_position) <= bindparam("through")
).order_by(*_item)


def behind(connection: Connection, after: int, limit: int) -> list[ItemEvent]:
    """Read at most `limit` events after position `after`, in position order, which is commit order.

    Raises MissingEventsError where there is a gap.
    """
    found = _read(connection, _BEHIND, {"after": after, "limit": limit})
    if found and found[-1].position != after + len(found):
        raise MissingEventsError(found[-1].position - after - len(found), after, found[-1].position)
    return found


def by_item(connection: Connection, after: ItemVersion, through: int, limit: int) -> list[ItemEvent]:
    """Read at most `limit` of the events up to position `through`, after `after` in the order of items and versions."""
    parameters = {"item_id": after.item_id, "version": after.version, "through": through, "limit": limit}
    return _read(connection, _BY_ITEM, parameters)


def at(connection: Connection, versions: Sequence[ItemVersion]) -> list[ItemEvent]:
    """Read the events that gave items these versions, in the order of items and versions."""
    if not versions:
        return []
    parameters = pairs(connection, "versions", [(one.item_id, one.version) for one in versions])
    return _read(connection, _at(connection.dialect.name), parameters)


@cache
def _at(dialect: str) -> _Rows:
    versions = unnest_pairs(dialect, "versions")
    of_version = and_(events.c.item_id == versions.c.first, events.c.version == versions.c.second)
    found, on_found = lateral_lookup(dialect, events, of_version)
    columns = (found.c[column.name] for column in _COLUMNS)
    return select(*columns).select_from(versions.join(found, on_found)).order_by(found.c.item_id, found.c.version)


def _read(connection: Connection, statement: _Rows, parameters: Mapping[str, object]) -> list[ItemEvent]:
    # The database returns one text, which is decoded at once. Row by row a replay takes longer, and many times as long
    # next to other threads: on SQLite it would release the GIL for every row.
    count, text = connection.execute(_in_one_text(statement), parameters).one()
    if not count:
        return []
    with suppress(ValueError, LookupError):
        if len(found := codec.CODEC.item_events(f"[{text}]")) == count:
            return found
    # Something in it is invalid. Read row by row to find its position.
    rows = connection.execute(statement, parameters).all()
    return [
        ItemEvent(position, item_id, version, recorded_at, codec.decode(position, type_, data))
        for type_, position, item_id, version, recorded_at, data in rows
    ]


@cache
def _in_one_text(statement: _Rows) -> Select[int, str | None]:
    rows = statement.subquery()
    return select(func.count(), concat_rows('["%s",%s,%s,%s,%s,%s]', *rows.c)).select_from(rows)
