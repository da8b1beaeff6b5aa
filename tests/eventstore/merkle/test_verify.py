"""A log that its database's owner changed: the change and its position are found.

Changes that can't be found without a checkpoint kept elsewhere are here too; see `docs/audit.md`.
"""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec import Struct
from sqlalchemy import text

from eventstore.database.database import Database
from eventstore.errors import TamperedError
from eventstore.log.head import read_head
from eventstore.log.history_reader import Progress
from eventstore.merkle import hashing, tree_head, verify_database
from eventstore.merkle.tree_head import TreeHead
from tests.eventstore.recording import ProposedEvent, Unprojected, changed, created, execute, opened, record
from tests.support.service import migrate
from tests.support.tampering import keep, restore, tamper

SIZE = 600
#: The event to tamper with: a change of item 1, in the second of the two complete tiles.
AT = 300


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Log(Struct):
    """Return a log to tamper with, and its tree heads."""

    database: Database
    heads: list[TreeHead]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(shared_url: str) -> AsyncIterator[Log]:
    """Return a log of some events, one transaction for every 100."""
    await migrate(shared_url)
    heads: list[TreeHead] = []
    async with opened(shared_url) as database:
        for first in range(1, SIZE, 100):
            await record(database, [_event(position) for position in range(first, first + 100)], first, Unprojected())
            head = await database.read_transaction(read_head)
            heads.append(TreeHead(head.position, hashing.root(head.frontier)))
        await keep(database)
        yield Log(database, heads)


def _event(position: int) -> ProposedEvent:
    """Return the next of ten events of an item."""
    item_id, version = (position - 1) // 10 * 10 + 1, (position - 1) % 10 + 1
    return created(item_id) if version == 1 else changed(item_id, version)


