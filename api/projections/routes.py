"""The routes of `/projections`: show them, rebuild one, cancel a rebuild."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.auth.scopes import Scope
from api.edge.context import current
from api.edge.rate_limits import REBUILD
from api.edge.routing import Answer, Route
from api.http import problems
from api.http.problems import Problem
from api.http.responses import HttpResponse, json_response
from api.projections.rebuild_jobs import RebuildFailedError, RebuildRunningError
from api.projections.schemas import ProjectionState, to_projection
from api.schemas.examples import load
from projections import PROJECTIONS, verification_state
from projections.projection import Projection
from projections.projection_status import projection_statuses
from projections.rebuild import rebuild_requests
from projections.rebuild.rebuild import Options

_PROJECTIONS = {projection.name: projection for projection in PROJECTIONS}


class RebuildQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The options of a rebuild."""

    from_scratch: Annotated[
        bool, Meta(description="Start from the beginning instead of resuming an interrupted rebuild", examples=[True])
    ] = False
    dry_run: Annotated[bool, Meta(description="Rebuild and compare, without the swap", examples=[True])] = False
    throttle: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | UnsetType,
        Meta(description="The highest number of events to replay per second", examples=[20_000]),
    ] = UNSET


async def list_projections() -> HttpResponse:
    """List the projections.

    For each, the table's version and position next to those of the code and the log, the running or last rebuild with
    its report, and the last scheduled verification.
    """
    return json_response(200, await _bodies(PROJECTIONS))


async def get_projection(name: str) -> HttpResponse:
    """Show one projection.

    During a rebuild, `rebuild` shows its progress; afterwards, `last_report` shows its result.
    """
    return await _respond(200, _parse_name(name))


async def start_rebuild(name: str) -> HttpResponse:
    """Rebuild a projection from the log.

    Builds a new table next to the live one, compares them row by row, and swaps it in. Reads and writes continue
    meanwhile. Resumes an interrupted rebuild. Responds when the rebuild has begun, or after 2 seconds. From then on the
    resource in `Location` shows it, its progress, and at the end its report. The rebuild runs as a process of the
    service, with the service's rights. On PostgreSQL it needs the rights of the schema's owner: without them the
    response is 503 (`rebuild-failed`), and an operator who has them must run `itemledger rebuild`.
    """
    projection = _parse_name(name)
    request = current.get()
    query: RebuildQuery = request.query
    throttle = None if query.throttle is UNSET else query.throttle
    try:
        await request.services.rebuild_jobs.start(name, Options(query.from_scratch, query.dry_run, throttle))
    except RebuildRunningError:
        raise Problem(problems.REBUILD_RUNNING, f"{name} is already being rebuilt") from None
    except RebuildFailedError as error:
        raise Problem(problems.REBUILD_FAILED, str(error)) from None
    return await _respond(202, projection, (b"location", b"/projections/%s" % name.encode()))


async def cancel_rebuild(name: str) -> HttpResponse:
    """Cancel a rebuild.

    It may run in any process, on any machine. It stops within about a second and discards what it replayed; one that
    has not begun never runs. The live table does not change. A rebuild that was about to finish may still succeed;
    `rebuild` of the projection shows it.
    """
    projection = _parse_name(name)
    if not await current.get().services.rebuild_jobs.cancel(name):
        raise Problem(problems.REBUILD_NOT_RUNNING, f"{name} is not being rebuilt")
    return await _respond(202, projection)


async def _respond(status: int, projection: Projection, *headers: tuple[bytes, bytes]) -> HttpResponse:
    [body] = await _bodies([projection])
    return json_response(status, body, *headers)


async def _bodies(projections: Sequence[Projection]) -> list[ProjectionState]:
    database = current.get().services.database
    rebuilds = await rebuild_requests.find_latest(database)
    verifications = await verification_state.find_all(database)
    statuses = await projection_statuses(database, projections)
    return [to_projection(status, rebuilds, verifications) for status in statuses]


def _parse_name(name: str) -> Projection:
    if name not in _PROJECTIONS:
        raise Problem(problems.PROJECTION_NOT_FOUND, f"The projections are {', '.join(sorted(_PROJECTIONS))}")
    return _PROJECTIONS[name]


_EXAMPLES = load("projections")
_SHOWN = _EXAMPLES["projection"]
_RUNNING = {**_SHOWN, "rebuild": _EXAMPLES["running"], "last_report": None}
_CANCELLED_EXAMPLE = {**_RUNNING, "rebuild": {**_EXAMPLES["running"], "cancelled": True}}

_NAMES = {"type": "string", "enum": sorted(_PROJECTIONS), "description": "The projection's name", "examples": ["items"]}
_projection = partial(Answer, type=ProjectionState, links={"name": "$response.body#/name"})
_EVERY = "Every projection of this version of the service"
_LISTED = Answer(200, _EVERY, list[ProjectionState], (), [_SHOWN], links={"name": "$response.body#/0/name"})
_FOUND = _projection(200, "The projection", example=_SHOWN)
_STARTED = _projection(202, "It has started, or has already ended", headers=("Location",), example=_RUNNING)
_CANCELLED = _projection(202, "Its cancellation was requested", example=_CANCELLED_EXAMPLE)

_NOT_FOUND, _FULL = problems.PROJECTION_NOT_FOUND, problems.STORAGE_FULL
_GET_PROBLEMS = (_NOT_FOUND, _FULL)
_START_PROBLEMS = (_NOT_FOUND, problems.REBUILD_RUNNING, problems.REBUILD_FAILED, _FULL)
_CANCEL_PROBLEMS = (_NOT_FOUND, problems.REBUILD_NOT_RUNNING, _FULL)

_operation = partial(Route, tag="operations", scope=Scope.PROJECTIONS_REBUILD)
_named = partial(_operation, path_schemas={"name": _NAMES})
_start = partial(_named, query=RebuildQuery, rate_limit=REBUILD)
_REBUILD = "/projections/{name}/rebuild"

ROUTES = [
    _operation("GET", "/projections", list_projections, answers=(_LISTED,), problems=(_FULL,)),
    _named("GET", "/projections/{name}", get_projection, answers=(_FOUND,), problems=_GET_PROBLEMS),
    _start("POST", _REBUILD, start_rebuild, answers=(_STARTED,), problems=_START_PROBLEMS),
    _named("DELETE", _REBUILD, cancel_rebuild, answers=(_CANCELLED,), problems=_CANCEL_PROBLEMS),
]
