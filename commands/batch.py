"""What a batch of submissions does in its transaction: each is found to be done already, decided anew, or rejected."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from commands.errors import CommandRejectedError, IdempotencyKeyReusedError
from commands.item import Command, CreateItem, Item, LiveItem, NoItem, decide, evolve, fold
from eventstore.events import ItemCreated, Metadata, ProposedEvent, RecordedEvent
from eventstore.log.snapshots import Snapshot
from eventstore.log.unit_of_work import UnitOfWork

#: An item gets a snapshot when this many events have happened to it since its last one, or since it began. Loading an
#: item reads no more events than these, however long its stream.
SNAPSHOT_EVERY = 16


class Recorded(Struct, frozen=True):
    """What a submission did, once it is committed."""

    #: For each command the item's id, and the item after it.
    items: tuple[tuple[int, Item], ...]
    #: The position of the submission's last event; of the log where it made none.
    position: int
    #: Whether it was done before, for an earlier submission with the same id.
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
    """Commands on their way that take effect together or not at all, and who waits for them."""

    __slots__ = ("answer", "commands", "keyed", "metadata", "replayed", "uncertain")

    def __init__(self, commands: Sequence[Command], metadata: Metadata, *, keyed: bool) -> None:
        self.commands = commands
        self.metadata = metadata
        #: Whether another submission may have had the same command id before.
        self.keyed = keyed
        #: Whether an earlier try may have committed it, though its COMMIT was never heard to succeed.
        self.uncertain = False
        #: Whether the last try found that an earlier submission had done it.
        self.replayed = False
        self.answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    def resolve(self, outcome: Recorded | Exception) -> None:
        """Answer whoever waits. Nobody does where the caller was cancelled: what has happened has happened."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


def process_batch(work: UnitOfWork, submissions: Sequence[Submission], now: int) -> list[Recorded | Exception]:
    """Decide `submissions` in their order and record what they make; give the outcome of each.

    A CommandRejectedError is an outcome: it concerns one submission alone. `now` is in microseconds since the epoch.
    """
    done = _Done(work, submissions)
    for submission in submissions:
        # What is not in the log under its lock never will be; what is must be looked up again if this try fails.
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
    work.keep(draft.snapshots(work.record(draft.proposed, now)))
    return outcomes


class _Done:
    """What was done before under the command ids that may have been used before: by the log, or in this transaction."""

    def __init__(self, work: UnitOfWork, submissions: Sequence[Submission]) -> None:
        self._work = work
        asked = {s.metadata.command_id for s in submissions if s.keyed or s.uncertain}
        self._events: dict[str, list[RecordedEvent]] = {}
        for event in work.commands(asked) if asked else ():
            self._events.setdefault(event.metadata.command_id, []).append(event)
        self._now: dict[str, tuple[bytes, Recorded]] = {}

    def has(self, submission: Submission) -> bool:
        """Tell whether the log has what `submission` is to do."""
        return submission.metadata.command_id in self._events

    def note(self, submission: Submission, recorded: Recorded) -> None:
        """Remember what `submission` did, for another with the same id in the same transaction."""
        if submission.keyed and not recorded.replayed:
            self._now[submission.metadata.command_id] = (submission.metadata.fingerprint, recorded)

    def replay(self, submission: Submission) -> Recorded | None:
        """Give what was answered at the time, None where nothing was. Raises IdempotencyKeyReusedError."""
        metadata = submission.metadata
        if earlier := self._now.get(metadata.command_id):
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
        begun = isinstance(event.event, ItemCreated)
        return fold([event] if begun else self._work.streams([event.item_id], through=event.position))


class _Draft:
    """What is decided so far: the items as they are by now, and the events to record."""

    def __init__(self, work: UnitOfWork, submissions: Sequence[Submission]) -> None:
        self.proposed: list[ProposedEvent] = []
        self._recorded = work.head.position
        self._items: dict[int, Item] = {}
        #: The version from which each item was loaded: the one of its last snapshot.
        self._loaded: dict[int, int] = {}
        touched = {c.item_id for s in submissions for c in s.commands if not isinstance(c, CreateItem)}
        if touched:
            for item_id, stream in groupby(work.streams(touched), key=lambda recorded: recorded.item_id):
                events = list(stream)
                self._items[item_id] = fold(events)
                self._loaded[item_id] = events[0].version

    @property
    def position(self) -> int:
        """The log's position once what is decided so far is recorded."""
        return self._recorded + len(self.proposed)

    def decide(self, submission: Submission) -> Recorded:
        """Decide all of a submission's commands. Raises CommandRejectedError, and then none has changed anything."""
        proposed: list[ProposedEvent] = []
        items: dict[int, Item] = {}
        touched: list[int] = []
        position = self.position
        for command in submission.commands:
            item_id = position + len(proposed) + 1 if isinstance(command, CreateItem) else command.item_id
            item = items.get(item_id) or self._items.get(item_id, NoItem())
            for event in decide(command, item):
                item = evolve(item, event)
                proposed.append(ProposedEvent(item_id, item.version, event, submission.metadata, len(proposed)))
            items[item_id] = item
            touched.append(item_id)
        self.proposed += proposed
        self._items |= items
        after = tuple((item_id, items[item_id]) for item_id in touched)
        return Recorded(after, position + len(proposed))

    def snapshots(self, recorded: Sequence[RecordedEvent]) -> list[Snapshot]:
        """Give a snapshot of each item that is due for one. A deleted item's waits until it is restored."""
        last = {event.item_id: event.position for event in recorded}
        return [
            Snapshot(item_id, item.version, last[item_id], ItemCreated(item.name, item.price, item.in_stock))
            for item_id, loaded in self._loaded.items()
            if item_id in last
            and isinstance(item := self._items[item_id], LiveItem)
            and item.version - loaded >= SNAPSHOT_EVERY
        ]
