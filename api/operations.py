"""The routes of those who run the service: is it alive, can it do its work."""

from typing import Literal

from msgspec import Struct
from sqlalchemy import select, text, true
from sqlalchemy.exc import DBAPIError

from api.context import Services, current
from api.problems import NOT_READY, Problem
from api.reply import Reply, json_reply
from api.routing import Answer, Route
from eventstore.errors import UnavailableError
from eventstore.tables import log_head
from projections import PROJECTIONS
from projections.projection import checkpoints

_REVISION = text("SELECT version_num FROM alembic_version")
#: One statement, so that both positions are of one moment.
_POSITIONS = select(log_head.c.position.label("log_position"), checkpoints.c.name, checkpoints.c.position).join_from(
    log_head,
    checkpoints,
    true(),
    isouter=True,  # a log without a checkpoint is still a row
)


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


async def livez() -> Reply:
    """Tell that the process runs, without any I/O."""
    return json_reply(200, Alive())


async def readyz() -> Reply:
    """Tell whether the service can do its work, and if not why."""
    try:
        return json_reply(200, await _ready(current.get().services))
    except UnavailableError:
        raise Problem(NOT_READY, "The database can't be reached") from None
    except DBAPIError:
        raise Problem(NOT_READY, "The database has no schema of ours") from None


async def _ready(services: Services) -> Ready:
    if not services.writer.alive:
        raise Problem(NOT_READY, "The writer takes no commands: the service is stopping")
    # After a downgrade to nothing the table is there, without a row.
    revision = next((row[0] for row in await services.database.read(_REVISION)), None)
    if revision != services.schema_head:
        raise Problem(
            NOT_READY,
            f"The schema is at {revision or 'nothing'}, not at {services.schema_head}: run `itemledger migrate`",
        )
    rows = await services.database.read(_POSITIONS)
    log_position = rows[0].log_position
    reached = {row.name: row.position for row in rows if row.name is not None}
    names = [projection.name for projection in PROJECTIONS]
    behind = [f"{name} is at {reached.get(name, 'nothing')}" for name in names if reached.get(name) != log_position]
    if behind:
        raise Problem(NOT_READY, f"The log is at {log_position}, but {', '.join(behind)}")
    return Ready(log_position, reached, revision)


ROUTES = [
    Route(
        "GET",
        "/livez",
        livez,
        summary="Is the process alive?",
        description="Without any I/O: where it is not answered, restart the process.",
        tag="operations",
        answers=(Answer(200, "It is", Alive, example={"status": "alive"}),),
    ),
    Route(
        "GET",
        "/readyz",
        readyz,
        summary="Can the service do its work?",
        description="Where the answer is 503, send the process no requests for now; `detail` says what is missing. It "
        "looks each time, and keeps no answer.",
        tag="operations",
        answers=(
            Answer(
                200,
                "It can: the database answers, its schema is this version's, the writer takes commands, and every "
                "projection is where the log is",
                Ready,
                example={
                    "log_position": 42,
                    "projections": {"items": 42},
                    "schema_revision": "0003",
                    "status": "ready",
                },
            ),
        ),
        problems=(NOT_READY,),
    ),
]
