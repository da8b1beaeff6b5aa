"""A table as an earlier version of the code left it: each request is answered from its columns, or with 503."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import Column, Connection, MetaData, Table, insert, select, text

from projections import PROJECTIONS
from projections.items.items import ITEMS
from projections.projection import Projection
from projections.rebuild.rebuild import Options, rebuild
from tests.support.clients.http import check_problem
from tests.support.fold import assert_log_and_projection_agree
from tests.support.rebuilding import OF_ANOTHER_VERSION
from tests.support.service import InProcess

#: What clients read from tables. In the lists of the past, other requests change nothing.
PATHS = [
    *("/items/1", "/items/6", "/items/2"),
    *(f"/items?{query}" for query in ("limit=1", "sort=-name", "sort=price&min_price=1", "in_stock=true", "name=PEN")),
    "/activity",
    *(f"/audit/items?as_of={query}" for query in ("3", "5&sort=name", "6&sort=-price&max_price=9", "6&name=pe")),
    *("/audit/items/1", "/audit/items/1?as_of=2", "/events", "/projections"),
]
SEARCHES = {"/items?name=PEN", "/audit/items?as_of=6&name=pe"}
PAST_LISTS = {path for path in PATHS if path.startswith("/audit/items?")}


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[InProcess]:
    """The service with a small history, in which every table has rows."""
    async with InProcess.over(database_url) as running:
        for name in ("Pen", "Ink", "Pad"):
            assert (await running.client.post("/items", json={"name": name, "price": 1.5})).status_code == 201
        assert (await running.client.patch("/items/1", json={"price": 2})).status_code == 200
        assert (await running.client.delete("/items/2")).status_code == 204
        assert (await running.client.post("/items", json={"name": "New", "price": 3})).status_code == 201
        yield running


async def make_older(service: InProcess, projection: Projection, lacking: str | None = None) -> None:
    """Leave the table as an earlier version had it, which had no column `lacking`."""

    def work(connection: Connection) -> None:
        with connection.begin():
            if lacking is not None:
                _drop_column(connection, projection.table, lacking)
            lower, tell = OF_ANOTHER_VERSION
            connection.execute(text(f"{lower} WHERE name = '{projection.name}'"))
            connection.execute(text(tell))

    async with service.owner() as owner:
        await owner.write(work)


def _drop_column(connection: Connection, table: Table, name: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ALTER TABLE {table.name} DROP COLUMN {name}"))
        return
    # SQLite drops no column that an index or a check uses.
    columns = [
        Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable) for c in table.c if c.name != name
    ]
    older = Table("older", MetaData(), *columns)
    older.create(connection)
    connection.execute(insert(older).from_select(older.c.keys(), select(*(table.c[c.name] for c in columns))))
    connection.execute(text(f"DROP TABLE {table.name}"))
    connection.execute(text(f"ALTER TABLE older RENAME TO {table.name}"))


async def swap(service: InProcess, projection: Projection) -> None:
    """Rebuild the table as the schema's owner does."""
    async with service.owner() as owner:
        assert (await rebuild(owner, projection, Options())).swapped


async def read(service: InProcess) -> dict[str, httpx.Response]:
    return {path: await service.client.get(path) for path in PATHS}


async def write(service: InProcess) -> str:
    """Create, change, delete and restore items; return the path of one, after a read of it was answered right."""
    client = service.client
    created = await client.post("/items", json={"name": "Nib", "price": 7})
    assert created.status_code == 201, created.text
    path = created.headers["location"]
    changed = await client.patch(path, json={"price": 8}, headers={"if-match": created.headers["etag"]})
    assert changed.status_code == 200, changed.text
    assert (await client.delete(path, headers={"if-match": changed.headers["etag"]})).status_code == 204
    restored = await client.post(f"{path}/restore")
    assert restored.status_code == 200, restored.text
    assert (await client.post("/items/batch", json=[{"name": "A", "price": 1}] * 2)).status_code == 201
    shown = await client.get(path)
    if shown.status_code == 200:
        assert (shown.json(), shown.headers["etag"]) == (restored.json(), restored.headers["etag"])
    return str(path)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
