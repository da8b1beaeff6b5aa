"""The routes of `/projections`: show them, rebuild one, cancel a rebuild."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.auth.scopes import Scope
from api.edge.context import current
from api.edge.rate_limits import REBUILD
from api.edge.routing import Answer, Route
from api.http.problems import (
    OUTCOME_UNKNOWN,
    PROJECTION_NOT_FOUND,
    REBUILD_FAILED,
    REBUILD_NOT_RUNNING,
    REBUILD_RUNNING,
    STORAGE_FULL,
    Problem,
)
from api.http.responses import HttpResponse, json_response
from api.projections.rebuild_jobs import RebuildFailedError, RebuildRunningError
from api.projections.schemas import ProjectionState, to_projection
from projections import PROJECTIONS, verification_state
from projections.projection import Projection
from projections.projection_status import projection_statuses
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild import Options
from projections.verify import SNAPSHOTS

if TYPE_CHECKING:
    from api.services import Services

_PROJECTIONS = {projection.name: projection for projection in PROJECTIONS}


class RebuildQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The options of a rebuild."""

    from_scratch: Annotated[
        bool, Meta(description="Start from the beginning instead of resuming an interrupted rebuild", examples=[True])
    ] = False
    dry_run: Annotated[bool, Meta(description="Rebuild and compare, but do not swap the table in", examples=[True])] = (
        False
    )
    throttle: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | UnsetType,
        Meta(description="The highest number of events to replay per second", examples=[20_000]),
    ] = UNSET


async def list_projections() -> HttpResponse:
    """List the projections.

    For each, the table's version and position next to those of the code and the log, the running or last rebuild with
    its report, and the last scheduled verification.
    """
    return json_response(200, await _states(current.get().services, PROJECTIONS))


async def get_projection(name: str) -> HttpResponse:
    """Show one projection.

    During a rebuild, `rebuild` shows its progress; afterwards, `last_report` shows its result.
    """
    return await _state(200, _parse_name(name))


async def start_rebuild(name: str) -> HttpResponse:
    """Rebuild a projection from the log.

    Builds a new table next to the live one, compares them row by row, and swaps it in. Reads and writes continue
    meanwhile. Resumes an interrupted rebuild. Responds when the rebuild has started, or after 2 seconds. The resource
    in `Location` shows its progress, and at the end its report. The rebuild runs as a process of the service, with the
    service's rights. On PostgreSQL it needs the rights of the schema's owner: without them the response is 503
    (`rebuild-failed`), and an operator who has them must run `itemledger rebuild`.
    """
    projection = _parse_name(name)
    request = current.get()
    query: RebuildQuery = request.query
    throttle = None if query.throttle is UNSET else query.throttle
    try:
        await request.services.rebuild_jobs.start(name, Options(query.from_scratch, query.dry_run, throttle))
    except RebuildRunningError:
        raise Problem(REBUILD_RUNNING, f"{name} is already being rebuilt") from None
    except RebuildFailedError as error:
        raise Problem(REBUILD_FAILED, str(error)) from None
    return await _state(202, projection, (b"location", b"/projections/%s" % name.encode()))


async def cancel_rebuild(name: str) -> HttpResponse:
    """Cancel a rebuild.

    Any process can run it, on any machine. It stops within about a second, and its replayed events are discarded. The
    live table does not change. A rebuild that was about to finish may still succeed; `rebuild` of the projection shows
    which.
    """
    projection = _parse_name(name)
    database = current.get().services.database
    rebuild = (await rebuild_state.find_all(database)).get(name)
    if not rebuild or rebuild.state != "running" or not await database.write(partial(rebuild_state.cancel, name=name)):
        raise Problem(REBUILD_NOT_RUNNING, f"{name} is not being rebuilt")
    return await _state(202, projection)


async def _state(status: int, projection: Projection, *headers: tuple[bytes, bytes]) -> HttpResponse:
    [state] = await _states(current.get().services, [projection])
    return json_response(status, state, *headers)


async def _states(services: "Services", projections: Sequence[Projection]) -> list[ProjectionState]:
    rebuilds = await rebuild_state.find_all(services.database)
    verified = await verification_state.find_all(services.database)
    return [
        to_projection(status, rebuilds.get(name), verified.get(name), verified.get(SNAPSHOTS))
        for status in await projection_statuses(services.database, projections)
        for name in [status.projection.name]
    ]


def _parse_name(name: str) -> Projection:
    if name not in _PROJECTIONS:
        raise Problem(PROJECTION_NOT_FOUND, f"The projections are {', '.join(sorted(_PROJECTIONS))}")
    return _PROJECTIONS[name]


_NAME_SCHEMA = {
    "name": {
        "type": "string",
        "enum": sorted(_PROJECTIONS),
        "description": "The projection's name",
        "examples": ["items"],
    }
}
_EXAMPLES = json.loads(Path(__file__).with_name("examples.json").read_text())
_EXAMPLE = _EXAMPLES["projection"]
_RUNNING = {**_EXAMPLE, "rebuild": _EXAMPLES["running"], "last_report": None}
_CANCELLED = {**_RUNNING, "rebuild": {**_EXAMPLES["running"], "cancelled": True}}
_LINKS = {"name": "$response.body#/name"}

ROUTES = [
    Route(
        "GET",
        "/projections",
        list_projections,
        tag="operations",
        scope=Scope.PROJECTIONS_REBUILD,
        answers=(
            Answer(
                200,
                "Every projection of this version of the service",
                list[ProjectionState],
                (),
                [_EXAMPLE],
                links={"name": "$response.body#/0/name"},
            ),
        ),
        problems=(STORAGE_FULL,),
    ),
    Route(
        "GET",
        "/projections/{name}",
        get_projection,
        tag="operations",
        scope=Scope.PROJECTIONS_REBUILD,
        path_schemas=_NAME_SCHEMA,
        answers=(Answer(200, "The projection", ProjectionState, example=_EXAMPLE, links=_LINKS),),
        problems=(PROJECTION_NOT_FOUND, STORAGE_FULL),
    ),
    Route(
        "POST",
        "/projections/{name}/rebuild",
        start_rebuild,
        tag="operations",
        scope=Scope.PROJECTIONS_REBUILD,
        path_schemas=_NAME_SCHEMA,
        query=RebuildQuery,
        budget=REBUILD,
        answers=(
            Answer(
                202,
                "The rebuild has started, or has already ended",
                ProjectionState,
                ("Location",),
                _RUNNING,
                links=_LINKS,
            ),
        ),
        problems=(PROJECTION_NOT_FOUND, REBUILD_RUNNING, REBUILD_FAILED, STORAGE_FULL),
    ),
    Route(
        "DELETE",
        "/projections/{name}/rebuild",
        cancel_rebuild,
        tag="operations",
        scope=Scope.PROJECTIONS_REBUILD,
        path_schemas=_NAME_SCHEMA,
        answers=(
            Answer(
                202,
                "Its cancellation was requested",
                ProjectionState,
                (),
                _CANCELLED,
                links=_LINKS,
            ),
        ),
        problems=(PROJECTION_NOT_FOUND, REBUILD_NOT_RUNNING, OUTCOME_UNKNOWN, STORAGE_FULL),
    ),
]
