"""No room left for SQLite: writes say so, reads go on, nothing acknowledged is lost, and room made is room used."""

import asyncio
import resource
import sqlite3
from typing import Any

import httpx
from sqlalchemy import Connection, event, text

from eventstore.database.sqlite.database import SqliteDatabase
from tests.support.checks import assert_whole
from tests.support.clients.ledger import Ledger
from tests.support.clients.load import Answer, Client, ask, list_items
from tests.support.service import InProcess, serving

ROOM = 3 * 1024 * 1024  # bytes a file; SQLite empties its write-ahead log into the database only at 4 MiB
CLIENTS = 8
REFUSALS = 3  # that each client waits for


async def _write_until_refused(port: int, ledger: Ledger) -> list[Answer]:
    refusals: list[Answer] = []
    async with Client.connected(port) as client:
        while len(refusals) < REFUSALS:
            answer = await ledger.create(client)
            if answer.status != 201:
                refusals.append(answer)
    return refusals


async def test_without_room_for_its_files_writes_are_refused_and_reads_go_on(sqlite_url: str) -> None:
    ledger = Ledger()
    # Standard output is a file too, which must not reach the limit first.
    with serving(sqlite_url, environment={"ITEMLEDGER_LOG_LEVEL": "error"}) as server:
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (ROOM, most))
        refused = await asyncio.gather(*(_write_until_refused(server.port, ledger) for _ in range(CLIENTS)))
        assert len(ledger.created) > 50, "there was room to begin with"
        for answer in (answer for answers in refused for answer in answers):
            assert answer.status in (503, 507), answer
            assert answer.headers["content-type"] == "application/problem+json"
        ledger.check(await list_items(server.port))
        first = next(iter(ledger.created))
        assert (await ask(server.port, "GET", f"/items/{first}")).json() == ledger.created[first]

        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        async with Client.connected(server.port) as client:
            assert [(await ledger.create(client)).status for _ in range(10)] == [201] * 10
        ledger.check(await list_items(server.port))
        server.kill()
    with serving(sqlite_url) as server:
        ledger.check(await list_items(server.port))
    await assert_whole(sqlite_url)


async def test_a_full_database_answers_507_until_there_is_room(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url) as service:
        database = service.services.database
        assert isinstance(database, SqliteDatabase)
        [(pages,)] = await database.read(text("PRAGMA page_count"))
        limit = f"PRAGMA max_page_count={pages + 20}"
        # The setting is a connection's own, and the service takes a new one after a failure.
        event.listen(database._writer, "connect", connecting := lambda new, _: new.execute(limit).close())
        await database.write(lambda connection: _execute(connection, limit))
        answers = [await _create(service)]
        while answers[-1].status_code == 201:
            answers.append(await _create(service))
        assert len(answers) > 10, "there was room to begin with"
        _assert_full(answers[-1])
        listed = await service.client.get("/items?limit=1000")
        assert [item["id"] for item in listed.json()] == [answer.json()["id"] for answer in answers[:-1]]

        event.remove(database._writer, "connect", connecting)
        assert (await _create(service)).status_code == 201
    await assert_whole(sqlite_url)


class _FullAtCommit(sqlite3.Connection):
    """Finds no room when it writes a commit, which is where a full disk shows with a write-ahead log."""

    def commit(self) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


async def test_a_disk_that_is_full_at_the_commit_answers_507_and_not_that_the_outcome_is_unknown(
    sqlite_url: str,
) -> None:
    async with InProcess.over(sqlite_url) as service:
        database = service.services.database
        assert isinstance(database, SqliteDatabase)
        event.listen(database._writer, "do_connect", failing := _connect_to_a_full_disk)
        await database.write(lambda connection: database._disconnect())
        _assert_full(await _create(service))

        event.remove(database._writer, "do_connect", failing)
        assert (await _create(service)).json()["id"] == 1
    await assert_whole(sqlite_url)


def _connect_to_a_full_disk(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    options["factory"] = _FullAtCommit


def _execute(connection: Connection, sql: str) -> None:
    with connection.begin():
        connection.exec_driver_sql(sql)


async def _create(service: InProcess) -> httpx.Response:
    return await service.client.post("/items", json={"name": "x" * 255, "price": 1})


def _assert_full(answer: httpx.Response) -> None:
    assert answer.status_code == 507
    assert (answer.headers["content-type"], answer.json()["code"]) == ("application/problem+json", "storage-full")
