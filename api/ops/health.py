"""The routes of those who run the service: is it alive, can it do its work."""

from collections.abc import Set
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.auth.scopes import Unscoped
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.problems import NOT_READY, Problem
from api.http.responses import HttpResponse, json_response
from eventstore.errors import UnavailableError
from projections import PROJECTIONS
from projections.projection_status import ProjectionStatus, projection_statuses
from projections.rebuild import rebuild_state

if TYPE_CHECKING:
    from api.app import Services

_REVISION = text("SELECT version_num FROM alembic_version")


class Alive(Struct, frozen=True):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(Struct, frozen=True):
    """The service can do its work."""

    log_position: int
    #: How far each projection has come.
    projections: dict[str, int]
    schema_revision: str
    status: Literal["ready"] = "ready"


async def livez() -> HttpResponse:
    """Is the process alive?.

    Without any I/O: where it is not answered, restart the process.
    """
    return json_response(200, Alive())


async def readyz() -> HttpResponse:
    """Can the service do its work?.

    Where the answer is 503, send the process no requests for now; `detail` says what is missing. It looks each
    time, and keeps no answer.
    """
    try:
        return json_response(200, await _ready(current.get().services))
    except UnavailableError:
        raise Problem(NOT_READY, "The database can't be reached") from None
    except DBAPIError:
        raise Problem(NOT_READY, "The database has no schema of ours") from None


async def _ready(services: "Services") -> Ready:
    if not services.writer.alive:
        raise Problem(NOT_READY, "The writer takes no commands: the service is stopping")
    # After a downgrade to nothing the table is there, without a row.
    revision = next((row[0] for row in await services.database.read(_REVISION)), None)
    if revision != services.schema_head:
        raise Problem(
            NOT_READY,
            f"The schema is at {revision or 'nothing'}, not at {services.schema_head}: run `itemledger migrate`",
        )
    found = await projection_statuses(services.database, PROJECTIONS)
    if wrong := [standing for standing in found if not standing.current or standing.position != standing.log_position]:
        known = await rebuild_state.find_all(services.database)
        running = services.rebuild_jobs.started | {name for name in known if known[name].state == "running"}
        raise Problem(NOT_READY, "; ".join(_obstacle(standing, running) for standing in wrong))
    reached = {standing.projection.name: standing.log_position for standing in found}
    return Ready(found[0].log_position, reached, revision)


def _obstacle(standing: ProjectionStatus, running: Set[str]) -> str:
    """Say what is wrong with a projection's table, and what is done about it, or can be."""
    name, version = standing.projection.name, standing.projection.version
    if standing.current:
        return f"{name} is at position {standing.position}, and the log at {standing.log_position}"
    fault = f"{name} is at version {standing.table_version}, this version of the service has {version}"
    if standing.table_version is None:
        fault = f"{name} is not built"
    if not standing.outdated:
        return f"{fault}: a newer one has taken over"
    return f"{fault}: it is being rebuilt" if name in running else f"{fault}: run `itemledger rebuild {name}`"


ROUTES = [
    Route(
        "GET",
        "/livez",
        livez,
        tag="operations",
        scope=Unscoped.OPEN,
        answers=(Answer(200, "It is", Alive, example={"status": "alive"}),),
    ),
    Route(
        "GET",
        "/readyz",
        readyz,
        tag="operations",
        scope=Unscoped.OPEN,
        answers=(
            Answer(
                200,
                "It can: the database answers, its schema is this version's, the writer takes commands, and every "
                "projection is this version's and where the log is",
                Ready,
                example={
                    "log_position": 42,
                    "projections": {"items": 42, "activity": 42, "item_versions": 42},
                    "schema_revision": "v0001",
                    "status": "ready",
                },
            ),
        ),
        problems=(NOT_READY,),
    ),
]
