"""The check in the background: whether rows have drifted from the log, a few at a time, again and again."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.log import log
from projections import checks
from projections.checks import Check, Finding
from projections.projection import Projection, projections_table
from projections.projection_status import projection_statuses
from projections.rebuild.rebuild_state import now
from projections.sampling import Sampler, Seen, sampler

#: The lock that the process that checks holds.
LOCK = "check"
#: Rows of one projection that are named. If more differ, it is not a row that needs mending.
_NAMED = 20


class News(Struct, frozen=True):
    """What has become known in a step."""

    projection: str
    #: `drifted`: a row is not what the log says. `right`: it is again. `more`: so many differ that not all are named.
    kind: Literal["drifted", "right", "more"]
    finding: Finding | None


class DriftCheck:
    """Checks the tables of `projections`, one part a step. Let one process at a time do so: whoever holds LOCK."""

    def __init__(self, database: Database, projections: Sequence[Projection]) -> None:
        self._database = database
        self._projections = projections
        self._samplers: dict[str, Sampler] = {}
        self._known: dict[str, Check] = {}

    async def resume(self) -> None:
        """Go on from what another process, or an earlier run, has left. Raises UnavailableError."""
        found = await checks.find_all(self._database)
        for projection in self._projections:
            known = found.get(projection.name)
            if known is None or known.version != projection.version:
                known = Check(projection.name, projection.version)
            self._known[projection.name] = known
            self._samplers.setdefault(projection.name, sampler(projection, known.position))

    async def step(self) -> list[News]:
        """Look at the next rows of each table that this version of the code has made, and tell what is new.

        Raises UnavailableError, OutcomeUnknownError, and what a fold raises for events that it can't read.
        """
        news: list[News] = []
        for standing in await projection_statuses(self._database, self._projections):
            if standing.current:
                seen = await self._database.read_transaction(self._looking(standing.projection))
                if seen is not None:
                    news += self._note(standing.projection.name, seen)
        await self._database.write(lambda connection: checks.put(connection, self._known.values()))
        return news

    def _looking(self, projection: Projection) -> Callable[[Connection], Seen | None]:
        again = [finding.id for finding in self._known[projection.name].findings]

        def look(connection: Connection) -> Seen | None:
            table_swap.lock_table_shared(connection, projection.table.name)
            here = select(projections_table.c.version, projections_table.c.position).where(
                projections_table.c.name == projection.name
            )
            standing = connection.execute(here).one_or_none()
            if standing is None or tuple(standing) != (projection.version, log.head_position(connection)):
                return None  # there is nothing to compare with, and whoever appends will say so
            return self._samplers[projection.name].step(connection, again)

        return look

    def _note(self, name: str, seen: Seen) -> list[News]:
        before = self._known[name]
        known = {finding.id: finding for finding in before.findings}
        gone = [finding for key, finding in known.items() if key in seen.compared and key not in seen.differing]
        new = [Finding(key, seen.differing[key], seen.position, now()) for key in sorted(seen.differing.keys() - known)]
        findings = [
            msgspec.structs.replace(finding, values=seen.differing.get(finding.id, finding.values))
            for finding in before.findings
            if finding not in gone
        ]
        room = _NAMED - len(findings)
        more = len(new) > room or (before.more and room <= 0)
        self._known[name] = msgspec.structs.replace(
            before, position=seen.position, checked_at=now(), findings=[*findings, *new[:room]], more=more
        )
        news = [News(name, "right", finding) for finding in gone]
        news += [News(name, "drifted", finding) for finding in new[:room]]
        return [*news, News(name, "more", None)] if more and not before.more else news
