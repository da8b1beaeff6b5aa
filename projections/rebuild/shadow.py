"""A projection's shadow table, next to the live one: the transactions of one run of a rebuild on it.

Every transaction updates the replay checkpoint in `rebuilds` along with its writes, and fails if another run took over.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from secrets import token_hex

from sqlalchemy import Connection, select

from eventstore.clock import now
from eventstore.database import table_swap
from eventstore.database.bulk import copy_rows
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.database.session import allow_async_commit, disable_statement_timeout
from eventstore.log.head import head_position
from projections.projection import Projection, projections_table, remove, set_version
from projections.rebuild import rebuild_requests, rebuild_state
from projections.rebuild.compare import Comparison
from projections.rebuild.fingerprint import fingerprint
from projections.rebuild.rebuild_state import OvertakenError, Rebuild, RebuildCancelledError
from projections.rebuild.replay import Folded, write
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from projections.rebuild.table_reader import PAGE


class Shadow:
    """The shadow table of `projection`, as one run fills it."""

    def __init__(self, projection: Projection, request: str | None = None) -> None:
        """Take the run from a `request`, if it was requested; see `rebuild_requests.py`."""
        self.projection = projection
        self.table = table_swap.shadow_of(projection.table, f"{projection.table.name}_rebuild")
        self.cursor = ReplayCheckpoint()
        self._is_requested = request is not None
        self._run = request or token_hex(8)
        self._code = fingerprint(projection)

    def begin(self, connection: Connection, *, from_scratch: bool) -> Rebuild:
        """Take over the table of an interrupted run of the same code, or create it; return the rebuild's state.

        If this very run began before, and lost the database, it resumes; it may turn out to have succeeded. A run that
        failed may have left wrong rows, and so may other code: their table is discarded. Raises ObstacleError.
        """
        with self._transaction(connection):
            disable_statement_timeout(connection)
            table_swap.drop(connection, table_swap.retired_name(self.projection.table))
            if self.is_to_replace(connection):
                table_swap.check_replaceable(connection, self.projection.table)
            before = rebuild_state.find(connection, self.projection.name)
            same_run = before if before and before.run == self._run else None
            if same_run and same_run.state == "succeeded":
                return same_run
            if not same_run:
                rebuild_requests.take(connection, self.projection.name, self._run, requested=self._is_requested)
            may_resume = before and (same_run or not from_scratch) and self._is_usable(connection, before)
            resumed = before if may_resume else None
            if not resumed:
                table_swap.drop(connection, self.table.name)
                table_swap.create(connection, self.projection.table, self.table)
            head, begun = head_position(connection), now()
            self.cursor = resumed.cursor if resumed else ReplayCheckpoint(base=head)
            rebuild = Rebuild(
                name=self.projection.name,
                run=self._run,
                version=self.projection.version,
                code=self._code,
                state="running",
                phase="fill",
                cursor=self.cursor,
                target=head,
                rate=0.0,
                started_at=same_run.started_at if same_run else begun,
                updated_at=begun,
                cancelled=bool(same_run and same_run.cancelled),
                failure=None,
                report=before.report if before else None,
            )
            rebuild_state.put(connection, rebuild)
        return rebuild

    def _is_usable(self, connection: Connection, before: Rebuild) -> bool:
        return (
            before.state in ("running", "interrupted")
            and before.version == self.projection.version
            and before.code == self._code
            and table_swap.exists(connection, self.table.name)
            and set(table_swap.column_names(connection, self.table.name)) == set(self.table.columns.keys())
        )

    def write(self, connection: Connection, folded: Folded, rate: float) -> int:
        """Write a chunk, and return the log's position then. `rate`: events a second, to be shown."""
        with self._transaction(connection):
            allow_async_commit(connection)
            write(connection, self.table, folded)
            target = head_position(connection)
            self.note(connection, cursor=folded.cursor, target=target, rate=rate)
        self.cursor = folded.cursor
        return target

    def is_to_replace(self, connection: Connection) -> bool:
        """Return whether it has to replace the live table: that is of another version, missing, or not as defined."""
        of_projection = projections_table.c.name == self.projection.name
        version = connection.scalar(select(projections_table.c.version).where(of_projection))
        return version != self.projection.version or not table_swap.is_as_defined(connection, self.projection.table)

    def index(self, connection: Connection) -> bool:
        """Create one more index on it, if it is to replace the live table; return whether one was missing."""
        with self._transaction(connection):
            disable_statement_timeout(connection)
            return self.is_to_replace(connection) and table_swap.index(connection, self.projection.table, self.table)

    def go_live(self, connection: Connection, comparison: Comparison | None, *, swap: bool) -> None:
        """Make its rows those that clients see, within a transaction that holds the locks."""
        disable_statement_timeout(connection)
        if swap:
            self._swap_in(connection)
        elif comparison is not None:
            self._correct(connection, comparison)

    def _correct(self, connection: Connection, comparison: Comparison) -> None:
        """Correct the rows that differ. The table keeps all that was put on it: policies, publications, triggers."""
        live = self.projection.table
        for keys in _pages(comparison.surplus):
            remove(connection, live, keys)
        for keys in _pages(comparison.differing):
            copy_rows(connection, self.table, live, keys)

    def _swap_in(self, connection: Connection) -> None:
        name, version = self.projection.name, self.projection.version
        while table_swap.index(connection, self.projection.table, self.table):
            pass  # there is nothing left to do, unless the live table was changed since the indexes were built
        # A projection's first table gets the rights of another projection's table.
        model = select(projections_table.c.name).order_by(projections_table.c.name).limit(1)
        table_swap.swap_in(connection, self.projection.table, self.table, like=connection.scalar(model))
        set_version(connection, name, version)

    def update(self, connection: Connection, *, drop: bool = False, **changes: object) -> None:
        """Store changes of this run's state; `drop` the tables that are no longer needed."""
        with self._transaction(connection):
            known = rebuild_state.find(connection, self.projection.name)
            if "state" in changes and known and known.state == "succeeded":
                return  # it was stopped too late
            disable_statement_timeout(connection)
            self.note(connection, **changes)
            if drop:
                table_swap.drop(connection, self.table.name)
                table_swap.drop(connection, table_swap.retired_name(self.projection.table))

    async def why_stop(self, database: Database) -> Exception | None:
        """Return OvertakenError or RebuildCancelledError if this run must stop."""
        known = (await rebuild_state.find_all(database)).get(self.projection.name)
        if known is None or known.run != self._run:
            return OvertakenError()
        return RebuildCancelledError() if known.cancelled else None

    def note(self, connection: Connection, **changes: object) -> None:
        """Store changes of this run's state, within a transaction. Raises OvertakenError."""
        rebuild_state.note(connection, self.projection.name, self._run, **changes)

    @staticmethod
    @contextmanager
    def _transaction(connection: Connection) -> Iterator[None]:
        """Begin a transaction and commit it; see failures.commit."""
        with connection.begin() as transaction:
            yield
            commit(transaction)


def _pages(keys: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(keys)
    while page := list(islice(rest, PAGE)):
        yield page
