"""The routes of projections: where they stand, rebuild one, stop that."""

from collections.abc import Sequence
from functools import partial
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
from api.projections.schemas import ProjectionState, shown
from projections import PROJECTIONS, checks
from projections.projection import Projection
from projections.projection_status import projection_statuses
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild import Options

if TYPE_CHECKING:
    from api.app import Services

_PROJECTIONS = {projection.name: projection for projection in PROJECTIONS}


class RebuildQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to rebuild."""

    from_scratch: Annotated[
        bool, Meta(description="Start anew, whatever an interrupted rebuild has left", examples=[True])
    ] = False
    dry_run: Annotated[bool, Meta(description="Do all but put the rebuilt table in place", examples=[True])] = False
    throttle: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | UnsetType,
        Meta(description="Replay no more events a second than this", examples=[20_000]),
    ] = UNSET


async def list_projections() -> HttpResponse:
    """Where the projections stand.

    Each with the version and the position of its table, beside the log's and the code's, its rebuild that runs or
    the last one, and what the last one found.
    """
    return json_response(200, await _states(current.get().services, PROJECTIONS))


async def get_projection(name: str) -> HttpResponse:
    """Where one projection stands.

    While it is rebuilt, `rebuild` says how far that is; after that, `last_report` what was found.
    """
    return await _state(200, _parse_name(name))


async def start_rebuild(name: str) -> HttpResponse:
    """Rebuild a projection from the log.

    A table is filled beside the one that serves, compared with it row by row, and put in its place. Reads and
    writes go on meanwhile. A rebuild that was interrupted is gone on with. The answer comes when it is under way,
    or after 2 seconds; the resource in `Location` shows how it goes, and in the end its report. A process of the
    service does it, with the rights of the service. On PostgreSQL it takes those of the schema's owner: where the
    service lacks them this is answered 503 (`rebuild-failed`), and `itemledger rebuild` is run by who has them.
    """
    projection = _parse_name(name)
    request = current.get()
    query: RebuildQuery = request.query
    throttle = None if query.throttle is UNSET else query.throttle
    try:
        await request.services.rebuild_jobs.start(name, Options(query.from_scratch, query.dry_run, throttle))
    except RebuildRunningError:
        raise Problem(REBUILD_RUNNING, f"{name} is being rebuilt already") from None
    except RebuildFailedError as error:
        raise Problem(REBUILD_FAILED, str(error)) from None
    return await _state(202, projection, (b"location", b"/projections/%s" % name.encode()))


async def cancel_rebuild(name: str) -> HttpResponse:
    """Stop a rebuild.

    Whichever process runs it, on whichever machine: it stops within a second or so, and what it has replayed is
    given up. The table that serves stays as it is. Where it was about to end it may yet succeed; `rebuild` of the
    projection shows which.
    """
    projection = _parse_name(name)
    database = current.get().services.database
    known = (await rebuild_state.find_all(database)).get(name)
    if not known or known.state != "running" or not await database.write(partial(rebuild_state.cancel, name=name)):
        raise Problem(REBUILD_NOT_RUNNING, f"{name} is not being rebuilt")
    return await _state(202, projection)


async def _state(status: int, projection: Projection, *headers: tuple[bytes, bytes]) -> HttpResponse:
    [state] = await _states(current.get().services, [projection])
    return json_response(status, state, *headers)


async def _states(services: "Services", projections: Sequence[Projection]) -> list[ProjectionState]:
    known = await rebuild_state.find_all(services.database)
    checked = await checks.find_all(services.database)
    found = await projection_statuses(services.database, projections)
    names = (standing.projection.name for standing in found)
    return [shown(standing, known.get(name), checked.get(name)) for standing, name in zip(found, names, strict=True)]


def _parse_name(name: str) -> Projection:
    if name not in _PROJECTIONS:
        raise Problem(PROJECTION_NOT_FOUND, f"There are {', '.join(sorted(_PROJECTIONS))}")
    return _PROJECTIONS[name]


_NAME_SCHEMA = {
    "name": {
        "type": "string",
        "enum": sorted(_PROJECTIONS),
        "description": "The projection's name",
        "examples": ["items"],
    }
}
_REPORT = {
    "projection": "items",
    "version": 2,
    "position": 1_000_000,
    "events": 1_000_000,
    "rate": 103_000,
    "seconds": {"fill": 9.709, "index": 2.02, "compare": 3.1, "swap": 0.004},
    "rows": 812_000,
    "rows_compared": 812_000,
    "rows_differ": 1,
    "samples": [{"id": 42, "column": "price", "live": 100, "rebuilt": 245_000}],
    "columns_added": [],
    "columns_dropped": [],
    "compared_at": 1_000_000,
    "digest_live": "bb3df25b4fe6eb6d2a3a16be5d0a0f4a6d7d9ab3b26f9b6b4c4c6a9a1d3c8e57",
    "digest_rebuilt": "0d1e5c0a9a2b9d54c7c9ac6c0b4d3f1fba0b5a5f17d9d0a8b1a7a2c6c1f0e9d3",
    "lock_held_ms": 9.1,
    "swapped": True,
}
_RUNNING = {
    "state": "running",
    "phase": "fill",
    "position": 250_000,
    "target": 1_000_000,
    "progress": 0.25,
    "rate": 100_000.0,
    "eta_seconds": 7.5,
    "started_at": "2026-11-23T20:57:16.250000Z",
    "updated_at": "2026-11-23T20:57:18.750000Z",
    "cancelled": False,
    "failure": None,
}
_ENDED = {
    **_RUNNING,
    "state": "succeeded",
    "phase": "swap",
    "position": 1_000_000,
    "progress": 1.0,
    "eta_seconds": None,
}
_EXAMPLE = {
    "name": "items",
    "version": 2,
    "table_version": 2,
    "state": "live",
    "position": 1_000_000,
    "log_position": 1_000_000,
    "lag": 0,
    "rebuild": _ENDED,
    "last_report": _REPORT,
    "check": {
        "position": 600_000,
        "checked_at": "2026-11-23T20:57:20.000000Z",
        "drifted": [
            {
                "id": 42,
                "values": [{"id": 42, "column": "price", "live": 100, "rebuilt": 245_000}],
                "position": 1_000_000,
                "found_at": "2026-11-23T20:57:20.000000Z",
            }
        ],
        "more": False,
    },
}
_ITS_NAME = {"name": "$response.body#/name"}

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
                "Every projection that this version of the service has",
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
        answers=(Answer(200, "The projection", ProjectionState, example=_EXAMPLE, links=_ITS_NAME),),
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
        rate_limit=REBUILD,
        answers=(
            Answer(
                202,
                "It is under way, or over already",
                ProjectionState,
                ("Location",),
                {**_EXAMPLE, "rebuild": _RUNNING, "last_report": None},
                links=_ITS_NAME,
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
                "It was told to stop",
                ProjectionState,
                (),
                {**_EXAMPLE, "rebuild": {**_RUNNING, "cancelled": True}, "last_report": None},
                links=_ITS_NAME,
            ),
        ),
        problems=(PROJECTION_NOT_FOUND, REBUILD_NOT_RUNNING, OUTCOME_UNKNOWN, STORAGE_FULL),
    ),
]
