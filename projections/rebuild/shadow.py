"""A projection's table in the making, beside the live one: what a run of a rebuild does to it, a transaction each.

Every transaction moves the checkpoint in `rebuilds` along with what it writes, and fails where another run took over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from sqlalchemy import Connection, func, select

from eventstore.database import table_swap
from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.database.session import allow_async_commit, disable_statement_timeout
from eventstore.log import log
from projections.projection import Projection, checkpoints
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild_state import OvertakenError, Rebuild, RebuildCancelledError
from projections.rebuild.replay import Folded, write
from projections.rebuild.replay_checkpoint import ReplayCheckpoint


class Shadow:
    """The shadow table of `projection`, as one run fills it."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.table = table_swap.shadow_of(projection.table, f"{projection.table.name}_rebuild")
        self.cursor = ReplayCheckpoint()
        self._run = token_hex(8)

    def begin(self, connection: Connection, *, from_scratch: bool) -> Rebuild:
        """Take it over as it was left, or make it; give what is known of the rebuild now.

        Where this very run has begun before, and lost the database, it goes on; it may turn out to have succeeded.
        """
        with self._transaction(connection):
            disable_statement_timeout(connection)
            table_swap.drop(connection, table_swap.retired_name(self.projection.table))
            before = rebuild_state.find(connection, self.projection.name)
            again = before if before and before.run == self._run else None
            if again and again.state == "succeeded":
                return again
            resumed = before if before and (again or not from_scratch) and self._is_usable(connection, before) else None
            if not resumed:
                table_swap.drop(connection, self.table.name)
                table_swap.create(connection, self.projection.table, self.table)
            head, now = log.head_position(connection), rebuild_state.now()
            self.cursor = resumed.cursor if resumed else ReplayCheckpoint.start(self.projection, head)
            rebuild = Rebuild(
                name=self.projection.name,
                run=self._run,
                version=self.projection.version,
                state="running",
                phase="fill",
                cursor=self.cursor,
                target=head,
                rate=0.0,
                started_at=again.started_at if again else now,
                updated_at=now,
                cancelled=bool(again and again.cancelled),
                failure=None,
                report=before.report if before else None,
            )
            rebuild_state.put(connection, rebuild)
        return rebuild

    def _is_usable(self, connection: Connection, before: Rebuild) -> bool:
        return (
            before.version == self.projection.version
            and table_swap.exists(connection, self.table.name)
            and set(table_swap.column_names(connection, self.table.name)) == set(self.table.columns.keys())
        )

    def write(self, connection: Connection, folded: Folded, rate: float) -> int:
        """Write a chunk, and give the log's position at that moment. `rate`: events a second, for those who watch."""
        with self._transaction(connection):
            allow_async_commit(connection)
            write(connection, self.table, folded)
            target = log.head_position(connection)
            self.note(connection, cursor=folded.cursor, target=target, rate=rate)
        self.cursor = folded.cursor
        return target

    def index(self, connection: Connection) -> bool:
        """Give it one more index of the live table, once it is filled; tell whether there was one that it lacked."""
        with self._transaction(connection):
            disable_statement_timeout(connection)
            return table_swap.index(connection, self.projection.table, self.table)

    def count(self, connection: Connection) -> int:
        """Give the number of its rows."""
        return int(connection.execute(select(func.count()).select_from(self.table)).scalar_one())

    def swap_in(self, connection: Connection, position: int) -> None:
        """Make it the live table, within a transaction that holds the append lock; `position`: the log's."""
        name, version = self.projection.name, self.projection.version
        # A table that was not there before gets the rights that another projection's has.
        like = connection.scalar(select(checkpoints.c.name).order_by(checkpoints.c.name).limit(1))
        table_swap.swap_in(connection, self.projection.table, self.table, like=like)
        upsert(connection, checkpoints, [{"name": name, "version": version, "position": position}])

    def end(self, connection: Connection, *, drop: bool, **changes: object) -> None:
        """Note how the run ended; `drop` what is left of tables that nobody needs any more."""
        with self._transaction(connection):
            known = rebuild_state.find(connection, self.projection.name)
            if "state" in changes and known and known.state == "succeeded":
                return  # whoever stopped it was late
            disable_statement_timeout(connection)
            self.note(connection, **changes)
            if drop:
                table_swap.drop(connection, self.table.name)
                table_swap.drop(connection, table_swap.retired_name(self.projection.table))

    def enter(self, connection: Connection, phase: rebuild_state.Phase) -> None:
        """Note that a phase begins."""
        with self._transaction(connection):
            self.note(connection, phase=phase)

    async def why_stop(self, database: Database) -> Exception | None:
        """Give the reason why this run is to stop, if there is one: OvertakenError or RebuildCancelledError."""
        known = (await rebuild_state.find_all(database)).get(self.projection.name)
        if known is None or known.run != self._run:
            return OvertakenError()
        return RebuildCancelledError() if known.cancelled else None

    def note(self, connection: Connection, **changes: object) -> None:
        """Note what is new of this run, within a transaction. Raises OvertakenError."""
        rebuild_state.note(connection, self.projection.name, self._run, **changes)

    @staticmethod
    @contextmanager
    def _transaction(connection: Connection) -> Iterator[None]:
        """Begin a transaction and commit it; see failures.commit."""
        with connection.begin() as transaction:
            yield
            commit(transaction)
