"""Who changes history: with all rights on the database, and all that this code knows of how the log is kept."""

from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.log import history
from eventstore.log.history import Filter
from eventstore.merkle import hashing
from migrations import triggers
from tests.eventstore.recording import execute

_UNGUARD = {
    "sqlite": [f"DROP TRIGGER IF EXISTS events_{name}" for name in ("no_update", "no_delete", "time")],
    "postgresql": ["ALTER TABLE events DISABLE TRIGGER ALL"],
}
_TABLES = ("events", "log_tiles", "log_head", "log_checkpoint")
_REHASH = text("UPDATE events SET leaf_hash = :hashed WHERE position = :at")
_TILE = text('INSERT INTO log_tiles (level, "index", hash) VALUES (:level, :index, :hashed)')
_HEAD = text("UPDATE log_head SET position = :size, recorded_at = :time, frontier = :frontier")


async def tamper(database: Database, *statements: str, covered_up: bool = False) -> None:
    """Run SQL with nothing in its way, as if there never had been a way: the triggers are as before.

    If asked for, make all hashes, the tree and the head fit what is there.
    """

    def work(connection: Connection) -> None:
        with connection.begin():
            for statement in (*_UNGUARD[connection.dialect.name], *statements):
                connection.execute(text(statement.replace(":", "\\:")))
            if covered_up:
                _cover_up(connection)
        triggers.restore(connection)

    await database.write(work)


async def keep(database: Database) -> None:
    """Keep a copy of the log as it is."""
    await execute(database, *(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in _TABLES))


async def restore(database: Database) -> None:
    """Put the log back as it was kept."""
    back = [(f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept_{name}") for name in _TABLES]
    await tamper(database, *(statement for pair in back for statement in pair))


def _cover_up(connection: Connection) -> None:
    events = list(history.read(connection, Filter(), 1_000_000))
    hashes = [hashing.leaf_hash(history.leaf(event)) for event in events]
    connection.execute(
        _REHASH, [{"at": event.position, "hashed": hashed} for event, hashed in zip(events, hashes, strict=True)]
    )
    frontier, tiles = hashing.append(0, (), hashes)
    connection.execute(text("DELETE FROM log_tiles"))
    if tiles:
        connection.execute(_TILE, [{"level": level, "index": at, "hashed": hashed} for level, at, hashed in tiles])
    last = events[-1]
    connection.execute(_HEAD, {"size": last.position, "time": last.recorded_at, "frontier": hashing.pack(frontier)})
