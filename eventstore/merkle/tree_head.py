"""Tree heads to be signed as checkpoints. Every signed head must extend all heads signed before it."""

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, update

from eventstore.errors import InconsistentLogError, ProofError
from eventstore.log.tables import log_checkpoint
from eventstore.merkle import hashing
from eventstore.merkle.proofs import verify_consistency
from eventstore.merkle.tree import Tree


class TreeHead(Struct, frozen=True):
    """The root of the tree over the log's first `size` events."""

    size: int
    #: 32 bytes.
    root: bytes


#: Every log extends this head.
EMPTY = TreeHead(0, hashing.root(()))

_LAST = select(log_checkpoint.c.size, log_checkpoint.c.root).where(log_checkpoint.c.id == 1)
_ADVANCE = (
    update(log_checkpoint)
    .where(log_checkpoint.c.id == 1)
    .values(size=bindparam("new_size"), root=bindparam("new_root"))
)


def last_signed(connection: Connection, *, locked: bool = False) -> TreeHead | None:
    """Return the last signed head by the database's record, at first the empty log's; None where the record is missing.

    The database owner can replace that record. With `locked` it stays unchanged until the transaction ends.
    """
    row = connection.execute(_LAST.with_for_update() if locked else _LAST).one_or_none()
    # A SQLite column can hold a value of any type.
    if row is None or not isinstance(row.size, int) or row.size < 0 or not isinstance(row.root, bytes):
        return None
    return TreeHead(row.size, row.root)


def head(connection: Connection, known_head: TreeHead = EMPTY) -> TreeHead:
    """Return the log's current head, for an unsigned checkpoint.

    Raises InconsistentLogError where the log does not extend its earlier head `known_head`.
    """
    return _current(connection, known_head)


def _current(connection: Connection, *earlier: TreeHead) -> TreeHead:
    tree = Tree(connection)
    current = TreeHead(tree.size, tree.root(tree.size))
    for old in earlier:
        check_extends(tree, old, current)
    return current


def advance(connection: Connection, known_head: TreeHead = EMPTY) -> TreeHead:
    """Record the log's head durably as the next to be signed, and return it.

    A log must never sign a head that contradicts an earlier one (c2sp.org/tlog-checkpoint). So the head must extend the
    last one signed by any process, according to the database, and also `known_head`, whatever the database says. Raises
    InconsistentLogError where it does not extend both.
    """
    with connection.begin():
        last = last_signed(connection, locked=True)
        if last is None:
            raise InconsistentLogError("the record of the last signed checkpoint is missing")
        current = _current(connection, last, known_head)
        if current.size > last.size:
            bind(connection, current)
    return current


def bind(connection: Connection, head: TreeHead) -> None:
    """Record `head` as signed in the caller's transaction, so that later signed heads must extend it."""
    connection.execute(_ADVANCE, {"new_size": head.size, "new_root": head.root})


def earlier(connection: Connection, size: int, signed: TreeHead) -> TreeHead:
    """Return the log's head at `size`, at most the size of `signed`.

    Raises InconsistentLogError where the log is no longer the one that was signed.
    """
    tree = Tree(connection)
    found = TreeHead(size, tree.root(size))
    check_extends(tree, found, signed)
    return found


def check_extends(tree: Tree, old: TreeHead, new: TreeHead) -> None:
    """Raise InconsistentLogError unless `tree` proves that the log with head `new` extends the one with head `old`."""
    if new.size < old.size:
        raise InconsistentLogError(f"a checkpoint covers {old.size:,} events, but there are only {new.size:,}")
    try:
        verify_consistency(old.size, new.size, old.root, new.root, tree.consistency(old.size, new.size))
    except ProofError as error:
        raise InconsistentLogError(f"its first {old.size:,} events do not match their checkpoint") from error
