"""The queue and the group commit: concurrent commands become one short transaction, answered after its COMMIT.

One appender at a time makes position order commit order; committing in groups makes that fast. Both are one mechanism.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from msgspec import Struct
from sqlalchemy import Connection

from commands.errors import CommandRejectedError, QueueFullError, WriterClosedError
from commands.item import Command, Item, NoItem, decide, evolve
from eventstore.database import Database
from eventstore.errors import OutcomeUnknownError, UnavailableError
from eventstore.events import Metadata, ProposedEvent, RecordedEvent
from eventstore.unit_of_work import Projector, UnitOfWork, unit_of_work

#: A transaction that failed for a passing reason is run again after each of these pauses, in seconds; then it fails.
_RETRY_PAUSES = (0.01, 0.1, 0.5)


class Recorded(Struct, frozen=True):
    """What a command did, once it is committed."""

    item_id: int
    #: The item after the command.
    item: Item
    #: The position of the command's last event; of the log where it made none.
    position: int


class _Submission:
    """A command on its way, and who waits for it."""

    __slots__ = ("answer", "command", "metadata")

    def __init__(self, command: Command, metadata: Metadata) -> None:
        self.command = command
        self.metadata = metadata
        self.answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    @property
    def item_id(self) -> int | None:
        return getattr(self.command, "item_id", None)

    def resolve(self, outcome: Recorded | Exception) -> None:
        if self.answer.done():  # its caller was cancelled: what happened has happened
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class _Batch:
    """Submissions that share a transaction, and whether an earlier try of it may have committed."""

    def __init__(self, submissions: Sequence[_Submission], *, uncertain: bool = False) -> None:
        self.submissions = submissions
        self.uncertain = uncertain


class Writer:
    """Takes commands one by one, writes them in groups. At most `max_queue` wait; `max_batch` share a COMMIT."""

    def __init__(
        self,
        database: Database,
        projectors: Sequence[Projector],
        *,
        max_queue: int = 1024,
        max_batch: int = 32,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._database = database
        self._projectors = projectors
        self._max_queue = max_queue
        self._max_batch = max_batch
        self._clock = clock
        self._queue: deque[_Submission] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="writer")

    @property
    def alive(self) -> bool:
        """Whether commands that are submitted now get written."""
        return not self._closing and not self._task.done()

    async def submit(self, command: Command, metadata: Metadata) -> Recorded:
        """Write `command` and return after COMMIT.

        Raises CommandRejectedError, QueueFullError or WriterClosedError where nothing was done, UnavailableError where
        nothing was committed, OutcomeUnknownError where that can't be known, and the database's error for a command
        that it refuses. Cancelling the caller changes nothing about the command.
        """
        if not self.alive:
            raise WriterClosedError
        if len(self._queue) >= self._max_queue:
            raise QueueFullError
        submission = _Submission(command, metadata)
        self._queue.append(submission)
        self._wake.set()
        return await submission.answer

    async def close(self) -> None:
        """Take no more commands, write those that wait, and stop."""
        self._closing = True
        self._wake.set()
        await self._task

    async def _run(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            size = min(len(self._queue), self._max_batch)
            await self._commit(_Batch([self._queue.popleft() for _ in range(size)]))

    async def _commit(self, batch: _Batch) -> None:
        failure: Exception = UnavailableError()
        for pause in (0, *_RETRY_PAUSES):
            await asyncio.sleep(pause)
            try:
                outcomes = await self._database.write(lambda connection: self._transact(connection, batch))
            except OutcomeUnknownError as error:
                batch.uncertain = True
                failure = error
            except UnavailableError as error:
                failure = error
            except Exception as error:
                await self._isolate(batch, error)
                return
            else:
                _resolve(batch, outcomes)
                return
        # What waits would wait as long again, batch by batch, while its clients leave. Nothing of it was ever sent.
        while self._queue:
            self._queue.popleft().resolve(UnavailableError())
        if batch.uncertain and not isinstance(failure, OutcomeUnknownError):
            failure = OutcomeUnknownError()
        _resolve(batch, [failure] * len(batch.submissions))

    async def _isolate(self, batch: _Batch, error: Exception) -> None:
        """Keep a command that the database refuses from failing its neighbours: run each by itself."""
        if len(batch.submissions) == 1:
            batch.submissions[0].resolve(OutcomeUnknownError() if batch.uncertain else error)
            return
        for submission in batch.submissions:
            await self._commit(_Batch([submission], uncertain=batch.uncertain))

    def _transact(self, connection: Connection, batch: _Batch) -> Sequence[Recorded | Exception]:
        with unit_of_work(connection, self._projectors) as work:
            committed = _committed_before(work, batch)
            # What is not in the log under its lock never will be; what is must be looked up again if this try fails.
            batch.uncertain = bool(committed)
            undecided = [submission for submission in batch.submissions if submission not in committed]
            items = _items(work, {s.item_id for s in undecided if s.item_id is not None})
            outcomes: list[Recorded | Exception] = []
            proposed: list[ProposedEvent] = []
            for submission in batch.submissions:
                position = work.head.position + len(proposed)
                item_id = position + 1 if submission.item_id is None else submission.item_id
                outcome: Recorded | Exception
                try:
                    outcome = committed.get(submission) or _decide(submission, item_id, position, items, proposed)
                except CommandRejectedError as rejection:
                    outcome = rejection
                outcomes.append(outcome)
            work.record(proposed, self._clock())
        return outcomes


def _decide(
    submission: _Submission, item_id: int, position: int, items: dict[int, Item], proposed: list[ProposedEvent]
) -> Recorded:
    item = items.get(item_id, NoItem())
    decided = decide(submission.command, item)
    for ordinal, event in enumerate(decided):
        item = evolve(item, event)
        proposed.append(ProposedEvent(item_id, item.version, event, submission.metadata, ordinal))
    items[item_id] = item
    return Recorded(item_id, item, position + len(decided))


def _items(work: UnitOfWork, item_ids: set[int]) -> dict[int, Item]:
    if not item_ids:
        return {}
    streams = groupby(work.streams(item_ids), key=lambda event: event.item_id)
    return {item_id: _fold(stream) for item_id, stream in streams}


def _fold(stream: Iterable[RecordedEvent]) -> Item:
    item: Item = NoItem()
    for recorded in stream:
        item = evolve(item, recorded.event)
    return item


def _committed_before(work: UnitOfWork, batch: _Batch) -> dict[_Submission, Recorded]:
    """Find what an earlier try of this batch has committed, though its COMMIT was never heard to succeed."""
    if not batch.uncertain:
        return {}
    by_id = {submission.metadata.command_id: submission for submission in batch.submissions}
    last = {event.metadata.command_id: event for event in work.commands(by_id)}
    committed = {}
    for command_id, event in last.items():
        item = _fold(earlier for earlier in work.streams([event.item_id]) if earlier.position <= event.position)
        committed[by_id[command_id]] = Recorded(event.item_id, item, event.position)
    return committed


def _resolve(batch: _Batch, outcomes: Sequence[Recorded | Exception]) -> None:
    for submission, outcome in zip(batch.submissions, outcomes, strict=True):
        submission.resolve(outcome)
