"""The ASGI edge around FasterAPI: everything about the protocol that the framework leaves out or gets wrong.

In order: the route (404, 405, HEAD, OPTIONS), the query, the whole body, then the framework with one complete message;
around all of it one place that turns any exception into a problem, and one line of log for every request. It owns the
lifespan too: a start that fails refuses to serve, and a stop waits for what it cleans up.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from time import perf_counter_ns
from typing import Any

import structlog

from api import problems
from api.body import ClientDisconnectedError, read_body, whole
from api.context import RequestContext, Services, current, new_id
from api.query import parse
from api.reply import Message, Receive, Reply, Scope, Send
from api.routing import Route, RouteTable, options
from api.settings import Settings

log = structlog.get_logger()

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


class Boundary:
    """The ASGI application: serves `routes` through `app` with the services that `lifespan` holds open."""

    def __init__(
        self,
        app: Callable[[Any, Receive, Send], Awaitable[None]],
        routes: Sequence[Route],
        settings: Settings,
        lifespan: Callable[[], AbstractAsyncContextManager[Services]],
    ) -> None:
        self._app = app
        self._routes = RouteTable(routes)
        self._settings = settings
        self._lifespan = lifespan
        self._services: Services | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope (ASGI 3): HTTP requests and the lifespan; a WebSocket is closed at once."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, send, self._services)
        try:
            await self._dispatch(scope, receive, exchange)
        except ClientDisconnectedError:
            exchange.status = 0
        except asyncio.CancelledError:
            # A stop is out of patience: with the client's body, or with the database. Nothing was written.
            await exchange.fail(problems.Problem(problems.STOPPING, headers=((b"connection", b"close"),)))
        except Exception as error:
            await exchange.fail(error)
        exchange.log()

    async def _dispatch(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        if b"%2f" in scope["raw_path"].lower():
            raise problems.Problem(problems.NOT_FOUND)  # an escaped slash is not a slash
        if scope["method"] == "OPTIONS":
            methods = self._routes.methods(scope["path"])
            await Reply(204, headers=options(methods)).to_asgi(exchange.send)
            return
        route = self._routes.find(scope["method"], scope["path"])
        exchange.route = route.path
        request = exchange.context
        request.query = parse(scope["query_string"], route.query)
        request.body = await read_body(
            receive,
            request.headers,
            wanted=route.media_types if route.body is not None else (),
            limit=self._settings.max_batch_body if route.bulk else self._settings.max_body,
            seconds=self._settings.body_timeout,
        )
        current.set(request)
        # HEAD is served as GET, and `exchange` keeps its body back. The server needs its own scope as it is.
        served = scope if scope["method"] == route.method else {**scope, "method": route.method}
        await self._app(served, whole(request.body), exchange.send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        lifespan = self._lifespan()
        try:
            self._services = await lifespan.__aenter__()
        except Exception as error:
            log.error("start failed", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await lifespan.__aexit__(None, None, None)
        except Exception as error:
            log.error("stop failed", exc_info=error)
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})


class _Exchange:
    """One request and its answer on their way: what is added to every answer, and what is logged of it."""

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
        self.route: str | None = None
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
            log.error("unexpected error", request_id=self.context.request_id, route=self.route, exc_info=error)
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
            route=self.route,
            status=self.status,
            duration_ms=(perf_counter_ns() - self._started) / 1e6,
        )


def _combined(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give header fields by name; several lines of one field are one list (RFC 9110, section 5.3)."""
    headers: dict[bytes, bytes] = {}
    for name, value in lines:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def reraise(_request: object, error: Exception) -> Any:
    """Let an exception out of FasterAPI, which would answer it by itself, to the boundary's one place for all."""
    raise error
