"""A table of another version is replaced: what was put on it is put on the new one, or is named before the replay."""

import pytest
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.errors import ObstacleError
from projections.items.items import ITEMS
from projections.rebuild import rebuild_state
from projections.rebuild.compare import Comparison
from projections.rebuild.rebuild import Options, Progress, rebuild
from projections.rebuild.shadow import Shadow
from tests.eventstore.recording import changed, created, execute, record
from tests.projections.rebuild.test_correction import kind_of, put_on, read
from tests.support.fold import assert_log_and_projection_agree
from tests.support.rebuilding import OF_ANOTHER_VERSION

#: A column that only the older version has.
OLDER = ("ALTER TABLE items ADD COLUMN shelf text", *OF_ANOTHER_VERSION)
PROPERTIES = {
    "sqlite": [
        "CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 100000",
        "CREATE TABLE seen (id, price)",
        "CREATE TRIGGER noted AFTER UPDATE ON items WHEN NEW.price > 0 "
        "BEGIN INSERT INTO seen VALUES (NEW.id, NEW.price); END",
        "CREATE INDEX by_stock ON items (in_stock, id) WHERE price > 5",
        'CREATE UNIQUE INDEX "odd ""name"" ON x (" ON items (name, id)',
    ],
    "postgresql": [
        "CREATE INDEX by_stock ON items (in_stock, id) WHERE price > 5",
        'CREATE UNIQUE INDEX "odd ""name"" USING x (" ON items USING btree (lower(name), id DESC)',
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "ALTER TABLE items SET (fillfactor = 70, toast.autovacuum_enabled = false)",
        "ALTER TABLE items ALTER COLUMN name SET STATISTICS 500",
        "CREATE POLICY everyone ON items USING (true) WITH CHECK (version > 0)",
        'CREATE POLICY "cheap ones" ON items AS RESTRICTIVE FOR SELECT TO CURRENT_USER, pg_monitor '
        "USING (price < (SELECT max(other.price) FROM items other WHERE other.name <> '%d: ''x''' OR items.id > 0))",
        "GRANT SELECT (id, name) ON items TO PUBLIC",
        "GRANT UPDATE (price) ON items TO pg_monitor WITH GRANT OPTION",
        "GRANT SELECT ON items TO pg_monitor",
        "COMMENT ON TABLE items IS 'what there is: 100 %'",
        "COMMENT ON COLUMN items.price IS 'in ten-thousandths'",
        "CREATE PUBLICATION changes FOR TABLE items",
        "CREATE PUBLICATION new_items FOR TABLE items (id, price) WHERE (id > 3) WITH (publish = 'insert')",
        "ALTER TABLE items REPLICA IDENTITY FULL",
    ],
}
#: What cannot stay, how it is made, and by which words it is named.
OBSTACLES = {
    "sqlite": {
        "foreign key": (["CREATE TABLE notes (item INTEGER REFERENCES items)"], ["foreign key of table notes"]),
        "view": (["CREATE VIEW shelves AS SELECT shelf FROM items"], ["view shelves", "no such column: shelf"]),
        "trigger": (
            ["CREATE TRIGGER moved AFTER UPDATE ON items BEGIN UPDATE items SET shelf = 'B' WHERE id = NEW.id; END"],
            ["trigger moved", "no such column: shelf"],
        ),
        "index": (["CREATE INDEX by_shelf ON items (shelf)"], ["index by_shelf"]),
    },
    "postgresql": {
        "foreign key": (
            ["CREATE TABLE notes (item bigint REFERENCES items)"],
            ["constraint notes_item_fkey on table notes"],
        ),
        "view": (["CREATE VIEW cheap AS SELECT id FROM items"], ["view cheap"]),
        "materialized view": (["CREATE MATERIALIZED VIEW cheap AS SELECT id FROM items"], ["materialized view cheap"]),
        "rule": (["CREATE RULE kept AS ON DELETE TO items DO INSTEAD NOTHING"], ["rule kept on table items"]),
        "trigger": (
            [
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
                "CREATE TRIGGER noted BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION note()",
            ],
            ["trigger noted on table items"],
        ),
        "check": (["ALTER TABLE items ADD CONSTRAINT cheap CHECK (price < 1e9)"], ["constraint cheap on table items"]),
        "default": (
            ["ALTER TABLE items ALTER price SET DEFAULT 7, ALTER shelf SET DEFAULT 'A'"],
            ["default value for column price"],
        ),
        "function": (
            ["CREATE FUNCTION first_item() RETURNS items LANGUAGE sql AS 'SELECT NULL::items'"],
            ["function first_item()"],
        ),
        "policy": (["CREATE POLICY shelved ON items USING (shelf = 'A')"], ["policy shelved on table items"]),
        "index": (["CREATE INDEX by_shelf ON items (shelf)"], ["index by_shelf"]),
        "statistics": (["CREATE STATISTICS together ON name, price FROM items"], ["statistics object together"]),
        "publication": (
            ["CREATE PUBLICATION changes FOR TABLE items (id, shelf)"],
            ["publication of table items in publication changes"],
        ),
        "child": (["CREATE TABLE rare () INHERITS (items)"], ["table rare"]),
    },
}
CASES = [(kind, name) for kind, found in OBSTACLES.items() for name in found]


