"""A projection's table in the making, beside the live one: what a run of a rebuild does to it, a transaction each.

Every transaction moves the checkpoint in `rebuilds` along with what it writes, and fails where another run took over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from sqlalchemy import Connection, func, select

from eventstore import log, replacement
from eventstore.database import Database
from eventstore.dialect import careless, unhurried, upsert
from eventstore.failures import commit
from projections import rebuilds
from projections.cursor import Cursor
from projections.projection import Projection, checkpoints
from projections.rebuilds import OvertakenError, Rebuild, RebuildCancelledError
from projections.replay import Folded, write


class Shadow:
    """The shadow table of `projection`, as one run fills it."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.table = replacement.shadow_of(projection.table, f"{projection.table.name}_rebuild")
        self.cursor = Cursor()
        self._run = token_hex(8)

    def begin(self, connection: Connection, *, from_scratch: bool) -> Rebuild:
        """Take it over as it was left, or make it; give what is known of the rebuild now.

        Where this very run has begun before, and lost the database, it goes on; it may turn out to have succeeded.
        """
        with self._transaction(connection):
            unhurried(connection)
            replacement.drop(connection, replacement.leftover_of(self.projection.table))
            before = rebuilds.find(connection, self.projection.name)
            again = before if before and before.run == self._run else None
            if again and again.state == "succeeded":
                return again
            resumed = before if before and (again or not from_scratch) and self._is_usable(connection, before) else None
            if not resumed:
                replacement.drop(connection, self.table.name)
                replacement.create(connection, self.projection.table, self.table)
            head, now = log.head_position(connection), rebuilds.now()
            self.cursor = resumed.cursor if resumed else Cursor.start(self.projection, head)
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
            rebuilds.put(connection, rebuild)
        return rebuild

    def _is_usable(self, connection: Connection, before: Rebuild) -> bool:
        return (
            before.version == self.projection.version
            and replacement.exists(connection, self.table.name)
            and set(replacement.column_names(connection, self.table.name)) == set(self.table.columns.keys())
        )

    def write(self, connection: Connection, folded: Folded, rate: float) -> int:
        """Write a chunk, and give the log's position at that moment. `rate`: events a second, for those who watch."""
        with self._transaction(connection):
            careless(connection)
            write(connection, self.table, folded)
            target = log.head_position(connection)
            self.note(connection, cursor=folded.cursor, target=target, rate=rate)
        self.cursor = folded.cursor
        return target

    def index(self, connection: Connection) -> bool:
        """Give it one more index of the live table, once it is filled; tell whether there was one that it lacked."""
        with self._transaction(connection):
            unhurried(connection)
            return replacement.index(connection, self.projection.table, self.table)

    def count(self, connection: Connection) -> int:
        """Give the number of its rows."""
        return int(connection.execute(select(func.count()).select_from(self.table)).scalar_one())

    def put_in_place(self, connection: Connection, position: int) -> None:
        """Make it the live table, within a transaction that holds the append lock; `position`: the log's."""
        name, version = self.projection.name, self.projection.version
        # A table that was not there before gets the rights that another projection's has.
        like = connection.scalar(select(checkpoints.c.name).order_by(checkpoints.c.name).limit(1))
        replacement.put_in_place(connection, self.projection.table, self.table, like=like)
        upsert(connection, checkpoints, [{"name": name, "version": version, "position": position}])

    def end(self, connection: Connection, *, drop: bool, **changes: object) -> None:
        """Note how the run ended; `drop` what is left of tables that nobody needs any more."""
        with self._transaction(connection):
            known = rebuilds.find(connection, self.projection.name)
            if "state" in changes and known and known.state == "succeeded":
                return  # whoever stopped it was late
            unhurried(connection)
            self.note(connection, **changes)
            if drop:
                replacement.drop(connection, self.table.name)
                replacement.drop(connection, replacement.leftover_of(self.projection.table))

    def enter(self, connection: Connection, phase: rebuilds.Phase) -> None:
        """Note that a phase begins."""
        with self._transaction(connection):
            self.note(connection, phase=phase)

    async def why_stop(self, database: Database) -> Exception | None:
        """Give the reason why this run is to stop, if there is one: OvertakenError or RebuildCancelledError."""
        known = (await rebuilds.find_all(database)).get(self.projection.name)
        if known is None or known.run != self._run:
            return OvertakenError()
        return RebuildCancelledError() if known.cancelled else None

    def note(self, connection: Connection, **changes: object) -> None:
        """Note what is new of this run, within a transaction. Raises OvertakenError."""
        rebuilds.note(connection, self.projection.name, self._run, **changes)

    @staticmethod
    @contextmanager
    def _transaction(connection: Connection) -> Iterator[None]:
        """Begin a transaction and commit it; see failures.commit."""
        with connection.begin() as transaction:
            yield
            commit(transaction)