@pytest_asyncio.fixture(loop_scope="module")
async def database(kept: Log, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(verify_database, "_CHUNK_EVENTS", 128)
    yield kept.database
    await restore(kept.database)


@pytest.fixture
def heads(kept: Log) -> list[TreeHead]:
    return kept.heads


async def fault(database: Database, *known: TreeHead) -> TamperedError:
    with pytest.raises(TamperedError) as raised:
        await verify_database.verify(database, known)
    return raised.value


async def test_an_unchanged_log_is_intact(database: Database, heads: list[TreeHead]) -> None:
    assert await verify_database.verify(database, heads) == await verify_database.verify(database, []) == heads[-1]
    assert heads[-1].size == SIZE


async def test_an_empty_log_is_intact(database: Database) -> None:
    await tamper(database, *EMPTY)
    empty = TreeHead(0, hashing.root(()))
    assert await verify_database.verify(database, [empty]) == empty
    error = await fault(database, TreeHead(0, bytes(32)))
    assert (
        error.reason == "the tree root at 0 events does not match the checkpoint: an event between 0 and 0 was changed"
    )


async def test_events_appended_during_verification_are_left_out(database: Database, heads: list[TreeHead]) -> None:
    told = []

    def tell(progress: Progress) -> None:
        told.append((progress.position, progress.target))

    assert await verify_database.verify(database, heads, tell) == heads[-1]
    assert told == [(128, SIZE), (256, SIZE), (384, SIZE), (512, SIZE), (SIZE, SIZE)]


EMPTY = [
    "DELETE FROM events",
    "DELETE FROM log_tiles",
    "UPDATE log_head SET position = 0, recorded_at = 0, frontier = substr(frontier, 1, 0)",
]

#: A column, and another value for it.
COLUMNS = {
    "item_id": "item_id + 1",
    "version": "version + 1",
    "type": "'item.deleted.v1'",
    "data": "replace(data, '1', '2')",
    "recorded_at": "recorded_at + 1",
    "actor": "'anonymoux'",
    "credential": "'key:a'",
    "command_id": "command_id || '.'",
    "ordinal": "ordinal + 1",
    "correlation_id": "'trace'",
    "causation_id": "''",
    "fingerprint": "(SELECT leaf_hash FROM events WHERE position = 7)",
    "leaf_hash": "(SELECT leaf_hash FROM events WHERE position = 7)",
}


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_changed_value_is_found_at_its_position(database: Database, heads: list[TreeHead], column: str) -> None:
    await tamper(database, f"UPDATE events SET {column} = {COLUMNS[column]} WHERE position = {AT}")
    error = await fault(database, *heads)
    assert (error.position, error.reason) == (AT, "its content does not match its stored hash")


async def test_every_column_but_the_position_is_tampered_with_here(database: Database, heads: list[TreeHead]) -> None:
    rows = await database.read(text("SELECT * FROM events LIMIT 1"))
    assert set(rows[0]._mapping) - COLUMNS.keys() == {"position"}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("known", [2, 5])
async def test_a_change_with_recomputed_hashes_is_found_by_any_later_checkpoint(
    database: Database, heads: list[TreeHead], column: str, known: int
) -> None:
    await tamper(database, f"UPDATE events SET {column} = {COLUMNS[column]} WHERE position = {AT}", covered_up=True)
    if column == "leaf_hash":  # recomputing the hashes restores it
        assert await verify_database.verify(database, heads) == heads[-1]
        return
    error = await fault(database, heads[known], heads[1])
    if column == "type":
        assert (error.position, error.reason.partition(":")[0]) == (
            AT,
            "its data is not that of an event of type 'item.deleted.v1'",
        )
    elif column == "item_id":
        assert (error.position, error.reason) == (
            AT,
            "it belongs to item 292, but the log has no creation event for that item",
        )
    elif column == "version":
        assert (error.position, error.reason) == (AT, "expected version 10 of item 291, found 11")
    else:
        size = heads[known].size
        assert error.position == 201
        wrong = f"an event between 201 and {size} was changed"
        assert error.reason == f"the tree root at {size} events does not match the checkpoint: {wrong}"


async def test_without_a_kept_checkpoint_a_fully_rewritten_log_is_not_detected(
    database: Database, heads: list[TreeHead]
) -> None:
    await tamper(database, f"UPDATE events SET actor = 'eve' WHERE position = {AT}", covered_up=True)
    assert (await verify_database.verify(database, heads[:2])).root != heads[-1].root


async def test_a_time_that_goes_back_is_found_despite_recomputed_hashes(
    database: Database, heads: list[TreeHead]
) -> None:
    await tamper(database, f"UPDATE events SET recorded_at = 500 WHERE position = {AT}", covered_up=True)
    error = await fault(database)
    assert (error.position, error.reason) == (AT + 1, "its time is before the previous event's time")


async def test_a_time_that_rfc_3339_cannot_write_is_found_despite_recomputed_hashes(
    database: Database, heads: list[TreeHead]
) -> None:
    await tamper(database, "UPDATE events SET recorded_at = 253402300799999999 WHERE position = 600", covered_up=True)
    assert (await verify_database.verify(database, heads[:5])).size == SIZE
    await tamper(database, "UPDATE events SET recorded_at = 253402300800000000 WHERE position = 600", covered_up=True)
    error = await fault(database)
    assert (error.position, error.reason) == (600, "its time is after the year 9999")


@pytest.mark.parametrize("covered_up", [False, True])
@pytest.mark.parametrize("position", [1, 256, AT, 301])
async def test_a_removed_event_is_found(
    database: Database, heads: list[TreeHead], position: int, covered_up: bool
) -> None:
    await tamper(database, f"DELETE FROM events WHERE position = {position}", covered_up=covered_up)
    error = await fault(database)
    assert (error.position, error.reason) == (position, f"expected position {position}, found {position + 1}")


async def test_a_closed_gap_is_found_by_item_versions(database: Database, heads: list[TreeHead]) -> None:
    await tamper(
        database,
        f"DELETE FROM events WHERE position = {AT}",
        *(f"UPDATE events SET position = {at - 1} WHERE position = {at}" for at in range(AT + 1, SIZE + 1)),
        covered_up=True,
    )
    error = await fault(database)
    assert (error.position, error.reason) == (
        AT,
        "it belongs to item 301, but the log has no creation event for that item",
    )


@pytest.mark.parametrize("covered_up", [False, True])
async def test_two_swapped_events_are_found(database: Database, heads: list[TreeHead], covered_up: bool) -> None:
    moves = [(AT, 9999), (AT + 2, AT), (9999, AT + 2)]
    swap = [f"UPDATE events SET position = {new} WHERE position = {old}" for old, new in moves]
    await tamper(database, *swap, covered_up=covered_up)
    error = await fault(database, heads[-1])
    assert error.position == AT
    reason = (
        "it belongs to item 301, but the log has no creation event for that item"
        if covered_up
        else "its content does not match its stored hash"
    )
    assert error.reason == reason


#: Data that the owner stores, with all hashes made to fit.
CORRUPT = {
    "not JSON": ('\'{"price":"2"\'', "truncated"),
    "not of its type": ('\'{"price":2,"size":1}\'', "Object contains unknown field `size`"),
    "a wrong value": ('\'{"price":"dear"}\'', "decimal"),
    "with spaces": ('\'{"price": "2"}\'', "it is not JSON as the service writes it"),
    "with a member twice": ('\'{"price":"2","price":"3"}\'', "it is not JSON as the service writes it"),
    "with an escape": ('\'{"name":"\\u0041"}\'', "it is not JSON as the service writes it"),
    "empty": ("''", "truncated"),
    "deep": ("'" + "[" * 3000 + "'", "recursion"),
}


@pytest.mark.parametrize("case", CORRUPT)
async def test_data_that_is_not_its_type_s_is_found_though_its_hashes_are_right(database: Database, case: str) -> None:
    data, reason = CORRUPT[case]
    await tamper(database, f"UPDATE events SET data = {data} WHERE position = {AT}", covered_up=True)
    error = await fault(database)
    assert error.position == AT
    assert error.reason.startswith("its data is not that of an event of type 'item.changed.v1': ")
    assert reason.lower() in error.reason.lower()


async def test_of_a_type_that_only_newer_code_knows_the_json_is_checked(database: Database) -> None:
    unknown = "UPDATE events SET type = 'item.painted.v1', data = '{}' WHERE position = {}"
    await tamper(database, *(unknown.format('{"hue":1}', at) for at in (AT, AT + 1)), covered_up=True)
    types = Counter[str]()
    head = await verify_database.verify(database, [], unknown_types=types)
    assert (head.size, types) == (SIZE, {"item.painted.v1": 2})
    await tamper(database, unknown.format('{"hue":', AT + 2), covered_up=True)
    assert (await fault(database)).position == AT + 2


async def test_swapped_events_of_different_items_are_found_by_a_checkpoint(
    database: Database, heads: list[TreeHead]
) -> None:
    values = ("data", "command_id", "correlation_id")

    def swapped(name: str) -> str:
        value = name if name == "data" else f"{name} || 'x'"  # the commands' ids stay unique
        return f"UPDATE events SET {name} = (SELECT {value} FROM events WHERE position = 288) WHERE position = 298"

    swap = [*map(swapped, values), "UPDATE events SET data = replace(data, '9', '8') WHERE position = 298"]
    await tamper(database, *swap, covered_up=True)
    assert (await fault(database, *heads)).position == 201


@pytest.mark.parametrize("last", [500, 512, 599])
async def test_a_truncated_log_is_found_by_a_larger_checkpoint(
    database: Database, heads: list[TreeHead], last: int
) -> None:
    await tamper(database, f"DELETE FROM events WHERE position > {last}", covered_up=True)
    assert (await verify_database.verify(database, heads[:5])).size == last
    error = await fault(database, *heads)
    assert (error.position, error.reason) == (last + 1, f"it is missing: a checkpoint covers {SIZE} events")


async def test_a_truncated_events_table_is_found_by_the_head(database: Database, heads: list[TreeHead]) -> None:
    await tamper(database, "DELETE FROM events WHERE position > 512")
    error = await fault(database)
    assert (error.position, error.reason) == (513, "it is missing: the head counts 600 events")


HEADS = {
    "UPDATE log_head SET position = 599": (600, "it is after the log's head, where no event can be"),
    "UPDATE log_head SET position = 601": (601, "it is missing: the head counts 601 events"),
    "UPDATE log_head SET recorded_at = recorded_at + 1": (600, "the head's time differs from the last event's"),
    "UPDATE log_head SET frontier = (SELECT leaf_hash FROM events WHERE position = 1)": (
        600,
        "the head's tree does not match the events",
    ),
    "DELETE FROM log_head": (600, "the log's head is missing or invalid"),
}


@pytest.mark.parametrize("statement", HEADS)
async def test_a_changed_head_is_found(database: Database, heads: list[TreeHead], statement: str) -> None:
    await tamper(database, statement)
    error = await fault(database)
    assert (error.position, error.reason) == HEADS[statement]


RECORDS = {
    "UPDATE log_checkpoint SET size = 300": (
        1,
        "the tree root at 300 events does not match the checkpoint: an event between 1 and 300 was changed",
    ),
    "UPDATE log_checkpoint SET size = 700": (601, "it is missing: a checkpoint covers 700 events"),
    "DELETE FROM log_checkpoint": (600, "the record of the last signed checkpoint is missing or invalid"),
}


@pytest.mark.parametrize("statement", RECORDS)
async def test_a_signed_head_of_another_log_is_found(database: Database, heads: list[TreeHead], statement: str) -> None:
    await tamper(database, statement)
    error = await fault(database)
    assert (error.position, error.reason) == RECORDS[statement]


async def test_the_last_signed_head_is_checked_without_a_kept_checkpoint(
    database: Database, heads: list[TreeHead]
) -> None:
    assert await database.write(tree_head.advance) == heads[-1]
    assert await verify_database.verify(database, []) == heads[-1]
    await tamper(database, "DELETE FROM events WHERE position > 500", covered_up=True)
    error = await fault(database)
    assert (error.position, error.reason) == (501, "it is missing: a checkpoint covers 600 events")


async def test_a_log_without_a_signature_table_is_verified(database: Database, heads: list[TreeHead]) -> None:
    await execute(database, "ALTER TABLE log_checkpoint RENAME TO away")
    assert await verify_database.verify(database, heads) == heads[-1]
    await execute(database, "ALTER TABLE away RENAME TO log_checkpoint")


TILES = {
    'UPDATE log_tiles SET hash = (SELECT leaf_hash FROM events WHERE position = 1) WHERE "index" = 1': (
        257,
        "the stored root of the events 257 to 512 does not match them",
    ),
    'DELETE FROM log_tiles WHERE "index" = 0': (1, "the stored root of the events 1 to 256 is missing"),
    'UPDATE log_tiles SET level = 2 WHERE "index" = 0': (1, "the stored root of the events 1 to 256 is missing"),
    'INSERT INTO log_tiles SELECT 1, 2, hash FROM log_tiles WHERE "index" = 1': (
        601,
        "the number of stored roots of level 1 does not fit the log",
    ),
    'INSERT INTO log_tiles SELECT 0, "index", hash FROM log_tiles': (
        601,
        "the number of stored roots of level 0 does not fit the log",
    ),
}


@pytest.mark.parametrize("statement", TILES)
async def test_a_changed_stored_root_is_found(database: Database, heads: list[TreeHead], statement: str) -> None:
    await tamper(database, statement)
    error = await fault(database)
    assert (error.position, error.reason) == TILES[statement]


async def test_recomputed_leaf_hashes_do_not_match_the_tree(database: Database, heads: list[TreeHead]) -> None:
    await tamper(database, f"UPDATE events SET actor = 'eve' WHERE position = {AT}", covered_up=True)
    forged = (await database.read(text(f"SELECT leaf_hash FROM events WHERE position = {AT}")))[0][0].hex()
    await tamper(database, "UPDATE events SET actor = 'anonymous' WHERE actor = 'eve'", covered_up=True)
    hashed = f"decode('{forged}', 'hex')" if database.url.get_backend_name() == "postgresql" else f"x'{forged}'"
    await tamper(database, f"UPDATE events SET actor = 'eve', leaf_hash = {hashed} WHERE position = {AT}")
    error = await fault(database)
    assert (error.position, error.reason) == (257, "the stored root of the events 257 to 512 does not match them")


async def test_the_first_fault_is_named(database: Database, heads: list[TreeHead]) -> None:
    await tamper(
        database,
        f"UPDATE events SET actor = 'eve' WHERE position IN ({AT}, 590)",
        'DELETE FROM log_tiles WHERE "index" = 0',
    )
    assert (await fault(database)).position == 1
    await tamper(database, "INSERT INTO log_tiles SELECT 1, 0, hash FROM log_tiles")
    assert (await fault(database)).position == 1
    await tamper(database, "UPDATE events SET actor = 'eve' WHERE position = 2")
    assert (await fault(database)).position == 2


async def test_a_wrong_checkpoint_before_a_fault_is_named_first(database: Database, heads: list[TreeHead]) -> None:
    await tamper(database, "UPDATE events SET actor = 'eve' WHERE position = 230")  # read together with event 200
    assert (await fault(database, heads[1])).position == 230
    assert (await fault(database, TreeHead(200, heads[0].root), heads[0])).position == 101


async def test_an_event_before_the_first_position_is_found(database: Database, heads: list[TreeHead]) -> None:
    drop = {
        "postgresql": ["ALTER TABLE events DROP CONSTRAINT ck_events_position"],
        "sqlite": ["PRAGMA ignore_check_constraints = ON"],
    }
    await tamper(
        database, *drop[database.url.get_backend_name()], "UPDATE events SET position = 0 WHERE position = 600"
    )
    error = await fault(database)
    assert (error.position, error.reason) == (0, "it is before the start of the log")


#: Values of other types than the columns'. PostgreSQL refuses them; SQLite accepts them where a table is not STRICT.
TYPES = {
    "UPDATE log_head SET position = 'x'": (600, "the log's head is missing or invalid"),
    "UPDATE log_head SET position = 600.5": (600, "the log's head is missing or invalid"),
    "UPDATE log_head SET position = CAST(x'ff' AS TEXT)": (600, "the log's head is missing or invalid"),
    "UPDATE log_head SET frontier = 7": (600, "the log's head is missing or invalid"),
    "UPDATE log_head SET frontier = 'x'": (600, "the head's tree does not match the events"),
    "UPDATE log_head SET recorded_at = 'x'": (600, "the head's time differs from the last event's"),
    "UPDATE log_checkpoint SET size = 'x'": (600, "the record of the last signed checkpoint is missing or invalid"),
    "UPDATE log_checkpoint SET root = CAST(x'ff' AS TEXT)": (
        600,
        "the record of the last signed checkpoint is missing or invalid",
    ),
    "INSERT INTO log_tiles VALUES ('x', 0, x'00')": (
        601,
        "the number of stored roots of level 'x' does not fit the log",
    ),
    "INSERT INTO log_tiles VALUES (x'01', 0, x'00')": (
        601,
        "the number of stored roots of level b'\\x01' does not fit the log",
    ),
    "INSERT INTO log_tiles VALUES (1, 'x', x'00')": (601, "the number of stored roots of level 1 does not fit the log"),
    "INSERT INTO log_tiles VALUES (9000000000000000000, 0, x'00')": (
        601,
        "the number of stored roots of level 9000000000000000000 does not fit the log",
    ),
    "UPDATE log_tiles SET hash = 'x' WHERE \"index\" = 1": (
        257,
        "the stored root of the events 257 to 512 does not match them",
    ),
}


@pytest.mark.parametrize("shared_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", TYPES)
async def test_a_value_of_another_type_is_found(database: Database, heads: list[TreeHead], statement: str) -> None:
    await tamper(database, statement)
    error = await fault(database)
    assert (error.position, error.reason) == TYPES[statement]


@pytest.mark.parametrize("shared_url", ["sqlite"], indirect=True)  # PostgreSQL stores only UTF-8
async def test_invalid_utf8_is_found(database: Database, heads: list[TreeHead]) -> None:
    await tamper(database, f"UPDATE events SET actor = CAST(x'61ff' AS TEXT) WHERE position = {AT}")
    error = await fault(database)
    assert error.position == AT
    assert error.reason.startswith("it has an invalid value: ")