async def fill(database: Database) -> None:
    await record(database, [created(item) for item in range(1, 21)])
    await record(database, [changed(item, 2) for item in range(1, 21, 2)])


async def test_what_belongs_to_the_table_is_put_on_the_new_one(database: Database) -> None:
    await fill(database)
    await execute(database, *PROPERTIES[kind_of(database)])
    before = await put_on(database)
    for _ in range(2):
        await execute(database, *OF_ANOTHER_VERSION)
        assert (await rebuild(database, ITEMS, Options())).swapped
        assert _same_names(await put_on(database)) == _same_names(before)
        await record(database, [changed(2, (await _version(database)) + 1)])
    if kind_of(database) == "sqlite":
        assert await read(database, "SELECT count(*) FROM cheap") == [(20,)]
        assert await read(database, "SELECT id FROM seen") == [(2,), (2,)]
    await assert_log_and_projection_agree(database)


def _same_names(found: object) -> object:
    """Leave out the table's identity, and the turn of the code's indexes on SQLite."""
    return [
        tuple(str(value).replace("_id_b", "_id") for value in (*row[:1], *(row[1:] if row[0] != "table" else row[2:])))
        for row in found  # type: ignore[attr-defined]
    ]


async def _version(database: Database) -> int:
    return int((await read(database, "SELECT version FROM items WHERE id = 2"))[0][0])


@pytest.mark.parametrize(("database_url", "obstacle"), CASES, indirect=["database_url"])
async def test_what_would_be_lost_or_broken_is_named_before_the_replay_begins(
    database: Database, obstacle: str
) -> None:
    statements, words = OBSTACLES[kind_of(database)][obstacle]
    await fill(database)
    await execute(database, *OLDER, *statements)
    before, rows = await put_on(database), await read(database, "SELECT * FROM items ORDER BY 1")
    told: list[Progress] = []
    with pytest.raises(ObstacleError) as refused:
        await rebuild(database, ITEMS, Options(), told.append)
    for word in words:
        assert word in str(refused.value)
    assert "then create them again" in str(refused.value)
    assert (told, await rebuild_state.find_all(database)) == ([], {})
    assert await put_on(database) == before
    assert await read(database, "SELECT * FROM items ORDER BY 1") == rows


async def test_what_appears_during_the_replay_is_refused_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    await execute(database, *OLDER)
    (statement,), words = OBSTACLES[kind_of(database)]["view"]
    go_live = Shadow.go_live

    def create_view_and_go_live(
        shadow: Shadow, connection: Connection, comparison: Comparison | None, *, swap: bool
    ) -> None:
        connection.exec_driver_sql(statement)
        go_live(shadow, connection, comparison, swap=swap)

    monkeypatch.setattr(Shadow, "go_live", create_view_and_go_live)
    with pytest.raises(ObstacleError, match=words[0]):
        await rebuild(database, ITEMS, Options())
    known = (await rebuild_state.find_all(database))["items"]
    assert (known.state, words[0] in str(known.failure)) == ("failed", True)
    monkeypatch.undo()
    assert (await rebuild(database, ITEMS, Options())).swapped
    await assert_log_and_projection_agree(database)
