"""Verify that a database's log is intact: recompute all its hashes and compare, while appends continue."""

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic

from sqlalchemy import Connection, bindparam, func, inspect, select
from sqlalchemy.exc import NoResultFound

from eventstore.codec import LEAF
from eventstore.database.database import Database
from eventstore.database.session import tolerate_invalid_utf8
from eventstore.errors import TamperedError
from eventstore.log.head import Head, head_position, read_head
from eventstore.log.history_reader import Progress, ReportProgress
from eventstore.log.tables import events, log_checkpoint, log_tiles
from eventstore.merkle.hashing import TILE_WIDTH_BITS, Tile
from eventstore.merkle.log_verifier import Row, Verification
from eventstore.merkle.tree_head import EMPTY, TreeHead, last_signed

#: Events in one read, each with its own connection and transaction.
_CHUNK_EVENTS = 20_000

_EVENTS = (
    select(*(events.c[name] for name in (*LEAF, "leaf_hash")))
    .where(events.c.position > bindparam("after"), events.c.position <= bindparam("through"))
    .order_by(events.c.position)
)
_ENDS = select(func.min(events.c.position), func.max(events.c.position))
_TILES = select(log_tiles.c.index, log_tiles.c.hash).where(
    log_tiles.c.level == bindparam("level"),
    log_tiles.c.index >= bindparam("first"),
    log_tiles.c.index < bindparam("end"),
)
_COUNTS = select(log_tiles.c.level, func.count()).group_by(log_tiles.c.level)


async def verify(
    database: Database,
    known_heads: Iterable[TreeHead],
    report: ReportProgress = lambda _: None,
    unknown_types: Counter[str] | None = None,
) -> TreeHead:
    """Verify the whole log up to its current head, and return that head. Writes nothing, and takes no lock.

    `known_heads` are heads that the log must have had, in addition to the last signed one recorded in the database. For
    `unknown_types` see Verification.
    Raises TamperedError for the first fault, UnavailableError, and the driver's error where the database can't be read
    or is not an Itemledger database.
    """
    head, end, signed = await database.run_isolated(_bounds)
    stored: dict[tuple[int, int], bytes] = {}
    verification = Verification([*known_heads, signed], partial(_compare, stored), unknown_types)
    started = monotonic()
    while verification.size < head.position:
        after = verification.size
        stored.clear()
        rows = await database.run_isolated(partial(_read, after=after, through=head.position, stored=stored))
        if not rows:
            raise TamperedError(after + 1, f"it is missing: the head counts {head.position:,} events")
        verification.add(rows)
        report(Progress(verification.size, head.position, verification.size / (monotonic() - started)))
    if end > head.position:
        raise TamperedError(head.position + 1, "it is after the log's head, where no event can be")
    if head.recorded_at != verification.recorded_at:
        raise TamperedError(head.position, "the head's time differs from the last event's")
    if head.frontier != verification.frontier:
        raise TamperedError(head.position, "the head's tree does not match the events")
    await database.run_isolated(_check_no_more_tiles)
    verification.finish()
    return TreeHead(verification.size, verification.root)


def _bounds(connection: Connection) -> tuple[Head, int, TreeHead]:
    """Return the head, the last event's position, and the last signed head."""
    tolerate_invalid_utf8(connection)
    with connection.begin():
        first, end = connection.execute(_ENDS).one()
        if first is not None and first < 1:
            raise TamperedError(first, "it is before the start of the log")
        if (head := _head(connection)) is None:
            raise TamperedError(end or 1, "the log's head is missing or invalid")
        # An old schema, from before checkpoints were signed, has no such table.
        has_signed = inspect(connection).has_table(log_checkpoint.name)
        if (signed := last_signed(connection) if has_signed else EMPTY) is None:
            raise TamperedError(end or 1, "the record of the last signed checkpoint is missing or invalid")
        return head, end or 0, signed


def _head(connection: Connection) -> Head | None:
    # A SQLite column can hold a value of any type.
    with suppress(NoResultFound, TypeError):
        head = read_head(connection)
        operator.index(head.position)
        return head
    return None


def _read(connection: Connection, after: int, through: int, stored: dict[tuple[int, int], bytes]) -> Sequence[Row]:
    """Read the next events, and into `stored` the roots, by level and index, of the subtrees that they complete."""
    tolerate_invalid_utf8(connection)
    last = min(after + _CHUNK_EVENTS, through)
    with connection.begin():
        rows = connection.execute(_EVENTS, {"after": after, "through": last}).all()
        for level in range(1, (last.bit_length() - 1) // TILE_WIDTH_BITS + 1):
            shift = TILE_WIDTH_BITS * level
            bounds = {"level": level, "first": after >> shift, "end": last >> shift}
            stored.update(((level, index), hashed) for index, hashed in connection.execute(_TILES, bounds))
    return rows


def _compare(stored: dict[tuple[int, int], bytes], tiles: Sequence[Tile]) -> None:
    for level, index, hashed in tiles:
        if stored.get((level, index)) != hashed:
            shift = TILE_WIDTH_BITS * level
            first, last = (index << shift) + 1, (index + 1) << shift
            fault = "does not match them" if (level, index) in stored else "is missing"
            raise TamperedError(first, f"the stored root of the events {first:,} to {last:,} {fault}")


def _check_no_more_tiles(connection: Connection) -> None:
    """Raise TamperedError where roots are stored for subtrees that the log does not have."""
    tolerate_invalid_utf8(connection)
    with connection.begin():
        position = head_position(connection)
        for level, count in connection.execute(_COUNTS):
            if not isinstance(level, int) or level < 1 or count != position >> TILE_WIDTH_BITS * level:
                raise TamperedError(position + 1, f"the number of stored roots of level {level!r} does not fit the log")
