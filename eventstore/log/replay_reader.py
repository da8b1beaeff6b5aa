"""The log as a replay reads it: facts alone, in the order of positions or item by item."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, bindparam, func, select, tuple_

from eventstore import codec
from eventstore.database.dialect import concat_rows, lateral_lookup, no_index, pairs, unnest_pairs
from eventstore.errors import MissingEventsError
from eventstore.events import ItemEvent
from eventstore.log.tables import events

_Facts = Select[Any, Any, Any, Any, Any, Any]


class ItemVersion(Struct, frozen=True):
    """A place in the log where it is read item by item: behind an item's event of this version."""

    item_id: int = 0
    version: int = 0


_position, _item = events.c.position, (events.c.item_id, events.c.version)
_COLUMNS = (events.c.type, _position, *_item, events.c.recorded_at, events.c.data)
_FACTS = select(*_COLUMNS).limit(bindparam("limit"))
_BEHIND = _FACTS.where(_position > bindparam("after")).order_by(_position)
_BY_ITEM = _FACTS.where(
    tuple_(*_item) > tuple_(bindparam("item_id"), bindparam("version")), no_index(_position) <= bindparam("through")
).order_by(*_item)
#: An item's id is the position of the event that began it.
_BEGUN = (
    select(_position)
    .where(_position > bindparam("after"), _position <= bindparam("through"), _position == no_index(events.c.item_id))
    .order_by(_position)
)


def behind(connection: Connection, after: int, limit: int) -> list[ItemEvent]:
    """Read at most `limit` events behind position `after`, in position order, which is commit order.

    Raises MissingEventsError where there is a gap, and UnknownEventTypeError or CorruptEventError.
    """
    found = _read(connection, _BEHIND, {"after": after, "limit": limit})
    if found and found[-1].position != after + len(found):
        raise MissingEventsError(found[-1].position - after - len(found), after, found[-1].position)
    return found


def by_item(connection: Connection, after: ItemVersion, through: int, limit: int) -> list[ItemEvent]:
    """Read at most `limit` of the events up to position `through`, behind `after` in the order of items and versions.

    Raises UnknownEventTypeError or CorruptEventError.
    """
    wanted = {"item_id": after.item_id, "version": after.version, "through": through, "limit": limit}
    return _read(connection, _BY_ITEM, wanted)


def at(connection: Connection, places: Sequence[ItemVersion]) -> list[ItemEvent]:
    """Read the events of items that have these versions, in the order of items and versions.

    Raises UnknownEventTypeError or CorruptEventError.
    """
    if not places:
        return []
    wanted = pairs(connection, "places", [(place.item_id, place.version) for place in places])
    return _read(connection, _at(connection.dialect.name), wanted)


@cache
def _at(dialect: str) -> _Facts:
    wanted = unnest_pairs(dialect, "places")
    here = and_(events.c.item_id == wanted.c.first, events.c.version == wanted.c.second)
    found, on_found = lateral_lookup(dialect, events, here)
    columns = (found.c[column.name] for column in _COLUMNS)
    return select(*columns).select_from(wanted.join(found, on_found)).order_by(found.c.item_id, found.c.version)


def _read(connection: Connection, statement: _Facts, parameters: Mapping[str, object]) -> list[ItemEvent]:
    # The database writes one text, and all of it is decoded at once. Row by row a replay takes longer, and where other
    # threads work it takes many times as long: on SQLite it would give the interpreter's lock away for every row.
    count, text = connection.execute(_in_one_text(statement), parameters).one()
    if not count:
        return []
    with suppress(ValueError, LookupError):
        if len(found := codec.decode_item_events(f"[{text}]")) == count:
            return found
    # Something in it is not what it should be. Row by row it is known where.
    rows = connection.execute(statement, parameters).all()
    return [
        ItemEvent(position, item_id, version, recorded_at, codec.decode(position, type_, data))
        for type_, position, item_id, version, recorded_at, data in rows
    ]


@cache
def _in_one_text(statement: _Facts) -> Select[int, str | None]:
    rows = statement.subquery()
    return select(func.count(), concat_rows('["%s",%s,%s,%s,%s,%s]', *rows.c)).select_from(rows)


def items_begun(connection: Connection, after: int, through: int) -> Sequence[int]:
    """Give the ids of the items that began behind position `after`, up to position `through`."""
    return connection.execute(_BEGUN, {"after": after, "through": through}).scalars().all()
