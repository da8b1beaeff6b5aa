"""The health routes: `/livez` and `/readyz`."""

import sqlite3
from collections.abc import Set
from functools import partial
from typing import Literal

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api import logs
from api.auth.scopes import Unscoped
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http.problems import NOT_READY, Problem
from api.http.responses import HttpResponse, json_response
from api.schemas.examples import load
from eventstore.errors import EventStoreError, UnavailableError
from migrations import triggers
from projections import PROJECTIONS
from projections.projection_status import ProjectionStatus, foreign_projections, projection_statuses
from projections.rebuild import rebuild_requests

_REVISION = text("SELECT version_num FROM alembic_version")


class Alive(Struct, frozen=True):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(Struct, frozen=True):
    """The service can process requests."""

    log_position: int
    #: The position of each projection.
    projections: dict[str, int]
    schema_revision: str
    #: While `unavailable`, requests that must be logged are refused with 503 (`request-log-unavailable`).
    request_log: Literal["written", "unavailable"]
    #: Log lines that this process could not write.
    lost_log_lines: int
    status: Literal["ready"] = "ready"


async def livez() -> HttpResponse:
    """Check that the process is alive.

    Does no I/O. Restart the process if it does not respond.
    """
    return json_response(200, Alive())


async def readyz() -> HttpResponse:
    """Check that the service is ready for requests.

    On 503, send the process no requests for now. `detail` says what is missing. Every request checks again; nothing is
    cached.
    """
    try:
        return json_response(200, await _ready(current.get()))
    except UnavailableError:
        raise Problem(NOT_READY, "Cannot reach the database") from None
    except DBAPIError:
        raise Problem(NOT_READY, "The database has no Itemledger schema: run `itemledger migrate`") from None


async def _ready(request: RequestContext) -> Ready:
    services = request.services
    if not services.writer.alive:
        raise Problem(NOT_READY, "The writer accepts no commands: the service is stopping")
    try:
        await services.writer.check()
    except EventStoreError as error:
        raise Problem(NOT_READY, f"Writes fail: {error}{_reason(error)}") from None
    # A downgrade to nothing leaves the table without a row.
    revision = next((row[0] for row in await services.database.read(_REVISION)), None)
    if revision != services.schema_head:
        detail = f"The database schema is at revision {revision or 'none'}, but this version needs"
        raise Problem(NOT_READY, f"{detail} {services.schema_head}: run `itemledger migrate`")
    if foreign := await foreign_projections(services.database, PROJECTIONS):
        raise Problem(
            NOT_READY, f"This version of the service does not have {', '.join(foreign)}: a newer one has taken over"
        )
    if faults := await services.database.read_transaction(triggers.faults):
        detail = f"History is not protected, its triggers are not in place: {', '.join(faults)}. Run"
        raise Problem(NOT_READY, f"{detail} `itemledger verify log`, then `itemledger migrate`")
    statuses = await projection_statuses(services.database, PROJECTIONS)
    if faulty := [status for status in statuses if not status.current]:
        rebuilds = await rebuild_requests.find_latest(services.database)
        running = services.rebuild_jobs.started | {
            name for name in rebuilds if rebuilds[name].state in rebuild_requests.ACTIVE
        }
        raise Problem(NOT_READY, "; ".join(_fault(status, running) for status in faulty))
    positions = {status.projection.name: status.log_position for status in statuses}
    request_log: Literal["written", "unavailable"] = "written" if logs.is_writable() else "unavailable"
    return Ready(statuses[0].log_position, positions, revision, request_log, logs.lost_lines())


def _reason(error: EventStoreError) -> str:
    """Return what SQLite says of an error. PostgreSQL's and the system's messages can contain addresses."""
    cause = error.__cause__
    cause = cause.orig if isinstance(cause, DBAPIError) else cause
    return f" (SQLite: {cause})" if isinstance(cause, sqlite3.Error) else ""


def _fault(status: ProjectionStatus, running: Set[str]) -> str:
    """Return what is wrong with a projection's table, and what repairs it."""
    name, version = status.projection.name, status.projection.version
    fault = f"{name} is at version {status.table_version}, this version of the service has {version}"
    if status.table_version is None:
        fault = f"{name} is not built"
    if not status.outdated:
        return f"{fault}: a newer one has taken over"
    return f"{fault}: it is being rebuilt" if name in running else f"{fault}: run `itemledger rebuild {name}`"


_READY = (
    "Ready: the database responds, its schema has the revision that this version needs and the triggers that protect "
    "the history, the writer accepts commands, "
    "the last write succeeded or the database accepts writes again, and every projection has this version's table"
)
_EXAMPLES = load("ops")
_READY_ANSWER = Answer(200, _READY, Ready, example=_EXAMPLES["ready"])
_route = partial(Route, "GET", tag="operations", scope=Unscoped.OPEN)

ROUTES = [
    _route("/livez", livez, answers=(Answer(200, "Alive", Alive, example=_EXAMPLES["alive"]),)),
    _route("/readyz", readyz, answers=(_READY_ANSWER,), problems=(NOT_READY,)),
]
