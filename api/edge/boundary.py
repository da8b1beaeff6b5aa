"""The ASGI edge around FasterAPI: everything about the protocol that the framework leaves out or gets wrong.

In order: the route (404, 405, HEAD, OPTIONS), who asks for it and whether they may (401, 403), the query, the whole
body, then the framework with one complete message; around all of it one place that turns any exception into a problem,
and one line of log for every request. It owns the lifespan too: a start that fails refuses to serve, and a stop waits
for what it cleans up.
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

from api.auth.authenticator import authorize
from api.auth.scopes import Unscoped
from api.edge.client_timeouts import ClientTimeouts
from api.edge.concurrency_limits import Capacity, Reservation
from api.edge.context import current
from api.edge.cors import Cors
from api.edge.exchange import Exchange
from api.edge.rate_limits import EXPORT, RateLimits, client_of, refused
from api.edge.routing import Route, RouteTable, allow, options
from api.http import problems
from api.http.client_address import UNKNOWN, canonical, canonical_client
from api.http.query_params import parse
from api.http.request_body import ClientDisconnectedError, read_body, whole
from api.http.responses import HttpResponse, Receive, Scope, Send
from api.settings import Settings

if TYPE_CHECKING:
    from api.services import Services

log = structlog.get_logger()


class Boundary:
    """The ASGI application: serves `routes` through `app` with the services that `lifespan` holds open."""

    def __init__(
        self,
        app: Callable[[Any, Receive, Send], Awaitable[None]],
        routes: Sequence[Route],
        settings: Settings,
        lifespan: Callable[[], AbstractAsyncContextManager["Services"]],
    ) -> None:
        self._app = app
        self._routes = RouteTable(routes)
        self._settings = settings
        self._lifespan = lifespan
        self._cors = Cors(settings.cors_origins)
        self._limits = RateLimits(settings)
        self._capacity = Capacity(settings)
        serve: Any = self._serve
        trusted: list[str] = [*settings.trusted_proxies]
        self._http: Any = ProxyHeadersMiddleware(serve, trusted) if trusted else serve
        self._proxies = [ip_network(proxy) for proxy in trusted]
        #: How many connections each client has that is counted.
        self.peers = Counter[str | None]()
        self._services: Services | None = None
        self.client_timeouts = ClientTimeouts(
            settings.head_timeout,
            settings.body_timeout,
            settings.answer_timeout,
            settings.max_head,
            settings.max_connections,
            settings.max_client_connections,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope (ASGI 3): HTTP requests and the lifespan; a WebSocket is closed at once."""
        if scope["type"] == "http":
            await self._http(canonical_client(scope), receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, self._services, self._cors)
        share = Reservation()
        try:
            await self._dispatch(scope, receive, exchange, share)
        except ClientDisconnectedError:
            exchange.status = 0
        except asyncio.CancelledError:
            # A stop is out of patience: with the client's body, or with the database. Nothing was written.
            await exchange.fail(problems.Problem(problems.STOPPING, headers=((b"connection", b"close"),)))
        except Exception as error:
            await exchange.fail(error)
        finally:
            share.leave()
        exchange.log()

    async def _dispatch(self, scope: Scope, receive: Receive, exchange: Exchange, share: Reservation) -> None:
        arrived = self._limits.arrive(exchange.context.address)
        if refused(arrived) and exchange.context.services.authenticator.recognizes(exchange.context.headers):
            arrived = []  # others have spent the address's budget; this client has one of its own
        exchange.count(arrived)
        if b"%2f" in scope["raw_path"].lower():
            raise problems.Problem(problems.NOT_FOUND)  # an escaped slash is not a slash
        if scope["method"] == "OPTIONS":
            methods = self._routes.methods(scope["path"])
            preflight = self._cors.preflight(exchange.context.headers, allow(methods))
            await HttpResponse(204, headers=(*options(methods), *preflight)).to_asgi(exchange.send)
            return
        route = self._routes.find(scope["method"], scope["path"])
        exchange.route = route
        request = exchange.context
        if route.scope is not Unscoped.OPEN:
            request.principal = await request.services.authenticator.authenticate(request.headers, request.address)
        credential = request.principal.credential
        share.client = client_of(request.address, credential)
        exchange.count(self._limits.admit(request.address, credential, exchange.verdicts, route.budget))
        authorize(request.principal, route.scope)
        request.query = parse(scope["query_string"], route.query)
        request.body = await read_body(
            receive,
            request.headers,
            wanted=route.media_types if route.body is not None else (),
            limit=self._settings.max_batch_body if route.large_body else self._settings.max_body,
            seconds=self._settings.body_timeout,
            hold=partial(share.take, self._capacity.batch_bytes) if route.large_body else None,
            depth=self._settings.max_depth,
        )
        if route.scope is not Unscoped.OPEN and not route.streaming:
            share.take(self._capacity.requests)
        if route.budget == EXPORT:
            share.take(self._capacity.exports)
        current.set(request)
        # HEAD is served as GET, and `exchange` keeps its body back. The server needs its own scope as it is.
        served = scope if scope["method"] == route.method else {**scope, "method": route.method}
        await self._app(served, whole(request.body), exchange.send)

    def peer(self, client: tuple[str, int] | None) -> str | None:
        """Give by what the connections from an IP address and port are counted, None where they are not."""
        address = canonical(client[0]) if client else UNKNOWN
        if address != UNKNOWN and any(ip_address(address) in network for network in self._proxies):
            return None
        return client_of(address)

    def stop(self) -> None:
        """End what would not end by itself: the server has been told to stop, and waits for what is in flight."""
        if self._services is not None:
            self._services.feed.end()

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


def reraise(_request: object, error: Exception) -> Any:
    """Let an exception out of FasterAPI, which would answer it by itself, to the boundary's one place for all."""
    raise error
