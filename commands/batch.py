"""One batch of submissions in its transaction: each is replayed, decided, or rejected."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from commands.errors import CommandRejectedError, IdempotencyKeyReusedError
from commands.item import Command, CreateItem, Item, LiveItem, NoItem, decide, evolve, fold
from eventstore.events import ItemCreated, Metadata, ProposedEvent, RecordedEvent
from eventstore.log.snapshots import Snapshot
from eventstore.log.unit_of_work import UnitOfWork

#: An item gets a snapshot after this many events since its last snapshot or its creation. Loading an item reads no more
#: events than these, however long its stream is.
SNAPSHOT_EVERY_EVENTS = 16


class Recorded(Struct, frozen=True):
    """The result of a committed submission."""

    #: For each command, the item's id and its state after the command.
    items: tuple[tuple[int, Item], ...]
    #: The position of the submission's last event, or the log's position if it recorded none.
    position: int
    #: Whether an earlier submission with the same id recorded it.
    replayed: bool = False

    @property
    def item_id(self) -> int:
        """The id of the first command's item."""
        return self.items[0][0]

    @property
    def item(self) -> Item:
        """The first command's item."""
        return self.items[0][1]


class Submission:
    """Commands that take effect together or not at all, and the future of the waiting caller."""

    __slots__ = ("answer", "commands", "keyed", "metadata", "replayed", "uncertain")

    def __init__(self, commands: Sequence[Command], metadata: Metadata, *, keyed: bool) -> None:
        self.commands = commands
        self.metadata = metadata
        #: Whether an earlier submission may have had the same command id.
        self.keyed = keyed
        #: Whether an earlier try may have committed it, since the outcome of its COMMIT is unknown.
        self.uncertain = False
        #: Whether the last try found the result of an earlier submission.
        self.replayed = False
        self.answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    def resolve(self, outcome: Recorded | Exception) -> None:
        """Pass the outcome to the waiting caller. A cancelled caller gets none, though its commands took effect."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


def process_batch(work: UnitOfWork, submissions: Sequence[Submission], now: int) -> list[Recorded | Exception]:
    """Decide `submissions` in their order and record their events; return the outcome of each.

    A CommandRejectedError is an outcome of one submission. `now` is in microseconds since the epoch.
    """
    done = _Done(work, submissions)
    for submission in submissions:
        # Under the lock, what the log does not have now no earlier try can still commit. What it has must be looked up
        # again if this try fails.
        submission.uncertain = submission.uncertain and done.has(submission)
    draft = _Draft(work, [submission for submission in submissions if not done.has(submission)])
    outcomes: list[Recorded | Exception] = []
    for submission in submissions:
        outcome: Recorded | Exception
        try:
            outcome = done.replay(submission) or draft.decide(submission)
        except CommandRejectedError as rejection:
            rejection.position = draft.position
            outcome = rejection
        else:
            submission.replayed = outcome.replayed
            done.note(submission, outcome)
        outcomes.append(outcome)
    work.save_snapshots(draft.snapshots(work.record(draft.proposed, now)))
    return outcomes


class _Done:
    """Earlier results under command ids that may be repeated: in the log, or in this transaction."""

    def __init__(self, work: UnitOfWork, submissions: Sequence[Submission]) -> None:
        self._work = work
        command_ids = {s.metadata.command_id for s in submissions if s.keyed or s.uncertain}
        self._events: dict[str, list[RecordedEvent]] = {}
        for event in work.commands(command_ids) if command_ids else ():
            self._events.setdefault(event.metadata.command_id, []).append(event)
        self._this_batch: dict[str, tuple[bytes, Recorded]] = {}

    def has(self, submission: Submission) -> bool:
        """Return whether the log has events of `submission`."""
        return submission.metadata.command_id in self._events

    def note(self, submission: Submission, recorded: Recorded) -> None:
        """Remember the result of `submission` for a later one with the same id in this transaction."""
        if submission.keyed and not recorded.replayed:
            self._this_batch[submission.metadata.command_id] = (submission.metadata.fingerprint, recorded)

    def replay(self, submission: Submission) -> Recorded | None:
        """Return the earlier result, or None if there is none. Raises IdempotencyKeyReusedError."""
        metadata = submission.metadata
        if earlier := self._this_batch.get(metadata.command_id):
            fingerprint, recorded = earlier
            recorded = Recorded(recorded.items, recorded.position, replayed=True)
        elif events := self._events.get(metadata.command_id):
            fingerprint = events[0].metadata.fingerprint
            items = tuple((event.item_id, self._item_at(event)) for event in events)
            recorded = Recorded(items, events[-1].position, replayed=not submission.uncertain)
        else:
            return None
        if fingerprint != metadata.fingerprint:
            raise IdempotencyKeyReusedError
        return recorded

    def _item_at(self, event: RecordedEvent) -> Item:
        is_first = isinstance(event.event, ItemCreated)
        return fold([event] if is_first else self._work.streams([event.item_id], through=event.position))


class _Draft:
    """The decisions so far: the items' current states, and the events to record."""

    def __init__(self, work: UnitOfWork, submissions: Sequence[Submission]) -> None:
        self.proposed: list[ProposedEvent] = []
        self._recorded = work.head.position
        self._items: dict[int, Item] = {}
        #: The version at which each item's loaded stream begins: that of its last snapshot.
        self._loaded: dict[int, int] = {}
        item_ids = {c.item_id for s in submissions for c in s.commands if not isinstance(c, CreateItem)}
        if item_ids:
            for item_id, stream in groupby(work.streams(item_ids), key=lambda recorded: recorded.item_id):
                events = list(stream)
                self._items[item_id] = fold(events)
                self._loaded[item_id] = events[0].version

    @property
    def position(self) -> int:
        """The log's position after the events decided so far."""
        return self._recorded + len(self.proposed)

    def decide(self, submission: Submission) -> Recorded:
        """Decide all commands of a submission. Raises CommandRejectedError, and then none has an effect."""
        proposed: list[ProposedEvent] = []
        items: dict[int, Item] = {}
        changed_ids: list[int] = []
        position = self.position
        for command in submission.commands:
            item_id = position + len(proposed) + 1 if isinstance(command, CreateItem) else command.item_id
            item = items.get(item_id) or self._items.get(item_id, NoItem())
            for event in decide(command, item):
                item = evolve(item, event)
                proposed.append(ProposedEvent(item_id, item.version, event, submission.metadata, len(proposed)))
            items[item_id] = item
            changed_ids.append(item_id)
        self.proposed += proposed
        self._items |= items
        results = tuple((item_id, items[item_id]) for item_id in changed_ids)
        return Recorded(results, position + len(proposed))

    def snapshots(self, recorded: Sequence[RecordedEvent]) -> list[Snapshot]:
        """Return a snapshot of each item that is due for one; of a deleted item only after it is restored."""
        last = {event.item_id: event.position for event in recorded}
        return [
            Snapshot(item_id, item.version, last[item_id], ItemCreated(item.name, item.price, item.in_stock))
            for item_id, loaded in self._loaded.items()
            if item_id in last
            and isinstance(item := self._items[item_id], LiveItem)
            and item.version - loaded >= SNAPSHOT_EVERY_EVENTS
        ]
