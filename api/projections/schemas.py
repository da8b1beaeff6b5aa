"""The JSON bodies of the resource `/projections`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from projections.items.items import ITEMS
from projections.projection_status import ProjectionStatus
from projections.rebuild.rebuild_state import Phase, Rebuild, Report, Sample, State
from projections.verification_state import Verification
from projections.verify import SNAPSHOTS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TableState = Annotated[
    Literal["live", "outdated", "not-built", "newer"],
    Meta(
        description="`live`: the table has the version of this service, and every write updates it. `outdated`: an "
        "earlier version built it; writes update the columns it has; rebuild it. `not-built`: the table is missing; "
        "rebuild it. `newer`: a later version built it, and this service cannot write to it"
    ),
]


class RebuildState(Struct, frozen=True):
    """The running rebuild, or the last one."""

    state: Annotated[
        State,
        Meta(
            description="`starting`: it was requested, and its process has not begun. `interrupted`: its process ended "
            "before the rebuild did; the next one resumes it"
        ),
    ]
    phase: Phase
    position: Annotated[int, Meta(description="Events of the log that are folded into the rebuilt table")]
    target: Annotated[int, Meta(description="The log's position then")]
    progress: Annotated[float, Meta(ge=0, le=1, description="The replayed fraction of the log")]
    rate: Annotated[float, Meta(ge=0, description="Events per second, recently")]
    eta_seconds: Annotated[float | None, Meta(description="Until the log is replayed; null where no replay runs")]
    started_at: datetime
    updated_at: datetime
    cancelled: Annotated[bool, Meta(description="Whether its cancellation was requested")]
    failure: Annotated[str | None, Meta(description="Why it failed or was interrupted; null where it was not")]


class VerificationState(Struct, frozen=True):
    """The last scheduled verification: every row compared with a fold of the whole log."""

    finished_at: datetime
    position: Annotated[int | None, Meta(description="The log's position then; null where nothing could be compared")]
    rows_compared: int
    rows_differ: int
    problems: Annotated[list[str], Meta(description="What is wrong apart from rows, for example a missing column")]
    samples: Annotated[
        list[Sample], Meta(description="Values that differ; `rebuilt` is the value according to the log")
    ]


class ProjectionState(Struct, frozen=True):
    """A read model: its table's position relative to the log, its last rebuild and its last verification."""

    name: str
    version: Annotated[int, Meta(description="The version in the code of this service")]
    table_version: Annotated[int | None, Meta(description="The version that built the table; null if there is none")]
    state: TableState
    position: Annotated[int | None, Meta(description="The table is the fold of the events up to this position")]
    log_position: int
    lag: Annotated[int | None, Meta(description="Events by which the table is behind the log")]
    rebuild: RebuildState | None
    last_report: Annotated[Report | None, Meta(description="The report of the last rebuild that completed")]
    verification: Annotated[VerificationState | None, Meta(description="Null until the first one finishes")]
    snapshots: Annotated[VerificationState | None, Meta(description="The same for snapshots; null except on `items`")]


def to_projection(
    status: ProjectionStatus, rebuilds: Mapping[str, Rebuild], verifications: Mapping[str, Verification]
) -> ProjectionState:
    """Build the body for one projection; `rebuilds` and `verifications` are those of all, by name."""
    name = status.projection.name
    rebuild = rebuilds.get(name)
    return ProjectionState(
        name=name,
        version=status.projection.version,
        table_version=status.table_version,
        state=_state(status),
        position=status.position,
        log_position=status.log_position,
        lag=None if status.position is None else status.log_position - status.position,
        rebuild=None if rebuild is None else _to_rebuild(rebuild, status.log_position),
        last_report=None if rebuild is None else rebuild.report,
        verification=_to_verification(verifications.get(name)),
        snapshots=_to_verification(verifications.get(SNAPSHOTS)) if status.projection is ITEMS else None,
    )


def _state(status: ProjectionStatus) -> Literal["live", "outdated", "not-built", "newer"]:
    if status.table_version is None:
        return "not-built"
    if status.outdated:
        return "outdated"
    return "live" if status.current else "newer"


def _to_rebuild(rebuild: Rebuild, log_position: int) -> RebuildState:
    target = rebuild.target or log_position  # one that has not begun knows none
    remaining = max(target - rebuild.cursor.position, 0)
    replaying = rebuild.state == "running" and rebuild.rate > 0
    return RebuildState(
        state=rebuild.state,
        phase=rebuild.phase,
        position=rebuild.cursor.position,
        target=target,
        progress=round(rebuild.cursor.position / target, 4) if remaining else 1.0,
        rate=round(rebuild.rate, 1),
        eta_seconds=round(remaining / rebuild.rate, 1) if replaying else None,
        started_at=_time(rebuild.started_at),
        updated_at=_time(rebuild.updated_at),
        cancelled=rebuild.cancelled,
        failure=rebuild.failure,
    )


def _to_verification(verification: Verification | None) -> VerificationState | None:
    if verification is None:
        return None
    verdict = verification.verdict
    found = (verdict.position, verdict.rows_compared, verdict.rows_differ, verdict.problems, verdict.samples)
    return VerificationState(_time(verification.finished_at), *found)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
