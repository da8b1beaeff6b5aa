"""The composition root: builds the parts of a running service and connects them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import structlog
from FasterAPI import Faster, HTTPException, RequestValidationError
from msgspec import Struct

import migrations
from api import logs
from api.activity import routes as activity
from api.audit import routes as audit
from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.usage import KeyUsage
from api.auth.authenticator import Authenticator
from api.console import routes as console
from api.edge.boundary import Boundary, reraise
from api.edge.route_checks import check_routes
from api.edge.routing import register
from api.events import export, stream
from api.events import routes as events
from api.events.feed import Feed
from api.items import routes as items
from api.keys import routes as keys
from api.me import routes as me
from api.ops import docs, health, index, openapi
from api.projections import routes as projections
from api.projections.rebuild_jobs import RebuildJobs
from api.projections.scheduled_verification import scheduled_verification
from api.settings import Settings, from_environment
from api.startup import Failure, StartError, served
from api.transparency import routes as proofs
from api.transparency.checkpoint_signer import CheckpointSigner
from commands.writer import Writer
from eventstore.clock import CheckedClock
from eventstore.database.database import Database
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.log.history_reader import HistoryReader
from projections import PROJECTIONS
from projections.activity import ActivityReader
from projections.items.history import ItemHistory
from projections.items.past_reader import PastItemReader
from projections.items.reader import ItemReader
from projections.live import LiveProjections
from projections.projection_status import projection_statuses
from projections.rebuild.rebuild import Options

if TYPE_CHECKING:
    from api.auth.jwt.verifier import JwtVerifier  # imports PyJWT, which only a configured issuer needs

ROUTES = [
    route
    for module in (
        items,
        activity,
        events,
        audit,
        stream,
        export,
        proofs,
        projections,
        keys,
        me,
        index,
        console,
        health,
        docs,
    )
    for route in module.ROUTES
]
#: Seconds that the writer has at a stop for the commands that wait, and the database for all else. uvicorn has waited
#: for requests before.
_STOP_SECONDS = 1


class Services(Struct):
    """The long-lived parts of a running service."""

    database: Database
    schema_head: str  # the schema revision that this code needs
    authenticator: Authenticator
    writer: Writer
    items: ItemReader
    activity: ActivityReader
    history: HistoryReader
    checkpoint_signer: CheckpointSigner
    past: ItemHistory
    past_items: PastItemReader
    live: LiveProjections
    rebuild_jobs: RebuildJobs
    feed: Feed
    openapi: Callable[[], bytes]  # returns the OpenAPI document, encoded
    position: int = 0  # the newest log position that a response of this process has reflected


def create_app(
    settings: Settings | None = None, lifespan: Callable[[], AbstractAsyncContextManager[Services]] | None = None
) -> Boundary:
    """Return the ASGI application. Raises SettingsError, or StartError for a route that would be served wrongly."""
    settings = settings or from_environment()
    logs.configure(settings.log_level)
    api = Faster(openapi_url=None, docs_url=None, redoc_url=None)
    for error in (Exception, HTTPException, RequestValidationError):
        api.add_exception_handler(error, reraise)
    register(api, ROUTES)
    if errors := check_routes((route["method"], route["path"], route["handler"]) for route in api.routes):
        raise StartError("; ".join(errors))
    return Boundary(api, ROUTES, settings, lifespan or (lambda: run(settings)))


@asynccontextmanager
async def run(settings: Settings) -> AsyncIterator[Services]:
    """Open the service's parts: the database, checked, and the writer, which finishes its queue at the end."""
    url = settings.database_url.reveal()
    async with served(url, insecure_role=settings.insecure_role, accept_clock=settings.accept_clock) as database:
        statuses = await projection_statuses(database, PROJECTIONS)
        key_usage = KeyUsage(database)
        verifier = await open_jwt_verifier(settings)
        authenticator = Authenticator(
            ApiKeyCache(database),
            key_usage,
            verifier,
            origins=settings.cors_origins,
            insecure=settings.insecure_no_auth,
        )
        await authenticator.log_auth_mode()
        feed = Feed(
            database,
            max_streams=settings.max_streams,
            max_client_streams=settings.max_client_streams,
            lifetime=settings.stream_lifetime,
        )
        versions = {status.projection.name: status.table_version for status in statuses if status.table_version}
        live = LiveProjections(PROJECTIONS, versions)
        writer = Writer(
            database,
            live,
            max_queue=settings.max_queue,
            max_batch=settings.max_batch,
            max_bulk=settings.max_batch_queue,
            clock=CheckedClock(),
            committed=feed.on_commit,
            failed=Failure.stop,
        )
        rebuild_jobs = RebuildJobs(database, settings.database_url)
        if isinstance(database, SqliteDatabase):  # on PostgreSQL the operator runs `itemledger rebuild`
            for status in statuses:
                if status.outdated:
                    rebuild_jobs.launch(status.projection.name, Options())
        try:
            verifying = scheduled_verification(database, settings.verify_interval)
            async with verifying, key_usage.saving(), feed.running():
                try:
                    yield Services(
                        database=database,
                        schema_head=migrations.head(),
                        authenticator=authenticator,
                        writer=writer,
                        items=ItemReader(database),
                        activity=ActivityReader(database),
                        history=HistoryReader(database),
                        checkpoint_signer=CheckpointSigner(database, settings.log_key, settings.origin),
                        past=ItemHistory(database),
                        past_items=PastItemReader(database),
                        live=live,
                        rebuild_jobs=rebuild_jobs,
                        feed=feed,
                        openapi=openapi_document,
                        position=max(status.position or 0 for status in statuses),
                    )
                finally:
                    database.stop_within(_STOP_SECONDS)
        finally:
            await asyncio.gather(_stop(writer), rebuild_jobs.close())


async def open_jwt_verifier(settings: Settings) -> "JwtVerifier | None":
    """Return the verifier of access tokens, None if not configured. Raises StartError for an unreadable key file."""
    if settings.jwt_issuer is None or settings.jwt_audience is None or settings.jwt_jwks is None:
        return None
    from api.auth.jwt.jwks import IssuerKeys, UnreadableKeysError
    from api.auth.jwt.verifier import JwtVerifier

    keys = IssuerKeys(settings.jwt_jwks)
    try:
        await keys.load()
    except UnreadableKeysError as error:
        if not settings.jwt_jwks.is_url:
            raise StartError(f"Cannot read the JWK Set {settings.jwt_jwks}: {error}") from None
        # An unreachable issuer: tokens are rejected until its keys could be loaded.
        structlog.get_logger().error("cannot load the issuer's signing keys", cause=str(error))
    return JwtVerifier(settings.jwt_issuer, settings.jwt_audience, keys)


@cache
def openapi_document() -> bytes:
    """Build the OpenAPI document at its first use: it would be a twentieth of the start."""
    return msgspec.json.encode(openapi.build_document(ROUTES))


async def _stop(writer: Writer) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await writer.close()
    except TimeoutError:
        # The server has already answered or dropped their clients; what did not commit was never acknowledged.
        structlog.get_logger().error("the writer was stopped before all waiting commands were written")
