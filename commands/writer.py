"""The queue and the group commit: concurrent commands share one short transaction and return after its COMMIT.

One appender at a time makes position order commit order. Group commit makes that fast.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf

from commands.batch import Recorded, Submission, decide_batch, needs_of
from commands.errors import QueueFullError, WriterClosedError
from commands.item import Command
from eventstore.clock import MAX_SKEW, SECOND, now
from eventstore.database.database import Database
from eventstore.database.failures import concerns_one_command
from eventstore.errors import (
    ClockJumpError,
    EventStoreError,
    NewerTableError,
    OutcomeUnknownError,
    UnavailableError,
    WriteFailedError,
)
from eventstore.events import Metadata
from eventstore.log.past import Past
from eventstore.log.write_set import Projector, WriteSet, build

log = logging.getLogger("itemledger.writer")

#: A transaction with a transient failure is retried after each of these pauses; then it fails.
_RETRY_PAUSES_SECONDS = (0.01, 0.1, 0.5)

#: The shortest time between two questions whether the database accepts writes again, and the longest for an answer.
_PROBE_SECONDS = 1.0

#: The fraction of the time that bulk submissions get while there are others.
_BULK_SHARE = 1 / 64
#: The longest pause between two bulk submissions.
_MAX_BULK_PAUSE_SECONDS = 2.0


class Writer:
    """Writes commands in groups: at most `max_queue` submissions wait, and `max_batch` commands share a COMMIT.

    A bulk submission has more than `max_batch` commands. It is written alone, and waits in a queue of `max_bulk`. While
    there are other submissions, bulk gets 1/64 of the time, so that few others ever wait for it. `committed` is called
    when the log may have new events, and `failed` if the writer itself fails: it writes nothing from then on.
    """

    def __init__(
        self,
        database: Database,
        projector: Projector,
        *,
        max_queue: int = 1024,
        max_batch: int = 32,
        max_bulk: int = 16,
        clock: Callable[[], int] = now,
        committed: Callable[[], None] = lambda: None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._projector = projector
        self._max_batch = max_batch
        self._clock = clock
        self._committed = committed
        self._queue = _Queue(max_queue)
        self._bulk = _Queue(max_bulk)
        self._wake = asyncio.Event()
        self._closing = False
        #: Whether only bulk was written since the last bulk; if not, the next may begin at `_bulk_turn`.
        self._only_bulk = True
        self._bulk_turn = 0.0
        self._failed = failed
        #: The submissions that are being written.
        self._batch: Sequence[Submission] = ()
        #: The error of the last batch, if nothing could be written.
        self._failure: Exception | None = None
        self._next_probe = 0.0
        #: Whether the clock is behind the last event.
        self._behind = False
        self._task = asyncio.create_task(self._run(), name="writer")

    @property
    def alive(self) -> bool:
        """Whether commands submitted now will be written."""
        return not self._closing and not self._task.done()

    async def submit(self, *commands: Command, metadata: Metadata, keyed: bool = False) -> Recorded:
        """Write `commands`, all or none, and return after COMMIT.

        `keyed`: the metadata's command id may have been used before. If the log has it, nothing is written, and the
        earlier result is returned as `replayed`. Cancelling the caller does not cancel the command. Raises
        CommandRejectedError, QueueFullError or WriterClosedError where nothing was done, UnavailableError where nothing
        was committed, OutcomeUnknownError where that is unknown, and the database's error for a refused command.
        """
        if not self.alive:
            raise WriterClosedError
        submission = Submission(commands, metadata, keyed=keyed)
        (self._queue if len(commands) <= self._max_batch else self._bulk).put(submission)
        self._wake.set()
        return await submission.answer

    async def check(self) -> None:
        """Raise the error for which commands fail at present, if they do. Writes nothing to the log.

        After a failure the database is asked whether it accepts writes again, at most once a second.
        """
        self._clock()
        self._database.check_files()
        if self._failure is None:
            return
        if time.monotonic() >= self._next_probe:
            self._next_probe = time.monotonic() + _PROBE_SECONDS
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._probe()
            except EventStoreError as error:
                self._failure = error
            except TimeoutError:
                self._failure = UnavailableError()
            else:
                self._note(None)
        if self._failure is not None:
            raise self._failure

    async def _probe(self) -> None:
        await self._database.check_writable()
        if isinstance(self._failure, NewerTableError):
            await self._database.write(self._projector.refresh)
            self._projector.fold([])

    def _note_answered(self) -> None:
        """Remember that a batch was answered. One that appended nothing does not show that one can append."""
        if self._failure is not None:
            with suppress(NewerTableError):
                self._projector.fold([])
                self._note(None)

    def _note(self, failure: Exception | None) -> None:
        """Remember whether writes fail, and log it where that changes."""
        if failure is not None and self._failure is None:
            log.error("writes fail: %s (%s)", failure, failure.__cause__)
        elif failure is None and self._failure is not None:
            log.info("writes succeed again")
        self._failure = failure

    def _note_clock(self, behind: int) -> None:
        """Log where the clock begins to be behind the last event by `behind` microseconds: nothing else tells of it."""
        if (is_behind := behind > MAX_SKEW) and not self._behind:
            log.warning(
                "the clock is %d s behind the last event: until it has passed that, events get its time",
                behind // SECOND,
            )
        self._behind = is_behind

    async def close(self) -> None:
        """Refuse new commands, write the waiting ones, and stop."""
        self._closing = True
        self._wake.set()
        await self._task

    async def _run(self) -> None:
        try:
            await self._write_all()
        except Exception as error:
            self._closing = True
            log.critical("the writer failed; the process stops", exc_info=error)
            for submission in self._batch:
                submission.resolve(OutcomeUnknownError())  # unless it has its outcome
            for submission in (*self._queue.take(), *self._bulk.take()):
                submission.resolve(WriterClosedError())
            self._failed()

    async def _write_all(self) -> None:
        while self._queue or self._bulk or not self._closing:
            if self._bulk and self._may_bulk():
                await self._commit_bulk()
            elif self._queue:
                self._only_bulk = False
                await self._commit_batch(self._queue.take(self._max_batch))
            else:
                await self._wait()

    def _may_bulk(self) -> bool:
        no_others = self._only_bulk and not self._queue
        return no_others or self._closing or time.monotonic() >= self._bulk_turn

    async def _commit_bulk(self) -> None:
        started = time.monotonic()
        await self._commit_batch(self._bulk.take(1))
        ended = time.monotonic()
        # Limited: a commit that takes longer mostly waits for a lock or the database, which takes no time from others.
        self._bulk_turn = ended + min((ended - started) * (1 / _BULK_SHARE - 1), _MAX_BULK_PAUSE_SECONDS)
        self._only_bulk = True

    async def _wait(self) -> None:
        """Wait for submissions, or for the turn of the next bulk."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._bulk_turn - time.monotonic() if self._bulk else None):
                await self._wake.wait()

    async def _commit_batch(self, batch: Sequence[Submission]) -> None:
        self._batch = batch
        await self._commit(batch)

    async def _commit(self, batch: Sequence[Submission]) -> None:
        failure: Exception = UnavailableError()
        for pause in (0, *_RETRY_PAUSES_SECONDS):
            await asyncio.sleep(pause)
            try:
                outcomes = await self._append(batch)
            except OutcomeUnknownError as error:
                for submission in batch:
                    submission.uncertain = not submission.replayed
                failure = error
            except UnavailableError as error:
                failure = error
            except ClockJumpError as error:
                failure = error
                break
            except Exception as error:
                await self._fail(batch, error)
                return
            else:
                for submission, outcome in zip(batch, outcomes, strict=True):
                    submission.resolve(outcome)
                self._committed()
                self._note_answered()
                return
        self._note(failure)
        # Waiting submissions were never sent. Fail them now: batch by batch they would wait as long again.
        for submission in (*self._queue.take(), *self._bulk.take()):
            submission.resolve(failure if isinstance(failure, ClockJumpError) else UnavailableError())
        for submission in batch:
            submission.resolve(OutcomeUnknownError() if submission.uncertain else failure)

    async def _append(self, batch: Sequence[Submission]) -> Sequence[Recorded | Exception]:
        time = self._clock()

        def decide(past: Past) -> tuple[WriteSet | None, Sequence[Recorded | Exception]]:
            self._note_clock(past.head.recorded_at - time)
            decided = decide_batch(past, batch, time)
            if not decided.transitions:
                return None, decided.outcomes
            return build(past.head, decided.transitions, self._projector, decided.snapshots), decided.outcomes

        locked = any(submission.uncertain for submission in batch)
        bulk = any(len(submission.commands) > self._max_batch for submission in batch)
        return await self._database.append(needs_of(batch), decide, self._projector, locked=locked, bulk=bulk)

    async def _fail(self, batch: Sequence[Submission], error: Exception) -> None:
        """Fail a batch that the database refuses, or run each submission alone where one may be to blame."""
        if len(batch) > 1 and concerns_one_command(error):
            for submission in batch:
                await self._commit([submission])
            return
        if isinstance(error, NewerTableError):
            self._note(error)  # every batch fails until this process is replaced
        elif not concerns_one_command(error):
            log.error("a batch of %d writes failed", len(batch), exc_info=error)
            error = WriteFailedError()
        for submission in batch:
            submission.resolve(OutcomeUnknownError() if submission.uncertain else error)


class _Queue:
    """Waiting submissions, at most `room` of them."""

    def __init__(self, room: int) -> None:
        self._waiting: deque[Submission] = deque()
        self._room = room

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, submission: Submission) -> None:
        if len(self._waiting) >= self._room:
            raise QueueFullError
        self._waiting.append(submission)

    def take(self, commands: float = inf) -> list[Submission]:
        """Remove and return the first submissions, until they have `commands` commands or none are left."""
        taken: list[Submission] = []
        while self._waiting and commands > 0:
            taken.append(self._waiting.popleft())
            commands -= len(taken[-1].commands)
        return taken
