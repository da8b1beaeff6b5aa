"""One request and its answer on their way through the boundary."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Struct

from api.auth.scopes import Scope as Right
from api.edge.context import RequestContext, new_id
from api.edge.cors import Cors
from api.edge.rate_limits import budget_headers, check
from api.edge.routing import Route
from api.edge.token_bucket import Verdict
from api.http import problems
from api.http.client_address import address_of
from api.http.request_body import wait_for_disconnect
from api.http.responses import Message, Receive, Scope, Send
from api.http.security_headers import protection
from api.logs import audit, summary

if TYPE_CHECKING:
    from api.services import Services

log = structlog.get_logger()

#: Whoever uses these has read the history.
_HISTORY = (Right.EVENTS_READ, Right.EVENTS_EXPORT)
_REFUSED = (401, 403, 429)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


class Exchange:
    """One request and its answer: what is added to every answer, and what is logged of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, services: "Services | None", cors: Cors) -> None:
        headers = _combined(scope["headers"])
        sent_id = headers.get(b"x-request-id", b"")
        request_id = sent_id.decode() if _REQUEST_ID.fullmatch(sent_id) else new_id()
        trace = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        assert services is not None, "served before the lifespan began"
        self.context = RequestContext(
            services=services,
            request_id=request_id,
            correlation_id=trace[1].decode() if trace else request_id,
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            address=address_of(scope, headers),
            disconnected=partial(wait_for_disconnect, receive),
        )
        self._scheme: str = scope["scheme"]
        self._cors = cors.headers(headers)
        self.route: Route | None = None
        self.status: int | None = None
        #: What is left of the budgets that the request was counted against.
        self.verdicts: list[Verdict] = []
        self._code: str | None = None
        self._noted: Mapping[str, object] = {}
        self._send = send
        self._started = perf_counter_ns()

    def count(self, verdicts: list[Verdict]) -> None:
        """Go on where the budgets that the request was counted against admit it. Raises Problem (429)."""
        self.verdicts = verdicts
        check(verdicts)

    async def send(self, message: Message) -> None:
        """Pass an ASGI message on, with the headers that every answer has, and to HEAD without a body."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            context = self.context
            position = context.services.position if context.position is None else context.position
            headers = (
                *message["headers"],
                (b"x-request-id", context.request_id.encode()),
                (b"log-position", b"%d" % position),
                *([(b"idempotency-replayed", b"true")] if context.replayed else []),
                *budget_headers(self.verdicts),
            )
            message = {**message, "headers": [*headers, *protection(headers, self._scheme), *self._cors]}
        elif self.context.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Answer with the problem that `error` is; log one that nobody foresaw, with its trace."""
        kind = problems.kind_of(error)
        self._code = kind.code
        self._noted = error.noted if isinstance(error, problems.Problem) else {}
        if kind is problems.INTERNAL:
            log.error("unexpected error", request_id=self.context.request_id, route=self._template, exc_info=error)
        elif error.__cause__ is not None and kind.status >= 500:
            log.warning(kind.code, request_id=self.context.request_id, cause=summary(error.__cause__))
        if self.status is None:
            await problems.problem_response(error, self.context.request_id).to_asgi(self.send)

    def log(self) -> None:
        """Write the request's line: who asked, from where, for what, and how it ended; no body, and no credential.

        A status of 0 says that the client left before its request was whole. Who was refused, and who read what of the
        history, is written whatever the level.
        """
        context, route = self.context, self.route
        line: dict[str, Any] = {
            "request_id": context.request_id,
            "actor": context.actor,
            "address": context.address,
            "method": context.method,
            "route": self._template,
            "status": self.status,
            "code": self._code,
            "position": context.position,
            "duration_ms": (perf_counter_ns() - self._started) / 1e6,
            **self._noted,
        }
        if route is not None and route.scope in _HISTORY:
            audit.info("request", **line, path=context.path, filter=_given(context.query))
        elif self.status in _REFUSED:
            audit.warning("request", **line)
        else:
            log.info("request", **line)

    @property
    def _template(self) -> str | None:
        return self.route.path if self.route else None


def _given(query: Struct | None) -> dict[str, Any]:
    return {} if query is None else msgspec.to_builtins(query)


def _combined(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give header fields by name; several lines of one field are one list (RFC 9110, section 5.3)."""
    headers: dict[bytes, bytes] = {}
    for name, value in lines:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
