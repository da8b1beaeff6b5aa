"""One request and its response: what is added to every response, and what is logged of it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from api.edge.concurrency_limits import Limit, Reservations
from api.edge.context import RequestContext, new_id
from api.edge.cors import Cors
from api.edge.rate_limits import check_admitted, rate_limit_headers
from api.edge.routing import Route
from api.edge.token_bucket import RateLimitState
from api.http import problems
from api.http.request_body import wait_for_disconnect
from api.http.responses import ABORT, PIECE_BYTES, AsgiScope, Header, Message, Receive, Send
from api.http.security_headers import security_headers
from api.logs import RequestLine, log_request, summary
from eventstore.errors import WriteFailedError

if TYPE_CHECKING:
    from api.app import Services

log = structlog.get_logger()

_REFUSED = (401, 403, 429)
_LAST_PART_SECONDS = 0.2  # how long the end of a stream may take whose credential has ended

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


class Exchange:
    """One request and its response."""

    def __init__(
        self,
        scope: AsgiScope,
        headers: dict[bytes, bytes],
        address: str,
        receive: Receive,
        send: Send,
        services: "Services | None",
        cors: Cors,
    ) -> None:
        sent_id, parent = headers.get(b"x-request-id"), headers.get(b"traceparent")
        request_id = sent_id.decode() if sent_id is not None and _REQUEST_ID.fullmatch(sent_id) else new_id()
        trace = None if parent is None else _TRACEPARENT.fullmatch(parent)
        assert services is not None, "served before the lifespan began"
        self.context = RequestContext(
            services=services,
            request_id=request_id,
            correlation_id=trace[1].decode() if trace else request_id,
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            address=address,
            disconnected=partial(wait_for_disconnect, receive),
        )
        self._scheme: str = scope["scheme"]
        self._cors = cors.headers(headers)
        self.route: Route | None = None
        self.status: int | None = None
        self.handed_over = False  # whether a handler has the request
        self._rate_limits: list[RateLimitState] = []
        self._code: str | None = None
        self._cut: str | UnsetType = UNSET  # why the response is incomplete
        self._extra_log_fields: Mapping[str, Any] = {}
        self._unsent: tuple[Limit, str | None, Reservations] | None = None
        self._send = send
        self._started = perf_counter_ns()

    def check_rate_limits(self, states: list[RateLimitState]) -> None:
        """Keep the rate limits for the response's headers. Raises Problem (429) if one rejects the request."""
        self._rate_limits = states
        check_admitted(states)

    def limit_unsent(self, limit: Limit, client: str | None, until: Reservations) -> None:
        """Count long responses to `client` against `limit`, until `until`."""
        self._unsent = limit, client, until

    def _reserve_unsent(self, size: int, until: Reservations | None = None) -> None:
        if self._unsent is not None:
            limit, client, end = self._unsent
            limit.reserve(client, end if until is None else until, size)  # an empty one is false

    async def send(self, message: Message) -> None:
        """Send an ASGI message, with the headers of every response, and to HEAD without a body.

        Raises ClientDisconnectedError, and Problem (503) for a long response that exceeds the limit on unsent bytes.
        """
        context = self.context
        if message["type"] == "http.response.start":
            if "unsent_bytes" in message and context.method == "GET":  # a write is done: its response is sent
                self._reserve_unsent(message["unsent_bytes"])
            self.status = message["status"]
            position = context.services.position if context.position is None else context.position
            headers = message["headers"] = [
                *message["headers"],
                (b"x-request-id", context.request_id.encode()),
                (b"log-position", b"%d" % position),
            ]
            if context.replayed:
                headers.append((b"idempotency-replayed", b"true"))
            if self._rate_limits:
                headers += rate_limit_headers(self._rate_limits)
            headers += security_headers(headers, self._scheme)
            headers += self._cors
        elif context.method == "HEAD":
            message = {**message, "body": b""}
        elif message.get("more_body", False) and len(message["body"]) > PIECE_BYTES:
            with Reservations() as until_taken:
                self._reserve_unsent(len(message["body"]), until_taken)
                await self._send(message)
            return
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Send the problem of an exception, unless a response has begun; log an unexpected one with its trace."""
        kind, request_id = problems.kind_of(error), self.context.request_id
        self._code = kind.code
        if isinstance(error, problems.Problem):
            self._extra_log_fields = error.extra_log_fields
        if kind is problems.INTERNAL and not isinstance(error, WriteFailedError):  # the writer logs that once
            route = self.route and self.route.path
            log.error("unexpected error", request_id=request_id, route=route, exc_info=error)
        elif kind is problems.LOG_CHANGED:
            log.error(kind.code, request_id=request_id, cause=str(error))
        elif error.__cause__ is not None and kind.status >= 500:
            log.warning(kind.code, request_id=request_id, cause=summary(error.__cause__))
        if self.status is None:
            await problems.problem_response(error, request_id).to_asgi(self.send)
        elif kind.status == 401:
            await self._end_with_credential()
        else:
            self.cut("error")

    async def _end_with_credential(self) -> None:
        """End a response whose credential has ended: a stream as it always ends, an export visibly incomplete."""
        if self.route is not None and self.route.streaming:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_PART_SECONDS):  # a client that does not read makes this wait
                    await self._send({"type": "http.response.body"})
                    return
        self.cut("error")
        await self._send(ABORT)

    def cut(self, reason: str) -> None:
        """Record that the client did not get the whole response; 0 is the status where none had begun."""
        if self.status is None:
            self.status = 0
        else:
            self._cut = reason

    def log(self) -> None:
        """Write the request's log line: no body, no credential. Refusals and reads of the history at any log level."""
        context, route = self.context, self.route
        fields = self._extra_log_fields
        of_history = route is not None and route.is_of_history
        refused = self.status in _REFUSED
        if of_history:
            query = {} if context.query is None else msgspec.to_builtins(context.query)
            fields = {**fields, "path": context.path, "filter": query}
        line = RequestLine(
            request_id=context.request_id,
            actor=context.principal.actor,
            credential=context.principal.credential,
            address=context.address,
            method=context.method,
            route=None if route is None else route.path,
            status=self.status,
            code=self._code,
            position=context.position,
            duration_ms=(perf_counter_ns() - self._started) / 1e6,
            cut=self._cut,
            level="warning" if refused and not of_history else "info",
            **fields,
        )
        log_request(line, at_any_level=of_history or refused, audited=of_history)


def combined(lines: Sequence[Header]) -> dict[bytes, bytes]:
    """Return headers by name; repeated headers are joined to one list (RFC 9110, section 5.3)."""
    headers = dict(lines)
    if len(headers) == len(lines):
        return headers
    values: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(parts) for name, parts in values.items()}
