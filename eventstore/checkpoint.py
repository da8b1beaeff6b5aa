"""Heads of the log that are about to be signed: what was signed once binds all that is signed later."""

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, update

from eventstore.errors import InconsistentLogError, ProofError
from eventstore.proof import verify_consistency
from eventstore.tables import log_checkpoint
from eventstore.tree import Tree


class TreeHead(Struct, frozen=True):
    """The log's first `size` events, by the root of their tree."""

    size: int
    #: 32 bytes.
    root: bytes


_LAST = select(log_checkpoint.c.size, log_checkpoint.c.root).where(log_checkpoint.c.id == 1).with_for_update()
_ADVANCE = (
    update(log_checkpoint)
    .where(log_checkpoint.c.id == 1)
    .values(size=bindparam("new_size"), root=bindparam("new_root"))
)


def head(connection: Connection) -> TreeHead:
    """Give the log's head as it is, for a checkpoint that is not signed."""
    tree = Tree(connection)
    return TreeHead(tree.size, tree.root(tree.size))


def advance(connection: Connection) -> TreeHead:
    """Take the log's head for the next one to be signed, durably, and give it.

    Whoever signs it can't contradict what was signed before, by any process: a log must not (c2sp.org/tlog-checkpoint).
    Raises InconsistentLogError where the log does not extend that.
    """
    with connection.begin():
        last = connection.execute(_LAST).one_or_none()
        if last is None:
            raise InconsistentLogError("the record of what was signed is gone")
        tree = Tree(connection)
        taken = TreeHead(tree.size, tree.root(tree.size))
        check_extends(tree, TreeHead(last.size, last.root), taken)
        if taken.size > last.size:
            connection.execute(_ADVANCE, {"new_size": taken.size, "new_root": taken.root})
    return taken


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
        raise InconsistentLogError(f"a checkpoint of {old.size:,} events was signed, and there are {new.size:,}")
    try:
        verify_consistency(old.size, new.size, old.root, new.root, tree.consistency(old.size, new.size))
    except ProofError as error:
        raise InconsistentLogError(f"it is not the one whose first {old.size:,} events had a checkpoint") from error
