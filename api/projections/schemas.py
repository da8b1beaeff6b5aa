"""What answers say of a projection."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from projections.checks import Check
from projections.projection_status import ProjectionStatus
from projections.rebuild.rebuild_state import Phase, Rebuild, Report, Sample, State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TableState = Annotated[
    Literal["live", "outdated", "not-built", "newer"],
    Meta(
        description="`live`: kept in step by this version of the service. `outdated`: made by an earlier one, kept in "
        "step as far as it goes, and to be rebuilt. `not-built`: not there yet, and to be rebuilt. `newer`: made by a "
        "later version, which this one can't write to"
    ),
]


class RebuildState(Struct, frozen=True):
    """The rebuild that runs, or the last one."""

    state: State
    phase: Phase
    position: Annotated[int, Meta(description="How many of the log's events are folded into the rebuilt table")]
    target: Annotated[int, Meta(description="Where the log was then")]
    progress: Annotated[float, Meta(ge=0, le=1, description="How much of the log is replayed")]
    rate: Annotated[float, Meta(ge=0, description="Events a second, lately")]
    eta_seconds: Annotated[float | None, Meta(description="Until the log is replayed, where it is being replayed")]
    started_at: datetime
    updated_at: datetime
    cancelled: Annotated[bool, Meta(description="Whether it was told to stop")]
    failure: Annotated[str | None, Meta(description="Why it failed, where it did")]


class DriftedRow(Struct, frozen=True):
    """A row that is not what the log says."""

    id: int
    values: Annotated[list[Sample], Meta(description="What differs; `rebuilt` is what the log says")]
    position: Annotated[int, Meta(description="Where the log was when it was found")]
    found_at: datetime


class CheckState(Struct, frozen=True):
    """The check in the background, which compares a few rows at a time with the log, again and again."""

    position: Annotated[int, Meta(description="How far through the log it has come in this round")]
    checked_at: datetime | None
    drifted: Annotated[list[DriftedRow], Meta(description="Rows that differ, until they don't any more")]
    more: Annotated[bool, Meta(description="Whether more rows differ than are named")]


class ProjectionState(Struct, frozen=True):
    """A read model: where its table stands beside the log, and how it was last rebuilt."""

    name: str
    version: Annotated[int, Meta(description="The version that this service has the code of")]
    table_version: Annotated[int | None, Meta(description="The version that the table is of, null where there is none")]
    state: TableState
    position: Annotated[int | None, Meta(description="The table is the fold of the events up to here")]
    log_position: int
    lag: Annotated[int | None, Meta(description="Events that the table is behind the log")]
    rebuild: RebuildState | None
    last_report: Annotated[Report | None, Meta(description="What the last rebuild that came to its end did and found")]
    check: Annotated[CheckState | None, Meta(description="Null where none was made yet")]


def shown(standing: ProjectionStatus, rebuild: Rebuild | None, check: Check | None) -> ProjectionState:
    """Make the body that shows where a projection stands, its last rebuild and what the check found, if there are."""
    return ProjectionState(
        name=standing.projection.name,
        version=standing.projection.version,
        table_version=standing.table_version,
        state=_state(standing),
        position=standing.position,
        log_position=standing.log_position,
        lag=None if standing.position is None else standing.log_position - standing.position,
        rebuild=None if rebuild is None else _shown(rebuild),
        last_report=None if rebuild is None else rebuild.report,
        check=None if check is None else _checked(check),
    )


def _state(standing: ProjectionStatus) -> Literal["live", "outdated", "not-built", "newer"]:
    if standing.table_version is None:
        return "not-built"
    if standing.outdated:
        return "outdated"
    return "live" if standing.current else "newer"


def _shown(rebuild: Rebuild) -> RebuildState:
    left = max(rebuild.target - rebuild.cursor.position, 0)
    replaying = rebuild.state == "running" and rebuild.rate > 0
    return RebuildState(
        state=rebuild.state,
        phase=rebuild.phase,
        position=rebuild.cursor.position,
        target=rebuild.target,
        progress=round(rebuild.cursor.position / rebuild.target, 4) if left else 1.0,
        rate=round(rebuild.rate, 1),
        eta_seconds=round(left / rebuild.rate, 1) if replaying else None,
        started_at=_time(rebuild.started_at),
        updated_at=_time(rebuild.updated_at),
        cancelled=rebuild.cancelled,
        failure=rebuild.failure,
    )


def _checked(check: Check) -> CheckState:
    drifted = [DriftedRow(one.id, one.values, one.position, _time(one.found_at)) for one in check.findings]
    checked_at = _time(check.checked_at) if check.checked_at else None
    return CheckState(check.position, checked_at, drifted, check.more)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
