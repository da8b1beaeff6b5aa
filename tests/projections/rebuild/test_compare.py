"""A comparison counts rows, however often it is repeated."""

from sqlalchemy import Connection, MetaData

from eventstore.database.database import Database
from eventstore.log.write_set import RowChanges
from projections.items.items import items
from projections.rebuild.compare import Comparison
from tests.eventstore.recording import created, execute, record


async def test_a_row_that_is_rechecked_again_and_again_counts_once_more(database: Database) -> None:
    await record(database, [created(1), created(2), created(3)])
    await execute(
        database, "CREATE TABLE items_rebuild AS SELECT * FROM items", "DELETE FROM items_rebuild WHERE id = 3"
    )
    rebuilt = items.to_metadata(MetaData(), name="items_rebuild")

    def compare(connection: Connection) -> None:
        comparison = Comparison(items, rebuilt, items.c.keys(), 3)
        comparison.all(connection, RowChanges(), lambda: None)
        assert (comparison.compared, comparison.differing) == (3, 1)
        for _ in range(3):  # as each try to swap does
            comparison.recheck(connection, [2, 3])
            assert (comparison.compared, comparison.differing) == (5, 1)

    await database.read_transaction(compare)
