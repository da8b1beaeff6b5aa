"""A comparison counts each row once, in whichever table it is, and however often it is repeated."""

from sqlalchemy import Connection, MetaData

from eventstore.database.database import Database
from eventstore.log.write_set import RowChanges
from projections.items.items import items
from projections.rebuild.compare import Comparison
from tests.eventstore.recording import created, execute, record

_REBUILT = items.to_metadata(MetaData(), name="items_rebuild")


async def two_tables(database: Database, *of_rebuilt: str) -> None:
    """Create two tables of three rows, of which `of_rebuilt` changes one."""
    await record(database, [created(1), created(2), created(3)])
    await execute(database, "CREATE TABLE items_rebuild AS SELECT * FROM items", *of_rebuilt)


async def test_a_row_that_is_rechecked_again_and_again_counts_once(database: Database) -> None:
    await two_tables(database, "DELETE FROM items_rebuild WHERE id = 3")

    def compare(connection: Connection) -> None:
        comparison = Comparison(items, _REBUILT, items.c.keys(), 3)
        comparison.all(connection, RowChanges(), lambda: None)
        for _ in range(4):  # as each try to swap does
            assert (comparison.compared, list(comparison.differing), list(comparison.surplus)) == (3, [3], [3])
            assert (len(comparison.differing), len(comparison.surplus)) == (1, 1)
            comparison.recheck(connection, [2, 3])

    await database.read_transaction(compare)


async def test_rows_that_only_one_table_has_count_each(database: Database) -> None:
    await two_tables(database, "UPDATE items_rebuild SET id = id + 10 WHERE id > 1")

    def compare(connection: Connection) -> None:
        comparison = Comparison(items, _REBUILT, items.c.keys(), 3)
        comparison.all(connection, RowChanges(), lambda: None)
        assert (comparison.compared, list(comparison.differing)) == (5, [2, 3, 12, 13])
        assert list(comparison.surplus) == [2, 3]

    await database.read_transaction(compare)


async def test_a_row_that_is_right_when_it_is_rechecked_no_longer_differs(database: Database) -> None:
    await two_tables(database, "UPDATE items_rebuild SET price = 0 WHERE id = 2")

    def compare(connection: Connection) -> Comparison:
        comparison = Comparison(items, _REBUILT, items.c.keys(), 3)
        comparison.all(connection, RowChanges(), lambda: None)
        assert list(comparison.differing) == [2]
        return comparison

    comparison = await database.read_transaction(compare)
    await execute(database, "UPDATE items SET price = 0 WHERE id IN (1, 2)")
    await database.read_transaction(lambda connection: comparison.recheck(connection, [1, 2]))
    assert (len(comparison.differing), list(comparison.differing), len(comparison.surplus)) == (1, [1], 0)
