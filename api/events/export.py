"""`GET /events/export`: the history in one response, in the requested format."""

import asyncio
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.rate_limits import EXPORT
from api.edge.routing import Answer, Route
from api.events.stream import check_position
from api.export.cloudevents import CloudEvent
from api.export.encoder import Encoder
from api.export.formats import BY_NAME, STREAMED, Format
from api.http.content_negotiation import preferred
from api.http.problems import POSITION_NOT_REACHED, STORAGE_FULL
from api.http.query_params import wrong
from api.http.responses import Send, part
from api.schemas.event_query import BoundedEventFilter
from api.schemas.examples import load
from eventstore.log.history import Filter

#: Events encoded at once. Other requests wait meanwhile.
_PAGE_ROWS = 500

_BY_MEDIA_TYPE = {media_type: format for format in STREAMED for media_type in format.media_types}
_NAMES = [format.name for format in STREAMED]


class ExportQuery(BoundedEventFilter, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filters, and the format."""

    format: Annotated[
        Annotated[str, Meta(extra_json_schema={"enum": _NAMES})] | UnsetType,
        Meta(description="The format. Takes precedence over `Accept`", examples=["jsonl"]),
    ] = UNSET


class EventExport(Struct, frozen=True):
    """A response with all events that pass the filter, page by page, without an open transaction between pages."""

    request: RequestContext
    format: Format
    encoder: Encoder
    filter: Filter

    async def to_asgi(self, send: Send) -> None:
        """Send all events, as fast as the client reads. Raises UnavailableError.

        An error after the start cuts the connection, so the client sees that the response is incomplete.
        """
        name = f'attachment; filename="events.{self.format.name}"'
        headers = ((b"content-type", self.format.media_types[0].encode()), (b"content-disposition", name.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self.request.method != "HEAD":
            await self._send_events(send)
        await send({"type": "http.response.body"})

    async def _send_events(self, send: Send) -> None:
        self.request.log_start("export", self.filter.after)
        disconnected = asyncio.ensure_future(self.request.disconnected())
        try:
            await send(part(self.encoder.begin()))
            async for events in self.request.services.history.pages(self.filter, _PAGE_ROWS):
                if disconnected.done():
                    return
                # Waits while the client does not read, with at most one page in memory.
                await send(part(self.encoder.page(events)))
            await send(part(self.encoder.end()))
        finally:
            disconnected.cancel()


async def export_events() -> EventExport:
    """Export the history.

    Returns all events that pass the filters, in position order, in one response: as JSON Lines (each line is what
    `GET /events/{position}` returns), as CSV, or as a batch of CloudEvents 1.0. `format` selects the format, otherwise
    `Accept`. The export covers the log up to `Log-Position`. The response is chunked and has no length: if it ends
    before the last chunk, it is incomplete. To continue an earlier export, pass its last position as `after`. In CSV,
    a value that a spreadsheet would read as a formula gets an apostrophe in front, at the start of the value and after
    semicolons, tabs and line ends in it. A value that has an apostrophe there gets one more. Operators with access to
    the database can export to a file with a manifest, Parquet included: `itemledger events export`.
    """
    request = current.get()
    query: ExportQuery = request.query
    format, services = _requested_format(query, request), request.services
    # The end is fixed now: events committed during the export are not part of it.
    position, event_filter = await services.history.bounds(query.filter(), **query.times())
    check_position(query.after, position)
    request.set_log_position(position)
    encoder = format.encoder(services.checkpoint_signer.origin, False)
    return EventExport(request, format, encoder, event_filter)


def _requested_format(query: ExportQuery, request: RequestContext) -> Format:
    """Return the format that the query names, else the one that `Accept` prefers. Raises Problem (400)."""
    if query.format is UNSET:
        return _BY_MEDIA_TYPE[preferred(request.headers.get(b"accept"), list(_BY_MEDIA_TYPE))]
    if (format := BY_NAME.get(query.format)) in STREAMED:
        return format
    raise wrong("format", f"Unknown format. The formats are {', '.join(_NAMES)}")


_EXAMPLES = load("events")["export"]
#: What a response decodes to. JSON Schema cannot describe lines.
_TYPES = {"cloudevents": list[CloudEvent]}


def _answer(format: Format) -> Answer:
    name, media_type = format.name, format.media_types[0]
    return Answer(200, "The events", _TYPES.get(name, str), ("Content-Disposition",), _EXAMPLES[name], media_type)


_ANSWERS = tuple(map(_answer, STREAMED))
_PROBLEMS = (POSITION_NOT_REACHED, STORAGE_FULL)
_route = partial(Route, "GET", tag="history", scope=Scope.EVENTS_EXPORT, rate_limit=EXPORT)

ROUTES = [_route("/events/export", export_events, query=ExportQuery, answers=_ANSWERS, problems=_PROBLEMS)]
