"""The queries of the history: which events, in which order, and which page of them."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import replace

from api.http.pagination import page_links
from api.http.query_params import MinPosition, wrong
from api.http.rfc3339 import parse_time
from commands.item import TEXT_PATTERN
from eventstore.codec import CODEC
from eventstore.log.history import Filter
from eventstore.log.log import END

_INT64 = {"format": "int64"}
_Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=TEXT_PATTERN)]
_Time = Annotated[str, Meta(max_length=255, extra_json_schema={"format": "date-time"})]

#: Every type of event that can be in the log: those that are written, and those that were.
TYPES = sorted(CODEC.readers)


_After = Annotated[
    int, Meta(ge=0, le=END, description="Only events behind this position", examples=[0], extra_json_schema=_INT64)
]
_ItemId = Annotated[
    Annotated[int, Meta(ge=1, le=END, extra_json_schema=_INT64)] | UnsetType,
    Meta(description="Only events of this item", examples=[1]),
]
_Type = Annotated[
    Annotated[str, Meta(extra_json_schema={"enum": TYPES})] | UnsetType,
    Meta(description="Only events of this type", examples=["item.created.v1"]),
]
_Actor = Annotated[_Text | UnsetType, Meta(description="Only what this credential did", examples=["anonymous"])]
_CorrelationId = Annotated[
    _Text | UnsetType, Meta(description="Only events of this trace, or request", examples=["a1"])
]
_CommandId = Annotated[
    _Text | UnsetType, Meta(description="Only events of this command", examples=["1a20a323001d0060f3b4400000003"])
]
_Before = Annotated[
    Annotated[int, Meta(ge=0, le=END, extra_json_schema=_INT64)] | UnsetType,
    Meta(description="Only events before this position", examples=[1000]),
]
_From = Annotated[
    _Time | UnsetType,
    Meta(description="Only events recorded at this time or later (RFC 3339)", examples=["2026-11-23T00:00:00Z"]),
]
_To = Annotated[
    _Time | UnsetType,
    Meta(description="Only events recorded at this time or before", examples=["2026-11-24T08:00:00.5+01:00"]),
]


_Sort = Annotated[
    Literal["position", "-position"],
    Meta(description="The order: as it happened, or with `-` the newest first", examples=["-position"]),
]
_Limit = Annotated[int, Meta(ge=1, le=1000, description="How many events at most", examples=[20])]


class _Pages:
    """What queries of a list in the order of positions, a page at a time, have in common."""

    __slots__ = ()

    sort: str

    @property
    def newest_first(self) -> bool:
        """Whether the newest events come first."""
        return self.sort.startswith("-")

    def links(self, path: str, following: int | None) -> bytes:
        """Write the `Link` header (RFC 8288): to the first page, and to the one that goes on at `following`."""
        return page_links(path, msgspec.to_builtins(self), "before" if self.newest_first else "after", following)


class RangeQuery(_Pages, Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which part of a list that is in the order of positions, in which direction, and which page of it."""

    after: _After = 0
    before: _Before = UNSET
    sort: _Sort = "position"
    limit: _Limit = 100
    min_position: MinPosition = 0

    def range(self) -> Filter:
        """Give the positions asked for."""
        return Filter(after=self.after) if self.before is UNSET else Filter(after=self.after, before=self.before)


class EventFilter(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, and behind which of them to begin."""

    item_id: _ItemId = UNSET
    type: _Type = UNSET
    actor: _Actor = UNSET
    correlation_id: _CorrelationId = UNSET
    command_id: _CommandId = UNSET
    after: _After = 0

    def filter(self) -> Filter:
        """Give what is asked for but times. Raises Problem (400)."""
        if self.type is not UNSET and self.type not in TYPES:
            raise wrong("type", f"There are {', '.join(TYPES)}")
        values = {name: getattr(self, name) for name in EventFilter.__struct_fields__}
        return Filter(**{name: value for name, value in values.items() if value is not UNSET})


class BoundedEventFilter(EventFilter, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, between which positions and times."""

    before: _Before = UNSET
    from_: _From = field(default=UNSET, name="from")
    to: _To = UNSET

    def filter(self) -> Filter:
        """Give what is asked for but times. Raises Problem (400)."""
        chosen = super().filter()
        return chosen if self.before is UNSET else replace(chosen, before=self.before)

    def times(self) -> dict[str, int]:
        """Give the times asked for, as HistoryReader.page takes them. Raises Problem (400)."""
        asked = (("since", "from", self.from_), ("until", "to", self.to))
        return {name: time(parameter, text) for name, parameter, text in asked if text is not UNSET}


class EventQuery(_Pages, BoundedEventFilter, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, in which order, and which page of them."""

    sort: _Sort = "position"
    limit: _Limit = 100
    min_position: MinPosition = 0


def time(parameter: str, text: str) -> int:
    """Read a time in microseconds since the epoch. Raises Problem (400)."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise wrong(parameter, str(error)) from None
