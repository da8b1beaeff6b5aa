"""The composition root: makes the parts of a running service and joins them. Nothing else does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import structlog
from FasterAPI import Faster, HTTPException, RequestValidationError

import migrations
from api import logs
from api.activity import routes as activity
from api.audit import routes as audit
from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.usage import KeyUsage
from api.auth.authenticator import Authenticator
from api.auth.jwt.jwks import UnreadableKeysError, published_at
from api.auth.jwt.verifier import JwtVerifier
from api.edge.boundary import Boundary, reraise
from api.edge.route_checks import check_routes
from api.edge.routing import register
from api.events import export, stream
from api.events import routes as events
from api.events.feed import Feed
from api.items import routes as items
from api.keys import routes as keys
from api.ops import docs, health, openapi
from api.projections import routes as projections
from api.projections.checking import checking
from api.projections.rebuild_jobs import RebuildJobs
from api.services import Services
from api.settings import Settings, from_environment
from api.startup import StartError, prepare
from api.transparency import routes as proofs
from api.transparency.checkpoint_signer import CheckpointSigner
from commands.writer import Writer
from eventstore.database.engine import open_database
from eventstore.database.sqlite import SqliteDatabase
from eventstore.log.history_reader import HistoryReader
from projections import PROJECTIONS
from projections.activity import ActivityReader
from projections.items.history import ItemHistory
from projections.items.past_reader import PastItemReader
from projections.items.reader import ItemReader
from projections.live import LiveProjections
from projections.projection_status import projection_statuses
from projections.rebuild.rebuild import Options

ROUTES = [
    *items.ROUTES,
    *activity.ROUTES,
    *events.ROUTES,
    *audit.ROUTES,
    *stream.ROUTES,
    *export.ROUTES,
    *proofs.ROUTES,
    *projections.ROUTES,
    *keys.ROUTES,
    *health.ROUTES,
    *docs.ROUTES,
]


#: What the writer gets at the end to write what waits. The server has given requests in flight their time before.
_STOP_SECONDS = 1


def create_app(
    settings: Settings | None = None, lifespan: Callable[[], AbstractAsyncContextManager[Services]] | None = None
) -> Boundary:
    """Make the ASGI application. Raises SettingsError, or StartError for a route that would be served wrongly."""
    settings = settings or from_environment()
    logs.configure(settings.log_level)
    api = Faster(openapi_url=None, docs_url=None, redoc_url=None)
    for error in (Exception, HTTPException, RequestValidationError):
        api.add_exception_handler(error, reraise)
    register(api, ROUTES)
    if complaints := check_routes((route["method"], route["path"], route["handler"]) for route in api.routes):
        raise StartError("; ".join(complaints))
    return Boundary(api, ROUTES, settings, lifespan or (lambda: run(settings)))


@asynccontextmanager
async def run(settings: Settings) -> AsyncIterator[Services]:
    """Hold the service's parts open: the database, checked, and the writer, which is let finish at the end.

    On SQLite, projections whose tables are missing or of an older version are rebuilt meanwhile.
    """
    database = open_database(settings.database_url.reveal())
    try:
        await prepare(database)
        found = await projection_statuses(database, PROJECTIONS)
        uses = KeyUsage(database)
        authenticator = Authenticator(
            ApiKeyCache(database),
            uses,
            await open_tokens(settings),
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
        writer = Writer(
            database,
            [LiveProjections(PROJECTIONS)],
            max_queue=settings.max_queue,
            max_batch=settings.max_batch,
            max_bulk=settings.max_batch_queue,
            committed=feed.committed,
        )
        rebuild_jobs = RebuildJobs(database, settings.database_url)
        if isinstance(database, SqliteDatabase):  # nobody else would
            for standing in found:
                if standing.outdated:
                    rebuild_jobs.launch(standing.projection.name, Options())
        try:
            async with checking(database, settings.check_interval), uses.kept(), feed.running():
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
                    rebuild_jobs=rebuild_jobs,
                    feed=feed,
                    openapi=msgspec.json.encode(openapi.document(ROUTES)),
                    position=max(standing.position or 0 for standing in found),
                )
        finally:
            await asyncio.gather(_stop(writer), rebuild_jobs.close())
    finally:
        await database.dispose()


async def open_tokens(settings: Settings) -> JwtVerifier | None:
    """Give the tokens that are taken, if any are. Raises StartError where their issuer's keys are in no such file.

    An issuer that can't be reached may be back when the first token comes: until then none is taken.
    """
    if settings.jwt_issuer is None or settings.jwt_audience is None or settings.jwt_jwks is None:
        return None
    keys = published_at(settings.jwt_jwks)
    try:
        await keys.load()
    except UnreadableKeysError as error:
        if not settings.jwt_jwks.is_url:
            raise StartError(f"{settings.jwt_jwks}: {error}") from None
        structlog.get_logger().error("the issuer's keys can't be read", cause=str(error))
    return JwtVerifier(settings.jwt_issuer, settings.jwt_audience, keys)


async def _stop(writer: Writer) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await writer.close()
    except TimeoutError:
        # Its callers were answered, or given up, by the server before: what did not commit was never acknowledged.
        structlog.get_logger().error("the writer was stopped before it had written all that waited")
