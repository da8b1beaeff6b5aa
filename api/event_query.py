"""The queries of the history: which events, in which order, and which page of them."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import replace

from api.event_body import parse_time
from api.export.formats import STREAMED
from api.listing import link
from api.query import MinPosition, wrong
from commands.item import TEXT_PATTERN
from eventstore.codec import CODEC
from eventstore.history import Filter
from eventstore.log import END

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


class RangeQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which part of a list that is in the order of positions, in which direction, and which page of it."""

    after: _After = 0
    before: _Before = UNSET
    sort: Annotated[
        Literal["position", "-position"],
        Meta(description="The order: as it happened, or with `-` the newest first", examples=["-position"]),
    ] = "position"
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many events at most", examples=[20])] = 100
    min_position: MinPosition = 0

    @property
    def newest_first(self) -> bool:
        """Whether the newest events come first."""
        return self.sort.startswith("-")

    def range(self) -> Filter:
        """Give the positions asked for."""
        return _between(self)

    def links(self, path: str, following: int | None) -> bytes:
        """Write the `Link` header (RFC 8288): to the first page, and to the one that goes on at `following`."""
        parameters = msgspec.to_builtins(self)
        edge = "before" if self.newest_first else "after"
        first = {name: value for name, value in parameters.items() if name != edge}
        links = [link(path, first, "first")]
        if following is not None:
            links.append(link(path, {**parameters, edge: following}, "next"))
        return ", ".join(links).encode()


class EventQuery(RangeQuery, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, in which order, and which page of them."""

    item_id: _ItemId = UNSET
    type: _Type = UNSET
    actor: _Actor = UNSET
    correlation_id: _CorrelationId = UNSET
    command_id: _CommandId = UNSET
    from_: _From = field(default=UNSET, name="from")
    to: _To = UNSET

    def filter(self) -> Filter:
        """Give what is asked for but times. Raises Problem (400)."""
        return _chosen(self, self.range())

    def times(self) -> dict[str, int]:
        """Give the times asked for, as HistoryReader.page takes them. Raises Problem (400)."""
        return _times(self)


class StreamQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, and behind which of them to begin."""

    item_id: _ItemId = UNSET
    type: _Type = UNSET
    actor: _Actor = UNSET
    correlation_id: _CorrelationId = UNSET
    command_id: _CommandId = UNSET
    after: _After = 0

    def filter(self) -> Filter:
        """Give what is asked for. Raises Problem (400)."""
        return _chosen(self, Filter(after=self.after))


class ExportQuery(StreamQuery, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, and in which format."""

    before: _Before = UNSET
    from_: _From = field(default=UNSET, name="from")
    to: _To = UNSET
    format: Annotated[
        Annotated[str, Meta(extra_json_schema={"enum": [format.name for format in STREAMED]})] | UnsetType,
        Meta(description="The format, whatever `Accept` says", examples=["jsonl"]),
    ] = UNSET

    def filter(self) -> Filter:
        """Give what is asked for but times. Raises Problem (400)."""
        return _chosen(self, _between(self))

    def times(self) -> dict[str, int]:
        """Give the times asked for, as HistoryReader.page takes them. Raises Problem (400)."""
        return _times(self)


def _between(query: RangeQuery | ExportQuery) -> Filter:
    return Filter(after=query.after) if query.before is UNSET else Filter(after=query.after, before=query.before)


def _times(query: EventQuery | ExportQuery) -> dict[str, int]:
    asked = (("since", "from", query.from_), ("until", "to", query.to))
    return {name: time(parameter, text) for name, parameter, text in asked if text is not UNSET}


def _chosen(query: EventQuery | StreamQuery, between: Filter) -> Filter:
    if query.type is not UNSET and query.type not in TYPES:
        raise wrong("type", f"There are {', '.join(TYPES)}")
    values = {name: getattr(query, name) for name in ("item_id", "type", "actor", "correlation_id", "command_id")}
    return replace(between, **{name: value for name, value in values.items() if value is not UNSET})


def time(parameter: str, text: str) -> int:
    """Read a time in microseconds since the epoch. Raises Problem (400)."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise wrong(parameter, str(error)) from None
