"""Look-ups run over few connections of their own, which can't write. A silent or lost one is not used again."""

import asyncio
import re

import pytest
from sqlalchemy import literal, make_url, select, text

from eventstore.database.database import Database
from eventstore.database.lookups import Lookups, Rows
from eventstore.database.prepared import Prepared
from eventstore.errors import UnavailableError
from tests.eventstore.recording import opened
from tests.support.postgres import PostgresServer

#: Runs for minutes, unless it is stopped.
SLOW = {
    "sqlite": text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"),
    "postgresql": text("SELECT pg_sleep(300)"),
}
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def dialect_of(database: Database) -> str:
    return database.reader.dialect.name


async def look_up(database: Database, number: int = 7) -> Rows:
    prepared = Prepared(select(literal(number).label("number")), dialect_of(database))
    return [tuple(row) for row in await database.look_up(prepared, {})]


async def test_look_ups_share_as_many_connections_as_run_at_once(database: Database) -> None:
    for _ in range(3):
        assert await look_up(database) == [(7,)]
    assert len(database._lookups._idle) == 1
    await asyncio.gather(*[look_up(database) for _ in range(2)])
    await look_up(database)
    assert len(database._lookups._idle) == 2


async def test_a_connection_that_is_slow_is_not_used_again(database: Database) -> None:
    await look_up(database)
    (first,) = database._lookups._idle
    slow = asyncio.create_task(database.look_up(Prepared(SLOW[dialect_of(database)], dialect_of(database)), {}))
    await asyncio.sleep(0.05)
    assert await look_up(database) == [(7,)]
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await look_up(database) == [(7,)]
    assert first not in database._lookups._idle
    assert len(database._lookups._idle) == 1


async def test_a_look_up_cannot_write(database: Database) -> None:
    prepared = Prepared(text("DELETE FROM items"), dialect_of(database))
    with pytest.raises(UnavailableError) as refused:
        await database.look_up(prepared, {})
    assert re.search("readonly|read-only", str(refused.value.__cause__))
    assert await look_up(database) == [(7,)]


@on_postgresql
async def test_a_look_up_survives_the_loss_of_idle_connections(
    database: Database, database_url: str, postgres_server: PostgresServer
) -> None:
    await asyncio.gather(*[look_up(database) for _ in range(2)])
    where = f"datname = '{make_url(database_url).database}'"
    for together in (1, 2):
        postgres_server.execute(f"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE {where}")
        assert await asyncio.gather(*[look_up(database) for _ in range(together)]) == [[(7,)]] * together


async def test_a_database_that_is_down_is_unavailable() -> None:
    with PostgresServer() as server:
        async with opened(server.create_database()) as database:
            await look_up(database)
            server.stop("immediate")
            for _ in range(2):  # first over a connection that was lost, then over none
                with pytest.raises(UnavailableError):
                    await look_up(database)


class Lost:
    """A connection that is lost without notice."""

    usable = True

    def __init__(self) -> None:
        self.uses = 0
        self.ends: list[str] = []
        self.error: Exception | None = None

    async def fetch(self, text: str, arguments: object) -> Rows:
        self.uses += 1
        if self.error is not None:
            raise self.error
        return [(1,)]

    async def discard(self) -> None:
        self.ends.append("discarded")

    async def close(self) -> None:
        self.ends.append("closed")


async def test_a_look_up_runs_again_where_an_idle_connection_was_lost_but_not_after_other_errors() -> None:
    opened: list[Lost] = []

    async def connect() -> Lost:
        opened.append(Lost())
        return opened[-1]

    lookups = Lookups(connect)
    assert await lookups.fetch("", []) == [(1,)]
    opened[0].error = ConnectionResetError()
    assert await lookups.fetch("", []) == [(1,)]
    assert [len(opened), opened[0].ends] == [2, ["discarded"]]
    opened[1].error = fault = ValueError("a fault of the statement")
    fault.sqlstate = "42P01"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="a fault"):
        await lookups.fetch("", [])
    assert [len(opened), opened[1].ends] == [2, ["discarded"]]
    assert await lookups.fetch("", []) == [(1,)]
    await lookups.close()
    assert opened[2].ends == ["closed"]
