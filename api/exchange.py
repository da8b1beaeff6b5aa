"""One request and its answer on their way through the boundary."""

import re
from collections.abc import Iterable
from time import perf_counter_ns

import structlog

from api import problems
from api.context import RequestContext, Services, new_id
from api.reply import Message, Scope, Send
from api.routing import Route

log = structlog.get_logger()

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


class Exchange:
    """One request and its answer: what is added to every answer, and what is logged of it."""

    def __init__(self, scope: Scope, send: Send, services: Services | None) -> None:
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
        )
        self.route: Route | None = None
        self.status: int | None = None
        self._send = send
        self._started = perf_counter_ns()

    async def send(self, message: Message) -> None:
        """Pass an ASGI message on, with the headers that every answer has, and to HEAD without a body."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            context = self.context
            position = context.services.position if context.position is None else context.position
            own = [(b"x-request-id", context.request_id.encode()), (b"log-position", b"%d" % position)]
            if context.replayed:
                own.append((b"idempotency-replayed", b"true"))
            headers = [*message["headers"], *own]
            message = {**message, "headers": headers}
        elif self.context.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Answer with the problem that `error` is; log one that nobody foresaw, with its trace."""
        kind = problems.kind_of(error)
        if kind is problems.INTERNAL:
            log.error("unexpected error", request_id=self.context.request_id, route=self._path(), exc_info=error)
        elif error.__cause__ is not None and kind.status >= 500:
            log.warning(kind.code, request_id=self.context.request_id, cause=repr(error.__cause__))
        if self.status is None:
            await problems.reply_to(error, self.context.request_id).to_asgi(self.send)

    def log(self) -> None:
        """Write the request's line. A status of 0 says that the client left before its request was whole."""
        log.info(
            "request",
            request_id=self.context.request_id,
            method=self.context.method,
            route=self._path(),
            status=self.status,
            duration_ms=(perf_counter_ns() - self._started) / 1e6,
        )

    def _path(self) -> str | None:
        return self.route.path if self.route else None


def _combined(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give header fields by name; several lines of one field are one list (RFC 9110, section 5.3)."""
    headers: dict[bytes, bytes] = {}
    for name, value in lines:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
