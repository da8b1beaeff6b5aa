"""`GET /events/export`: the history in one answer, in the format that is asked for."""

import asyncio
from time import monotonic
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.rate_limits import EXPORT
from api.edge.routing import Answer, Route
from api.export.cloudevents import CloudEvent
from api.export.encoder import Encoder
from api.export.formats import BY_NAME, STREAMED, Format
from api.http.content_negotiation import preferred
from api.http.problems import CREDENTIAL_INVALID, POSITION_NOT_REACHED, STORAGE_FULL, Problem
from api.http.query_params import wrong
from api.http.responses import Send, part
from api.schemas.event import EventDocument, stored
from api.schemas.event_query import BoundedEventFilter
from api.schemas.examples import EVENT_EXAMPLE
from eventstore.log.history import Filter

#: Events of one page: other requests wait while it is written.
_PAGE = 500
#: Seconds between two looks whether the credential is still good.
_LOOK_PAUSE = 10.0

_BY_MEDIA_TYPE = {media_type: format for format in STREAMED for media_type in format.media_types}


class ExportQuery(BoundedEventFilter, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, and in which format."""

    format: Annotated[
        Annotated[str, Meta(extra_json_schema={"enum": [format.name for format in STREAMED]})] | UnsetType,
        Meta(description="The format, whatever `Accept` says", examples=["jsonl"]),
    ] = UNSET


class EventExport:
    """The answer with all of the events `chosen`, page by page, with no transaction open between two."""

    def __init__(self, request: RequestContext, format: Format, encoder: Encoder, chosen: Filter) -> None:
        self._request = request
        self._format = format
        self._encoder = encoder
        self._chosen = chosen

    async def to_asgi(self, send: Send) -> None:
        """Send it whole, as fast as the client takes it. Raises UnavailableError, and Problem (401).

        Where that is after the beginning, the connection is cut: a client sees that its answer is not whole.
        """
        name = f'attachment; filename="events.{self._format.name}"'
        headers = ((b"content-type", self._format.media_types[0].encode()), (b"content-disposition", name.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self._request.method != "HEAD":
            await self._send_events(send)
        await send({"type": "http.response.body"})

    async def _send_events(self, send: Send) -> None:
        self._request.log_start("export", self._chosen.after)
        services, look = self._request.services, monotonic() + _LOOK_PAUSE
        left = asyncio.ensure_future(self._request.disconnected())
        try:
            await send(part(self._encoder.begin()))
            async for events in services.history.pages(self._chosen, _PAGE):
                if left.done():
                    return
                # Where the client does not read this waits, and has one page in hand.
                await send(part(self._encoder.page(events)))
                if monotonic() > look:
                    if not await services.authenticator.is_still_valid(self._request.principal):
                        raise Problem(CREDENTIAL_INVALID)
                    look = monotonic() + _LOOK_PAUSE
            await send(part(self._encoder.end()))
        finally:
            left.cancel()


async def export_events() -> EventExport:
    """Export the history.

    All events that are asked for, in the order of positions, in one answer: as JSON Lines (a line is what `GET
    /events/{position}` gives), as CSV, or as a batch of CloudEvents 1.0; by `format`, or else by `Accept`. It is of
    the log up to `Log-Position`, and comes in chunks, without a length: one that ends before its last chunk is not
    whole. A client that has it up to some position asks for the rest by `after`. In CSV what a spreadsheet would
    take for a formula has an apostrophe in front, at the beginning of a value and behind semicolons, tabs and line
    ends in it, and so has an apostrophe there. Whoever has the database's URL can export to a file, Parquet as
    well, with a manifest: `itemledger events export`.
    """
    request = current.get()
    query: ExportQuery = request.query
    format, services = _format(query, request), request.services
    # As of now: what comes meanwhile is no part of it.
    position, chosen = await services.history.bounds(query.filter(), **query.times())
    if query.after > position:
        raise Problem(POSITION_NOT_REACHED, f"The log is at position {position}, before the one to go on from")
    request.set_log_position(position)
    encoder = format.encoder(services.checkpoint_signer.origin, False)
    return EventExport(request, format, encoder, chosen)


def _format(query: ExportQuery, request: RequestContext) -> Format:
    """Give the format that is asked for, by the query or else by `Accept`. Raises Problem (400)."""
    if query.format is UNSET:
        return _BY_MEDIA_TYPE[preferred(request.headers.get(b"accept"), list(_BY_MEDIA_TYPE))]
    if (format := BY_NAME.get(query.format)) in STREAMED:
        return format
    raise wrong("format", f"There are {', '.join(format.name for format in STREAMED)}")


#: What an answer decodes to, where JSON Schema can say it: not of lines.
_TYPES = {"cloudevents": list[CloudEvent]}


def _example(format: Format) -> Any:
    """Give an export of one event."""
    event = stored(msgspec.json.decode(msgspec.json.encode(EVENT_EXAMPLE), type=EventDocument))
    encoder = format.encoder("ledger.example/items", False)
    text = encoder.begin() + encoder.page([event]) + encoder.end()
    return msgspec.json.decode(text) if format.name in _TYPES else text.decode()


ROUTES = [
    Route(
        "GET",
        "/events/export",
        export_events,
        tag="history",
        scope=Scope.EVENTS_EXPORT,
        query=ExportQuery,
        budget=EXPORT,
        answers=tuple(
            Answer(
                200,
                "The events",
                _TYPES.get(format.name, str),
                ("Content-Disposition",),
                _example(format),
                format.media_types[0],
            )
            for format in STREAMED
        ),
        problems=(POSITION_NOT_REACHED, STORAGE_FULL),
    )
]