async def test_without_any_column_each_request_is_answered_rightly_or_with_503(
    service: InProcess, projection: Projection
) -> None:
    for column in (column.name for column in projection.table.c if not column.primary_key):
        expected = await read(service)
        await make_older(service, projection, column)
        unanswered = set()
        for path, answer in (await read(service)).items():
            if answer.status_code == expected[path].status_code:
                assert path == "/projections" or answer.json() == expected[path].json() or answer.status_code == 404
                continue
            problem = check_problem(answer, 503, "projection-not-ready")
            assert projection.name in problem["detail"]
            assert answer.headers["retry-after"] == "5"
            unanswered.add(path)
        if column == "name_folded":
            assert unanswered == (SEARCHES if projection is ITEMS else SEARCHES & PAST_LISTS)
        elif projection is ITEMS:
            assert unanswered
            assert not unanswered & {"/activity", "/audit/items/1", "/audit/items/1?as_of=2", "/events"}
        else:
            assert unanswered <= ({"/activity"} if projection.name == "activity" else PAST_LISTS)
        path = await write(service)
        await swap(service, projection)
        assert (await service.client.get(path)).json()["price"] == 8
    assert {answer.status_code for answer in (await read(service)).values()} == {200, 404}
    await assert_log_and_projection_agree(service.services.database)


async def test_an_entity_tag_has_the_version_of_the_table_and_changes_with_it(service: InProcess) -> None:
    client, path = service.client, "/items/1"
    await make_older(service, ITEMS)
    await write(service)  # the process learns of it
    before = (await client.get(path)).headers["etag"]
    assert before == f'"{ITEMS.version - 1}.2"'
    assert (await client.get(path, headers={"if-none-match": before})).status_code == 304
    changed = await client.patch(path, json={"name": "Quill"}, headers={"if-match": before})
    assert (changed.status_code, changed.headers["etag"]) == (200, f'"{ITEMS.version - 1}.3"')
    await swap(service, ITEMS)
    after = await client.get(path, headers={"if-none-match": changed.headers["etag"]})
    assert (after.status_code, after.headers["etag"]) == (200, f'"{ITEMS.version}.3"')
    again = await client.patch(path, json={"name": "Nib"}, headers={"if-match": after.headers["etag"]})
    assert (again.status_code, again.headers["etag"]) == (200, f'"{ITEMS.version}.4"')
    for tag in (before, f'"{ITEMS.version - 1}.4"'):
        refused = await client.patch(path, json={"name": "Ink"}, headers={"if-match": tag})
        check_problem(refused, 412, "precondition-failed")


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
@pytest.mark.parametrize("dropped", [True, False])
async def test_a_table_that_is_not_built_yet_is_reported_and_writes_go_on(
    service: InProcess, projection: Projection, dropped: bool
) -> None:
    async with service.owner() as owner:
        statements = [f"DELETE FROM projections WHERE name = '{projection.name}'", *OF_ANOTHER_VERSION[1:]]
        statements += [f"DROP TABLE {projection.name}"] if dropped else []
        await owner.write(lambda connection: _execute(connection, statements))
    codes = {answer.status_code for answer in (await read(service)).values()}
    assert codes <= {200, 404, 503}
    assert 503 in codes
    path = await write(service)
    await swap(service, projection)
    assert (await service.client.get(path)).json()["price"] == 8
    await assert_log_and_projection_agree(service.services.database)


def _execute(connection: Connection, statements: list[str]) -> None:
    with connection.begin():
        for statement in statements:
            connection.execute(text(statement))


async def test_writes_are_refused_with_the_reason_where_an_older_table_needs_a_column_that_is_unknown(
    service: InProcess,
) -> None:
    async with service.owner() as owner:
        statements = ["ALTER TABLE items ADD COLUMN colour text NOT NULL DEFAULT 'red'", *OF_ANOTHER_VERSION]
        await owner.write(lambda connection: _execute(connection, statements))
        await write(service)  # with a default it needs nothing
        await owner.write(lambda connection: _execute(connection, _WITHOUT_DEFAULT[connection.dialect.name]))
    problem = check_problem(await service.client.post("/items", json={"name": "Ink", "price": 1}), 503, "not-ready")
    assert "items needs colour; run `itemledger rebuild items`" in problem["detail"]
    assert (await service.client.get("/items/1")).status_code == 200
    await swap(service, ITEMS)
    await write(service)


_WITHOUT_DEFAULT = {
    "postgresql": ["ALTER TABLE items ALTER COLUMN colour DROP DEFAULT", OF_ANOTHER_VERSION[1]],
    "sqlite": [
        "CREATE TABLE older (id INTEGER PRIMARY KEY, name, price, in_stock, version, name_folded, colour NOT NULL)",
        "INSERT INTO older SELECT * FROM items",
        "DROP TABLE items",
        "ALTER TABLE older RENAME TO items",
        OF_ANOTHER_VERSION[1],
    ],
}
