"""The queries of the audit: which versions of an item, or which moment."""

from time import time_ns
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import fields, replace

from api.http.path_params import read_number
from api.http.query_params import wrong
from api.http.rfc3339 import parse_time
from api.schemas.event_query import RangeQuery
from api.schemas.item_list_query import ListQuery
from eventstore.log.history_reader import AsOf, HistoryReader
from eventstore.log.log import END

#: A position or a time, as it was sent; `moment` reads it.
_Moment = Annotated[
    Any,
    Meta(
        extra_json_schema={
            "anyOf": [
                {"type": "integer", "format": "int64", "minimum": 0, "maximum": END},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]


class PastQuery(ListQuery, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which items, in which order, and which page of them; and of which moment."""

    as_of: Annotated[
        _Moment,
        Meta(description="The items as they were at this position, or at this time (RFC 3339)", examples=[1]),
    ] = UNSET

    def at(self, position: int) -> "PastQuery":
        """Give the same question as of a position: what links ask, so that all pages are of one moment."""
        return replace(self, as_of=position)

    def _list(self) -> list[object]:
        return [*super()._list(), self.as_of]


class VersionQuery(RangeQuery, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which versions of an item; or of which moment its state is to be."""

    as_of: Annotated[
        _Moment,
        Meta(description="The item as it was at this position, or at this time (RFC 3339)", examples=[1]),
    ] = UNSET

    def check_alone(self) -> None:
        """Raise Problem (400) where a part of the versions is asked for, which does not go with a moment."""
        for field in fields(RangeQuery):
            if field.name != "min_position" and getattr(self, field.name) != field.default:
                raise wrong(field.name, "It is for the list of versions, and does not go with `as_of`")


async def moment(asked: str | UnsetType, history: HistoryReader) -> AsOf:
    """Give the moment that `as_of` names, now where it names none.

    Raises Problem (400) where it is neither a position nor a time, or is still to come.
    """
    if asked is UNSET:
        return await history.as_of()
    if (position := read_number(asked)) is not None:
        found = await history.as_of(position=position)
        if position > found.head:
            raise wrong("as_of", f"The log ends at position {found.head}: what is behind it is still to come")
        return found
    try:
        time = parse_time(asked)
    except ValueError:
        raise wrong("as_of", "Expected a position, or a time as RFC 3339 has it, with Z or an offset") from None
    found = await history.as_of(time=time)
    if time > max(found.recorded_at, time_ns() // 1000):
        raise wrong("as_of", "This time is still to come")
    return found
