"""The queries of the event history: filters, order and page."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from api.http.pagination import page_links
from api.http.query_params import MinPosition, wrong
from api.http.rfc3339 import parse_time
from commands.name import TEXT_PATTERN
from eventstore.codec import CODEC
from eventstore.log.head import END
from eventstore.log.history import Filter

#: Every event type that the log can contain, deprecated ones included.
EVENT_TYPES = sorted(CODEC.readers)

_INT64 = {"format": "int64"}
_Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=TEXT_PATTERN)] | UnsetType
_Time = Annotated[str, Meta(max_length=255, extra_json_schema={"format": "date-time"})] | UnsetType
_EventType = Annotated[str, Meta(extra_json_schema={"enum": EVENT_TYPES})] | UnsetType
_ItemId = Annotated[int, Meta(ge=1, le=END, extra_json_schema=_INT64)] | UnsetType

_After = Annotated[
    int, Meta(ge=0, le=END, description="Only events after this position", examples=[0], extra_json_schema=_INT64)
]
_Before = Annotated[
    Annotated[int, Meta(ge=0, le=END, extra_json_schema=_INT64)] | UnsetType,
    Meta(description="Only events before this position", examples=[1000]),
]
_Sort = Annotated[
    Literal["position", "-position"],
    Meta(description="`position` for oldest events first, `-position` for newest first", examples=["-position"]),
]
_Limit = Annotated[int, Meta(ge=1, le=1000, description="The maximum number of events to return", examples=[20])]


class _Pages:
    """The part that queries of pages in position order share."""

    __slots__ = ()

    sort: str

    @property
    def newest_first(self) -> bool:
        """Whether the newest events come first."""
        return self.sort.startswith("-")

    def links(self, path: str, next_position: int | None) -> bytes:
        """Write the `Link` header (RFC 8288): to the first page, and to the one that continues at `next_position`."""
        return page_links(path, msgspec.to_builtins(self), "before" if self.newest_first else "after", next_position)


class RangeQuery(_Pages, Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The positions, order and page of a list in position order."""

    after: _After = 0
    before: _Before = UNSET
    sort: _Sort = "position"
    limit: _Limit = 100
    min_position: MinPosition = 0

    def range(self) -> Filter:
        """Return the filter for the requested positions."""
        return Filter(after=self.after) if self.before is UNSET else Filter(after=self.after, before=self.before)


class EventFilter(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filters that every query of events has."""

    item_id: Annotated[_ItemId, Meta(description="Only events of this item", examples=[1])] = UNSET
    type: Annotated[_EventType, Meta(description="Only events of this type", examples=["item.created.v1"])] = UNSET
    actor: Annotated[_Text, Meta(description="Only events of this actor", examples=["anonymous"])] = UNSET
    credential: Annotated[
        _Text, Meta(description="Only events caused with this credential", examples=["key:85fy6djd"])
    ] = UNSET
    correlation_id: Annotated[_Text, Meta(description="Only events of this trace or request", examples=["a1"])] = UNSET
    command_id: Annotated[
        _Text, Meta(description="Only events of this command", examples=["1a20a323001d0060f3b4400000003"])
    ] = UNSET
    after: _After = 0

    def filter(self) -> Filter:
        """Return the filter, without the times. Raises Problem (400)."""
        if self.type is not UNSET and self.type not in EVENT_TYPES:
            raise wrong("type", f"Unknown event type. The types are {', '.join(EVENT_TYPES)}")
        # Only a BoundedEventFilter has `before`.
        values = {name: getattr(self, name) for name in Filter.__struct_fields__ if hasattr(self, name)}
        return Filter(**{name: value for name, value in values.items() if value is not UNSET})


class BoundedEventFilter(EventFilter, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filters of events, with an end and times."""

    before: _Before = UNSET
    from_: Annotated[
        _Time,
        Meta(description="Only events recorded at or after this time (RFC 3339)", examples=["2026-11-23T00:00:00Z"]),
    ] = field(default=UNSET, name="from")
    to: Annotated[
        _Time,
        Meta(description="Only events recorded at or before this time", examples=["2026-11-24T08:00:00.5+01:00"]),
    ] = UNSET

    def times(self) -> dict[str, int]:
        """Return the times in microseconds since the epoch, as HistoryReader.page takes them. Raises Problem (400)."""
        times = (("since", "from", self.from_), ("until", "to", self.to))
        return {name: _parse_time(parameter, text) for name, parameter, text in times if text is not UNSET}


class EventQuery(_Pages, BoundedEventFilter, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filters, order and page of a list of events."""

    sort: _Sort = "position"
    limit: _Limit = 100
    min_position: MinPosition = 0


def _parse_time(parameter: str, text: str) -> int:
    try:
        return parse_time(text)
    except ValueError as error:
        raise wrong(parameter, str(error)) from None
