"""The queries of the audit: the versions of an item, or a moment in the past."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import fields

from api.http.path_params import read_number
from api.http.query_params import wrong
from api.http.rfc3339 import parse_time
from api.schemas.event_query import RangeQuery
from api.schemas.item_list_query import ItemListQuery
from eventstore.clock import MAX_SKEW, now
from eventstore.log.head import END
from eventstore.log.history_reader import AsOf, HistoryReader

#: How far ahead a time in the log can be without a fault: its process and this one each have a clock.
_MAX_SKEW = 2 * MAX_SKEW

_POSITION_OR_TIME = {
    "anyOf": [
        {"type": "integer", "format": "int64", "minimum": 0, "maximum": END},
        {"type": "string", "format": "date-time"},
    ]
}
#: A position or a time as the client sent it. `resolve_as_of` parses it.
_AsOf = Annotated[Any, Meta(extra_json_schema=_POSITION_OR_TIME)]


class PastItemsQuery(ItemListQuery, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filters, order and page of a list of items, and its moment."""

    as_of: Annotated[
        _AsOf, Meta(description="Show the items as of this position or this time (RFC 3339)", examples=[1])
    ] = UNSET

    def _identity(self) -> list[object]:
        return [*super()._identity(), self.as_of]


class VersionsQuery(RangeQuery, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The range and page of an item's versions, or the moment of its state."""

    as_of: Annotated[
        _AsOf, Meta(description="Return the item as of this position or this time (RFC 3339)", examples=[1])
    ] = UNSET

    def check_no_range(self) -> None:
        """Raise Problem (400) if a range of versions is requested, which cannot be combined with `as_of`."""
        for field in fields(RangeQuery):
            if field.name != "min_position" and getattr(self, field.name) != field.default:
                raise wrong(field.name, f"`{field.name}` is for the list of versions and does not go with `as_of`")


async def resolve_as_of(as_of: str | UnsetType, history: HistoryReader) -> AsOf:
    """Return the moment that `as_of` names, now by default. Raises Problem (400) if malformed or still to come."""
    if as_of is UNSET:
        return await history.as_of()
    if (position := read_number(as_of)) is not None:
        moment = await history.as_of(position=position)
        if position > moment.head:
            raise wrong("as_of", f"The log ends at position {moment.head}. Later positions are still to come")
        return moment
    try:
        time = parse_time(as_of)
    except ValueError:
        raise wrong("as_of", "Expected a position, or an RFC 3339 time with Z or an offset") from None
    moment = await history.as_of(time=time)
    if time > max(moment.recorded_at, now()):
        raise wrong("as_of", "This time is still to come")
    await _check_known(moment, history)
    return moment


async def _check_known(moment: AsOf, history: HistoryReader) -> None:
    """Raise Problem (400) if the next event has a false time, still to come: when it was recorded is not known."""
    latest = now() + _MAX_SKEW
    if moment.recorded_at <= latest or moment.position == moment.head:
        return
    _, event = await history.event(moment.position + 1)
    if event is not None and event.recorded_at > latest:
        raise wrong(
            "as_of",
            f"A clock was ahead: the times of the events from position {event.position} to {moment.head} are still to "
            "come, so which of them existed at this time is not known. Name a position instead",
        )
