"""Heads of the log that are about to be signed: what was signed once binds all that is signed later."""

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, update

from eventstore.errors import InconsistentLogError, ProofError
from eventstore.log.tables import log_checkpoint
from eventstore.merkle import hashing
from eventstore.merkle.proofs import verify_consistency
from eventstore.merkle.tree import Tree


class TreeHead(Struct, frozen=True):
    """The log's first `size` events, by the root of their tree."""

    size: int
    #: 32 bytes.
    root: bytes


#: What every log extends.
EMPTY = TreeHead(0, hashing.root(()))

_LAST = select(log_checkpoint.c.size, log_checkpoint.c.root).where(log_checkpoint.c.id == 1)
_ADVANCE = (
    update(log_checkpoint)
    .where(log_checkpoint.c.id == 1)
    .values(size=bindparam("new_size"), root=bindparam("new_root"))
)


def last_signed(connection: Connection, *, locked: bool = False) -> TreeHead | None:
    """Give the head that the database tells to have been signed last, the empty log's at first; None where it is gone.

    It is what whoever owns the database has it say. Where it is `locked` nobody else changes it until the transaction
    ends.
    """
    row = connection.execute(_LAST.with_for_update() if locked else _LAST).one_or_none()
    # SQLite keeps in a column whatever was written there, of any type.
    if row is None or not isinstance(row.size, int) or row.size < 0 or not isinstance(row.root, bytes):
        return None
    return TreeHead(row.size, row.root)


def head(connection: Connection, known: TreeHead = EMPTY) -> TreeHead:
    """Give the log's head as it is, for a checkpoint that is not signed.

    `known` is one that the log had. Raises InconsistentLogError where the log does not extend that.
    """
    tree = Tree(connection)
    taken = TreeHead(tree.size, tree.root(tree.size))
    check_extends(tree, known, taken)
    return taken


def advance(connection: Connection, known: TreeHead = EMPTY) -> TreeHead:
    """Take the log's head for the next one to be signed, durably, and give it.

    Whoever signs it can't contradict what was signed before, by any process, as the database tells it: a log must not
    (c2sp.org/tlog-checkpoint). Nor can it contradict `known`, whatever became of what the database told. Raises
    InconsistentLogError where the log does not extend both.
    """
    with connection.begin():
        last = last_signed(connection, locked=True)
        if last is None:
            raise InconsistentLogError("the record of what was signed is gone")
        tree = Tree(connection)
        taken = TreeHead(tree.size, tree.root(tree.size))
        for old in (last, known):
            check_extends(tree, old, taken)
        if taken.size > last.size:
            bind(connection, taken)
    return taken


def bind(connection: Connection, head: TreeHead) -> None:
    """Let all that is signed from now on extend `head`, which the log has; in the caller's transaction."""
    connection.execute(_ADVANCE, {"new_size": head.size, "new_root": head.root})


def earlier(connection: Connection, size: int, signed: TreeHead) -> TreeHead:
    """Give the head that the log had at `size`, at most that of `signed`, which extends it.

    Raises InconsistentLogError where the log is no longer the one that was signed.
    """
    tree = Tree(connection)
    found = TreeHead(size, tree.root(size))
    check_extends(tree, found, signed)
    return found


def check_extends(tree: Tree, old: TreeHead, new: TreeHead) -> None:
    """Raise InconsistentLogError unless the log that has `new` extends the one that had `old`, as `tree` proves."""
    if new.size < old.size:
        raise InconsistentLogError(f"there was a checkpoint of {old.size:,} events, and there are {new.size:,}")
    try:
        verify_consistency(old.size, new.size, old.root, new.root, tree.consistency(old.size, new.size))
    except ProofError as error:
        raise InconsistentLogError(f"it is not the one whose first {old.size:,} events had a checkpoint") from error
