"""Check that this version of the code can read every event type in the log, at next to no cost.

Processes that serve or replay check first. Otherwise they would meet an unreadable event in the middle of their work.
"""

from sqlalchemy import bindparam, func, select

from eventstore import codec
from eventstore.database.database import Database
from eventstore.errors import UnreadableLogError
from eventstore.log.tables import events

#: Events that one statement counts: counting millions could take longer than PostgreSQL's statement timeout.
_WINDOW_EVENTS = 500_000

# The index leads from each type to the next: one look-up a type, however many events it has.
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
    """Raise UnreadableLogError, with types and counts, for types that `codec` can't read; raise UnavailableError."""
    types = [type for (type,) in await database.read(_TYPES)]
    if unknown := [type for type in types if type not in codec.CODEC.readers]:
        raise UnreadableLogError("; ".join([await _describe(database, type) for type in unknown]))


async def _describe(database: Database, type: str) -> str:
    end = (await database.read(_END))[0][0]
    windows = [
        (await database.read(_COUNT, {"type": type, "after": after, "through": after + _WINDOW_EVENTS}))[0]
        for after in range(0, end, _WINDOW_EVENTS)
    ]
    first = next(window.first for window in windows if window.events)
    return f"{sum(window.events for window in windows)} of type {type!r}, the first at position {first}"
