"""The stored tree: roots and proofs of every size, on both databases, from few hashes."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.errors import InconsistentLogError
from eventstore.merkle import hashing
from eventstore.merkle.proofs import consistency_spans, inclusion_spans, root_of_inclusion, subtrees, verify_consistency
from eventstore.merkle.tree import Tree, stored_below
from tests.eventstore.recording import Unprojected, created, execute, record

T = TypeVar("T")

SIZE = 600
#: Boundaries: tiles, powers of two, the log.
SIZES = [1, 2, 3, 7, 8, 127, 128, 255, 256, 257, 300, 511, 512, 513, 599, SIZE]


async def look(database: Database, work: Callable[[Tree], T]) -> T:
    return await database.read_transaction(lambda connection: work(Tree(connection)))


async def fill(database: Database, size: int = SIZE) -> list[bytes]:
    """Record events in an empty log; return the root at each size."""
    await record(database, [created(position) for position in range(1, size + 1)], projector=Unprojected())
    rows = await database.read(text("SELECT leaf_hash FROM events ORDER BY position"))
    frontier: hashing.Frontier = ()
    roots = [hashing.root(frontier)]
    for position, (hashed,) in enumerate(rows):
        frontier, _ = hashing.append(position, frontier, [hashed])
        roots.append(hashing.root(frontier))
    return roots


async def test_roots_and_proofs_of_every_size_are_those_of_the_leaves(database: Database) -> None:
    roots = await fill(database)
    leaves = [row[0] for row in await database.read(text("SELECT leaf_hash FROM events ORDER BY position"))]

    def work(connection: Connection) -> None:
        for new in SIZES:
            assert Tree(connection).root(new) == roots[new]
            for old in [0, *(size for size in SIZES if size <= new)]:
                tree = Tree(connection)  # one without cached hashes
                verify_consistency(old, new, roots[old], roots[new], tree.consistency(old, new))
                if old:
                    hashes = tree.inclusion(old - 1, new)
                    assert root_of_inclusion(old - 1, new, leaves[old - 1], hashes) == roots[new]

    await database.read_transaction(work)


async def test_an_empty_log_has_the_empty_tree(database: Database) -> None:
    assert await look(database, lambda tree: (tree.size, tree.root(0), tree.consistency(0, 0))) == (
        0,
        hashing.root(()),
        [],
    )


async def test_a_missing_hash_is_named(database: Database) -> None:
    await fill(database)
    await execute(database, 'DELETE FROM log_tiles WHERE "index" = 1')
    with pytest.raises(InconsistentLogError) as raised:
        await look(database, lambda tree: tree.inclusion(0, 512))
    assert str(raised.value) == "The log was changed outside the service: the root of the events 257 to 512 is missing."
    await execute(database, "UPDATE log_head SET position = 999")
    with pytest.raises(InconsistentLogError, match="frontier does not fit a tree of 999 leaves"):
        await look(database, lambda tree: tree.size)
    await execute(database, "UPDATE log_head SET position = 680")  # with the same number of bits
    with pytest.raises(InconsistentLogError, match="event 674 is missing"):
        await look(database, lambda tree: tree.inclusion(672, 680))


@pytest.mark.parametrize("size", [1_000, 1_000_000, 16_777_215, 1_000_000_000])
def test_a_proof_reads_some_hundred_hashes_however_long_the_log(size: int) -> None:
    levels = (size.bit_length() - 1) // 8 + 1
    for index in {0, size // 3, size // 2, size - 1}:
        head = set(subtrees((0, size)))  # the frontier, which is read with the head
        for spans in (inclusion_spans(index, size), consistency_spans(index, size)):
            wanted = {subtree for span in spans for subtree in subtrees(span)} - head
            read = {(level, at) for level, indexes in map(stored_below, wanted) for at in indexes}
            assert len(read) <= 258 * levels
