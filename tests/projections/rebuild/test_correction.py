"""A rebuild of the same version corrects rows: the table keeps all that an operator has put on it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from eventstore.database.bulk import copy_rows
from eventstore.database.database import Database
from projections import PROJECTIONS
from projections.items.items import ITEMS
from projections.projection import Projection
from projections.rebuild import rebuild_state, shadow
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import changed, created, execute, opened, record
from tests.support.fold import assert_log_and_projection_agree

#: What belongs to a table, apart from its rows.
_PUT_ON = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
    "postgresql": """
        SELECT 'table', CAST(oid AS text), relacl::text, relrowsecurity::text || relforcerowsecurity::text
            || concat(relreplident, reloptions, obj_description(oid)) FROM pg_class WHERE relname = 'items'
        UNION ALL SELECT 'column', attname, attacl::text,
            concat(col_description(attrelid, attnum), attstattarget) FROM pg_attribute
            WHERE attrelid = 'items'::regclass AND attnum > 0
        UNION ALL SELECT 'policy', polname, pg_get_expr(polqual, polrelid),
            concat(polcmd, polpermissive, polroles, pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
        UNION ALL SELECT 'index', indexname, indexdef, '' FROM pg_indexes WHERE tablename = 'items'
        UNION ALL SELECT 'published', pubname, tablename, concat(attnames, rowfilter) FROM pg_publication_tables
        UNION ALL SELECT 'trigger', tgname, tgenabled::text, '' FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'view', viewname, definition, '' FROM pg_views WHERE schemaname = current_schema()
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), '' FROM pg_constraint
            WHERE conrelid::regclass::text IN ('items', 'notes')
        ORDER BY 1, 2""",
}
OPERATORS = {
    "sqlite": [
        "CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 100000",
        "CREATE TABLE seen (id, price)",
        "CREATE TRIGGER noted AFTER UPDATE ON items BEGIN INSERT INTO seen VALUES (NEW.id, NEW.price); END",
        "CREATE INDEX by_stock ON items (in_stock, id)",
        "CREATE TABLE notes (item INTEGER REFERENCES items ON DELETE CASCADE)",
        "ALTER TABLE items ADD COLUMN shelf TEXT",
    ],
    "postgresql": [
        "CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 100000",
        "CREATE TABLE seen (id bigint, price bigint)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO seen VALUES (NEW.id, NEW.price); RETURN NULL; END $$",
        "CREATE TRIGGER noted AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE INDEX by_stock ON items (in_stock, id)",
        "CREATE TABLE notes (item bigint REFERENCES items ON DELETE CASCADE)",
        "ALTER TABLE items ADD COLUMN shelf text, ENABLE ROW LEVEL SECURITY, SET (fillfactor = 70)",
        "CREATE POLICY stocked ON items FOR SELECT USING (in_stock)",
        "GRANT SELECT (id, name) ON items TO PUBLIC",
        "COMMENT ON COLUMN items.price IS 'in ten-thousandths'",
        "CREATE PUBLICATION changes FOR TABLE items",
    ],
}
NOTED = ["INSERT INTO notes VALUES (3), (7)", "UPDATE items SET shelf = 'A' WHERE id IN (3, 7)"]
WRONG = ["UPDATE items SET price = 1 WHERE id = 7", "DELETE FROM items WHERE id = 9", "DELETE FROM seen"]
SURPLUS = "INSERT INTO items (id, name, price, in_stock, version, name_folded) VALUES (5000, 'x', 1, true, 1, 'x')"


def kind_of(database: Database) -> str:
    return database.url.get_backend_name()


async def put_on(database: Database) -> Sequence[Any]:
    """Read what belongs to the table of items, apart from its rows."""
    return [tuple(row) for row in await database.read(text(_PUT_ON[kind_of(database)]))]


async def read(database: Database, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.read(text(sql))]


async def fill(database: Database, items: int = 60) -> None:
    await record(database, [created(item) for item in range(1, items + 1)])
    await record(database, [changed(item, 2) for item in range(1, items + 1, 2)])


async def test_what_an_operator_put_on_the_table_stays(database: Database) -> None:
    await fill(database)
    await execute(database, *OPERATORS[kind_of(database)], *NOTED, *WRONG, SURPLUS)
    before = await put_on(database)
    report = await rebuild(database, ITEMS, Options())
    assert (report.rows_differ, report.rows_corrected, report.swapped) == (3, 3, False)
    assert await put_on(database) == before
    assert await read(database, "SELECT count(*) FROM cheap") == [(60,)]
    assert await read(database, "SELECT id, price FROM seen") == [(7, 20_000)]  # the trigger saw one update
    assert await read(database, "SELECT item FROM notes ORDER BY 1") == [(3,), (7,)]  # and no row was deleted
    assert await read(database, "SELECT id FROM items WHERE shelf = 'A' ORDER BY 1") == [(3,), (7,)]
    await assert_log_and_projection_agree(database)
    again = await rebuild(database, ITEMS, Options())
    assert (again.rows_differ, again.rows_corrected) == (0, 0)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
@pytest.mark.parametrize("page", [1, 7, 5_000])
async def test_a_table_without_any_right_row_is_corrected_page_by_page(
    database: Database, projection: Projection, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PAGE", page)
    await fill(database, 20)
    key = projection.table.primary_key.columns.keys()[0]
    rows = await read(database, f"SELECT * FROM {projection.name} ORDER BY 1")
    await execute(database, f"UPDATE {projection.name} SET {key} = {key} + 100000")
    report = await rebuild(database, projection, Options())
    assert report.rows_differ == report.rows_corrected == report.rows_compared == 2 * len(rows)
    assert await read(database, f"SELECT * FROM {projection.name} ORDER BY 1") == rows
    await assert_log_and_projection_agree(database)


async def test_readers_see_all_rows_wrong_or_all_rows_right(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    await execute(database, "UPDATE items SET price = 1")
    monkeypatch.setattr(shadow, "PAGE", 10)
    seen: list[list[tuple[Any, ...]]] = []
    loop = asyncio.get_running_loop()
    async with opened(database_url) as other:

        async def look() -> None:
            seen.append(await read(other, "SELECT count(*), sum(CASE price WHEN 1 THEN 1 ELSE 0 END) FROM items"))

        def copy_and_look(*arguments: Any) -> None:
            copy_rows(*arguments)
            if kind_of(database) == "postgresql":
                await_only(look())
            else:
                asyncio.run_coroutine_threadsafe(look(), loop).result()

        monkeypatch.setattr(shadow, "copy_rows", copy_and_look)
        await rebuild(database, ITEMS, Options())
        await look()
    assert seen == [[(60, 60)]] * 6 + [[(60, 0)]]


@pytest.mark.parametrize("damage", ["DROP INDEX ix_items_name_id", "ALTER TABLE items DROP COLUMN name_folded"])
async def test_a_table_that_lacks_an_index_or_a_column_is_replaced(database: Database, damage: str) -> None:
    await fill(database)
    await execute(database, damage)
    report = await rebuild(database, ITEMS, Options())
    assert (report.swapped, report.rows_corrected) == (True, 0)
    assert not (await rebuild(database, ITEMS, Options())).swapped


async def test_a_correction_that_the_database_refuses_changes_nothing_and_names_the_reason(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PAGE", 1)
    await fill(database)
    await execute(database, "UPDATE items SET price = id", "CREATE UNIQUE INDEX one_price ON items (price)")
    before = await read(database, "SELECT * FROM items ORDER BY 1")
    with pytest.raises(IntegrityError):
        await rebuild(database, ITEMS, Options())
    assert await read(database, "SELECT * FROM items ORDER BY 1") == before
    known = (await rebuild_state.find_all(database))["items"]
    assert known.state == "failed"
    assert known.failure is not None
    assert "items.price" in known.failure or "one_price" in known.failure
    await execute(database, "DROP INDEX one_price")
    await rebuild(database, ITEMS, Options())
    await assert_log_and_projection_agree(database)
