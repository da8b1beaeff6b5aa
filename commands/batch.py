"""One batch of submissions: each is replayed, decided, or rejected. Pure: data in, data out."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from commands.errors import CommandRejectedError, IdempotencyKeyReusedError
from commands.item import Command, CreateItem, decide
from eventstore.events import ItemCreated, Metadata, RecordedEvent
from eventstore.item import NOTHING, Item, LiveItem, StateAt, Transition, evolve, fold, last_state
from eventstore.log.past import Needs, Past
from eventstore.log.snapshots import Snapshot

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


class Decided(Struct, frozen=True):
    """What a batch did."""

    #: The outcome of each submission; a CommandRejectedError is one.
    outcomes: Sequence[Recorded | Exception]
    #: The events to append, each with the states of its item.
    transitions: Sequence[Transition]
    snapshots: Sequence[Snapshot]


def needs_of(submissions: Sequence[Submission]) -> Needs:
    """Return what must be read before `submissions` are decided: nothing where all create items."""
    return Needs(
        {c.item_id for s in submissions for c in s.commands if not isinstance(c, CreateItem)},
        {s.metadata.command_id for s in submissions if s.keyed or s.uncertain},
    )


def decide_batch(past: Past, submissions: Sequence[Submission], now: int) -> Decided:
    """Decide `submissions` in their order. `now` is in microseconds since the epoch.

    Time in the log never goes back, so a clock that does is overruled.
    """
    done = _Done(past)
    draft = _Draft(past, max(now, past.head.recorded_at))
    outcomes: list[Recorded | Exception] = []
    for submission in submissions:
        # Under the lock, what the log does not have now no earlier try can still commit. What it has must be looked up
        # again if this try fails.
        repeatable = submission.keyed or submission.uncertain
        submission.uncertain = submission.uncertain and submission.metadata.command_id in past.commands
        outcome: Recorded | Exception
        try:
            outcome = (done.replay(submission) if repeatable else None) or draft.decide(submission)
        except CommandRejectedError as rejection:
            rejection.position = draft.position
            outcome = rejection
        else:
            submission.replayed = outcome.replayed
            done.note(submission, outcome)
        outcomes.append(outcome)
    return Decided(outcomes, draft.transitions, draft.snapshots())


class _Done:
    """Earlier results under command ids that may be repeated: in the log, or in this batch."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._this_batch: dict[str, tuple[bytes, Recorded]] = {}

    def note(self, submission: Submission, recorded: Recorded) -> None:
        """Remember the result of `submission` for a later one with the same id in this batch."""
        if submission.keyed and not recorded.replayed:
            self._this_batch[submission.metadata.command_id] = (submission.metadata.fingerprint, recorded)

    def replay(self, submission: Submission) -> Recorded | None:
        """Return the earlier result, or None if there is none. Raises IdempotencyKeyReusedError."""
        metadata = submission.metadata
        if earlier := self._this_batch.get(metadata.command_id):
            fingerprint, recorded = earlier
            recorded = Recorded(recorded.items, recorded.position, replayed=True)
        elif events := self._past.commands.get(metadata.command_id):
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
        return fold([event] if is_first else self._past.results[event.position])


class _Draft:
    """The decisions so far: the items' current states, and the events to append."""

    def __init__(self, past: Past, recorded_at: int) -> None:
        self.transitions: list[Transition] = []
        self._past = past
        self._recorded_at = recorded_at
        self._states = {item_id: last_state(stream) for item_id, stream in past.streams.items()}

    @property
    def position(self) -> int:
        """The log's position after the events decided so far."""
        return self._past.head.position + len(self.transitions)

    def decide(self, submission: Submission) -> Recorded:
        """Decide all commands of a submission. Raises CommandRejectedError, and then none has an effect."""
        transitions: list[Transition] = []
        states: dict[int, StateAt] = {}
        changed_ids: list[int] = []
        position = self.position
        for command in submission.commands:
            item_id = position + 1 if isinstance(command, CreateItem) else command.item_id
            item, since = states.get(item_id) or self._states.get(item_id, NOTHING)
            for event in decide(command, item):
                after, position = evolve(item, event), position + 1
                recorded = RecordedEvent(
                    *(position, item_id, after.version, self._recorded_at, event, submission.metadata, len(transitions))
                )
                transitions.append(Transition(recorded, item, after, since))
                item, since = after, position
            states[item_id] = item, since
            changed_ids.append(item_id)
        self.transitions += transitions
        self._states |= states
        return Recorded(tuple((item_id, states[item_id][0]) for item_id in changed_ids), position)

    def snapshots(self) -> list[Snapshot]:
        """Return a snapshot of each item that is due for one; of a deleted item only after it is restored."""
        recorded, taken = self._past.head.position, list[Snapshot]()
        for item_id, stream in self._past.streams.items():
            item, since = self._states[item_id]
            due = stream[0].version + SNAPSHOT_EVERY_EVENTS
            if since > recorded and isinstance(item, LiveItem) and item.version >= due:
                content = ItemCreated(item.name, item.price, item.in_stock)
                taken.append(Snapshot(item_id, item.version, since, content))
        return taken
