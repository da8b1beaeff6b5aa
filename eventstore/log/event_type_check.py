"""Whether the log can be read by this version of the code: a look at the types in it, which costs next to nothing.

Whoever serves or replays asks first. An event that can't be read would else be met in the midst of the work.
"""

from sqlalchemy import bindparam, func, select

from eventstore import codec
from eventstore.database.database import Database
from eventstore.errors import UnreadableLogError
from eventstore.log.tables import events

#: How much of the log one statement counts in: millions at once could take longer than PostgreSQL gives a statement.
_WINDOW = 500_000

# From each type the index leads to the next: one look-up a type, however many its events.
_found = select(func.min(events.c.type).label("type")).cte("found", recursive=True)
_next = select(func.min(events.c.type)).where(events.c.type > _found.c.type).correlate(_found).scalar_subquery()
_found = _found.union_all(select(_next).where(_found.c.type.is_not(None)))
_TYPES = select(_found.c.type).where(_found.c.type.is_not(None))

_END = select(func.max(events.c.position))
_COUNT = select(func.count().label("events"), func.min(events.c.position).label("first")).where(
    events.c.type == bindparam("type"),
    events.c.position > bindparam("after"),
    events.c.position <= bindparam("through"),
)


async def check_types(database: Database) -> None:
    """Raise UnreadableLogError where the log has events of types that `codec` can't read; it tells which and how many.

    Raises UnavailableError where the database can't work now.
    """
    types = [type for (type,) in await database.read(_TYPES)]
    if unknown := [type for type in types if type not in codec.CODEC.readers]:
        raise UnreadableLogError("; ".join([await _tell(database, type) for type in unknown]))


async def _tell(database: Database, type: str) -> str:
    end = (await database.read(_END))[0][0]
    windows = [
        (await database.read(_COUNT, {"type": type, "after": after, "through": after + _WINDOW}))[0]
        for after in range(0, end, _WINDOW)
    ]
    first = next(window.first for window in windows if window.events)
    return f"{sum(window.events for window in windows)} of type {type!r}, the first at position {first}"
