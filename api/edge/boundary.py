"""The ASGI application around FasterAPI: everything about HTTP that the framework leaves out or gets wrong.

In order: the address's rate limit, before anything else is computed (429), `Host` and `Expect` (400, 417), route (404,
405, HEAD, OPTIONS), authentication (401), the client's rate limits (429), authorization (403), query, body, capacity
(503), then the framework with one complete message. Around it, one place turns any exception into a problem, and writes
one log line per request. It also runs the lifespan: if the start fails, nothing is served.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import logs
from api.auth.authenticator import authorize
from api.auth.watch import while_accepted
from api.edge.concurrency_limits import Limit, Reservations
from api.edge.context import current
from api.edge.cors import Cors
from api.edge.exchange import Exchange, combined
from api.edge.rate_limits import EXPORT, RateLimits, client_of, is_rejected
from api.edge.request_fields import check_fields
from api.edge.routing import Route, RouteTable
from api.edge.token_bucket import RateLimitState
from api.http import problems
from api.http.client_address import UNKNOWN, address_of, canonical, canonical_client
from api.http.query_params import parse
from api.http.request_body import announces_body, check_media_type, complete_message, read_body
from api.http.responses import AsgiScope, ClientDisconnectedError, HttpResponse, Receive, Send
from api.settings import Settings

if TYPE_CHECKING:
    from api.app import Services

log = structlog.get_logger()

Served = Callable[[Any, Receive, Send], Awaitable[None]]

_ROW_BYTES = 512  # about what an event takes in a response, more than an item


class Boundary:
    """The ASGI application: serves `routes` through `app` with the services that `lifespan` holds open."""

    def __init__(
        self,
        app: Served,
        routes: Sequence[Route],
        settings: Settings,
        lifespan: Callable[[], AbstractAsyncContextManager["Services"]],
    ) -> None:
        self._app = app
        self._routes = RouteTable(routes)
        self.settings = settings
        self._lifespan = lifespan
        self._cors = Cors(settings.cors_origins)
        self._limits = RateLimits(settings)
        self._requests = Limit(settings.max_requests)
        self._exports = Limit(settings.max_exports)
        self._batch_bytes = Limit(settings.max_batch_bodies, settings.max_batch_body)
        self._unsent = Limit(settings.max_unsent)
        trusted: list[str] = [*settings.trusted_proxies]
        #: Serves an HTTP request.
        self.serve: Served = _behind_proxies(self._serve, trusted) if trusted else self._serve
        self._proxies = [ip_network(proxy) for proxy in trusted]
        #: Open connections by client, as `client_of_connection` names it.
        self.client_connections = Counter[str | None]()
        self._services: Services | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope: an HTTP request or the lifespan. A WebSocket is closed at once."""
        if scope["type"] == "http":
            await self.serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _serve(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        headers = combined(scope["headers"])
        address = address_of(scope, headers)
        counted = self._limits.count_address(address)  # before anything else is computed
        exchange = Exchange(scope, headers, address, receive, send, self._services, self._cors)
        try:
            try:
                with Reservations() as reserved:
                    await self._dispatch(scope, receive, exchange, counted, reserved)
            except ClientDisconnectedError:
                raise
            except asyncio.CancelledError:
                await exchange.fail(_stopped(exchange))
            except Exception as error:
                await exchange.fail(error)
        except ClientDisconnectedError as error:
            exchange.cut(str(error) or "disconnected")
        exchange.log()

    async def _dispatch(
        self,
        scope: AsgiScope,
        receive: Receive,
        exchange: Exchange,
        counted: list[RateLimitState],
        reserved: Reservations,
    ) -> None:
        request = exchange.context
        if is_rejected(counted) and request.services.authenticator.recognizes(request.headers):
            counted = []  # others exceeded the address's limit; this client has its own
        if counted:
            exchange.check_rate_limits(counted)
        check_fields(request.headers, scope["http_version"])
        if b"%2f" in scope["raw_path"].lower():
            raise problems.Problem(problems.NOT_FOUND)  # an escaped slash does not separate segments
        if scope["method"] == "OPTIONS":
            options = self._routes.options(scope["path"])
            preflight = self._cors.preflight(request.headers, dict(options)[b"allow"])
            await HttpResponse(204, headers=(*options, *preflight)).to_asgi(exchange.send)
            return
        route = exchange.route = self._routes.find(scope["method"], scope["path"])
        if not route.is_open:
            request.principal = await request.services.authenticator.authenticate(request.headers, request.address)
        holder = request.principal.holder
        client = client_of(request.address, holder)
        exchange.limit_unsent(self._unsent, client, reserved)
        if counted := self._limits.count_client(request.address, holder, counted, route.rate_limit):
            exchange.check_rate_limits(counted)
        authorize(request.principal, route.scope)
        if route.is_audited and not logs.is_writable():
            raise problems.Problem(problems.REQUEST_LOG_UNAVAILABLE)
        request.query = parse(scope["query_string"], route.query)
        if rows := getattr(request.query, "limit", 0):  # not after the page was read and encoded
            self._unsent.expect(client, rows * _ROW_BYTES)
        takes_body = route.body is not None
        if takes_body:
            check_media_type(request.headers, route.method, route.media_types)
        if takes_body or announces_body(request.headers):
            reserve_bytes = partial(self._batch_bytes.reserve, client, reserved) if route.large_body else None
            request.body = await read_body(receive, request.headers, self.settings, takes_body, reserve_bytes)
        if not route.is_open and not route.streaming:
            self._requests.reserve(client, reserved)
        if route.rate_limit == EXPORT:
            self._exports.reserve(client, reserved)
        current.set(request)
        request.services.database.read_for(client or "local")
        # HEAD is served as GET, and `exchange` drops its body. uvicorn needs its own scope unchanged.
        served = scope if scope["method"] == route.method else {**scope, "method": route.method}
        exchange.handed_over = True
        if route.lasts:
            authenticator = request.services.authenticator
            async with while_accepted(authenticator, request.headers, request.address, request.principal):
                await self._app(served, complete_message(request.body), exchange.send)
        else:
            await self._app(served, complete_message(request.body), exchange.send)

    def client_of_connection(self, client: tuple[str, int] | None) -> str | None:
        """Return the client that a connection counts for, None for local clients and trusted proxies."""
        address = canonical(client[0]) if client else UNKNOWN
        if address != UNKNOWN and any(ip_address(address) in network for network in self._proxies):
            return None
        return client_of(address)

    def stop(self) -> None:
        """End the streams, since the server is stopping and waits for the responses in progress."""
        if self._services is not None:
            self._services.feed.stop()

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        phase, failure = "start", "lifespan.startup.failed"
        try:
            async with self._lifespan() as self._services:
                await send({"type": "lifespan.startup.complete"})
                await receive()
                phase, failure = "stop", "lifespan.shutdown.failed"
        except Exception as error:
            log.error(f"{phase} failed", exc_info=error)
            await send({"type": failure, "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def _behind_proxies(serve: Any, trusted: list[str]) -> Served:
    """Return `serve` for the client that trusted proxies report."""
    reported: Any = ProxyHeadersMiddleware(serve, trusted)

    async def serve_reported(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await reported(canonical_client(scope), receive, send)

    return serve_reported


def _stopped(exchange: Exchange) -> problems.Problem:
    """Return the problem of a request that the stop cut off, in a handler or while its body was read.

    What a handler had begun goes on: a commit in its thread, a statement on its way, a process that was started.
    """
    close = ((b"connection", b"close"),)
    if exchange.handed_over and exchange.route is not None and exchange.route.has_effects:
        return problems.Problem(
            problems.OUTCOME_UNKNOWN, "The service stopped before the outcome was known", headers=close
        )
    return problems.Problem(problems.STOPPING, headers=close)


def reraise(_request: object, error: Exception) -> Any:
    """Raise an exception that FasterAPI would answer itself, so that Boundary answers it."""
    raise error
