"""Following the log: every subscriber gets every event once and in order, and new events are read once for all."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Any

import pytest

from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from eventstore.log import history, tail
from eventstore.log.history import Filter, StoredEvent
from eventstore.log.tail import Subscriber, Tail
from tests.eventstore.log.test_history import found, log_of_six
from tests.eventstore.recording import changed, created, opened, record
from tests.support.plans import statements

SEED = 11
NEVER = 3600.0
EVERY = Filter()
#: One filter for each value, and some with several.
FILTERS = (
    EVERY,
    Filter(item_id=1),
    Filter(type="item.changed.v1"),
    Filter(actor="ann"),
    Filter(correlation_id="trace"),
    Filter(command_id="six"),
    Filter(item_id=1, type="item.created.v1"),
    Filter(actor="nobody"),
)


def position(event: StoredEvent) -> int:
    return event.position


@asynccontextmanager
async def following(database: Database, **options: Any) -> AsyncIterator[Tail[int]]:
    """Run a tail that converts each event to its position, and that looks for new events only when woken."""
    followed = Tail(database, position, **{"poll": NEVER, **options})
    running = asyncio.create_task(followed.run())
    yield followed
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def take(subscriber: Subscriber[int], through: int) -> list[int]:
    """Take events until those up to the position `through` are taken."""
    taken: list[int] = []
    async with asyncio.timeout(300):
        while subscriber.position < through:
            begin = subscriber.position
            events = await subscriber.take()
            assert all(event.position == prepared for event, prepared in events)
            taken += [prepared for _, prepared in events]
            if subscriber.position == begin:
                await subscriber.wait(NEVER)
    return taken


class Log:
    """A log that grows, by new items and by one item whose versions continue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._versions = count(2)
        self.position = 0

    async def grow(self, events: int) -> None:
        """Record so many events, in one transaction."""
        positions = range(self.position + 1, self.position + events + 1)
        proposed = [changed(1, next(self._versions)) if at % 3 == 0 else created(at) for at in positions]
        await record(self._database, proposed)
        self.position += events


@contextmanager
def reads(database: Database) -> Iterator[list[str]]:
    """Collect the statements inside that read events."""
    found: list[str] = []
    with statements(database) as sent:
        yield found
    found += [sql for sql, _ in sent if "FROM events" in sql.replace("\n", " ")]


async def test_a_filter_selects_the_same_from_new_and_from_old_events(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(database) as followed, _several(followed, FILTERS) as early:
        await log_of_six(database)
        followed.wake()
        new = [await take(subscriber, 6) for subscriber in early]
    monkeypatch.setattr(tail, "_KEPT_EVENTS", 0)  # later subscribers read the log
    async with following(database) as followed, _several(followed, FILTERS) as late:
        old = [await take(subscriber, 6) for subscriber in late]
    assert new == old == [await found(database, chosen) for chosen in FILTERS]


def _values(chosen: Filter) -> dict[str, Any]:
    return {name: getattr(chosen, name) for name in Filter.__struct_fields__}


async def test_every_subscriber_gets_every_event_once_and_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {SEED}")  # noqa: T201
    chance = random.Random(SEED)
    for name, few in {"_PAGE_EVENTS": 3, "_READ_EVENTS": 5, "_KEPT_EVENTS": 7, "_PAUSE_SECONDS": 0}.items():
        monkeypatch.setattr(tail, name, few)
    log = Log(database)
    await log.grow(20)
    end = 200

    async def follow(after: int, chosen: Filter, followed: Tail[int]) -> list[int]:
        taken: list[int] = []
        while after < end:
            with followed.subscribe(Filter(**{**_values(chosen), "after": after})) as subscriber:
                through = min(end, after + chance.randrange(1, 80))
                taken += await take(subscriber, through)
                after = subscriber.position
            await asyncio.sleep(chance.random() * 0.02)
        return taken

    async with following(database) as followed:
        follows = [(chance.randrange(20), chance.choice(FILTERS)) for _ in range(20)]
        following_all = asyncio.gather(*[follow(after, chosen, followed) for after, chosen in follows])
        while log.position < end:
            await log.grow(min(chance.randrange(1, 12), end - log.position))
            followed.wake()
            await asyncio.sleep(chance.random() * 0.01)
        taken = await following_all
    for (after, chosen), positions in zip(follows, taken, strict=True):
        assert positions == await found(database, Filter(**{**_values(chosen), "after": after}), limit=end)


async def test_subscribers_at_the_end_share_one_read(database: Database) -> None:
    log = Log(database)
    await log.grow(3)
    async with following(database) as followed, _several(followed, [EVERY] * 30) as subscribers:
        await asyncio.gather(*[take(subscriber, 3) for subscriber in subscribers])
        with reads(database) as read:
            await log.grow(2)
            followed.wake()
            assert await asyncio.gather(*[take(subscriber, 5) for subscriber in subscribers]) == [[4, 5]] * 30
        assert len(read) == 1


@asynccontextmanager
async def _several(followed: Tail[int], filters: Sequence[Filter]) -> AsyncIterator[list[Subscriber[int]]]:
    with ExitStack() as stack:
        yield [stack.enter_context(followed.subscribe(chosen)) for chosen in filters]


async def test_a_subscriber_that_returns_soon_finds_new_events_in_memory(database: Database) -> None:
    log = Log(database)
    await log.grow(100)
    async with following(database) as followed:
        with followed.subscribe(Filter(after=100)) as watching:
            await log.grow(1)
            followed.wake()
            await take(watching, 101)
            with reads(database) as read, followed.subscribe(Filter(after=3)) as back:
                assert await take(back, 101) == list(range(4, 102))
    assert read == []


async def test_an_idle_subscriber_uses_no_memory(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"_PAGE_EVENTS": 3, "_READ_EVENTS": 5, "_KEPT_EVENTS": 7}.items():
        monkeypatch.setattr(tail, name, few)
    log = Log(database)
    async with following(database) as followed:
        with followed.subscribe(EVERY) as idle, followed.subscribe(EVERY) as reading:
            for _ in range(10):
                await log.grow(10)
                followed.wake()
                await take(reading, log.position)
                assert len(followed._recent) <= 2 * 7
            assert await take(idle, 100) == list(range(1, 101))


async def test_nothing_is_read_without_subscribers(database: Database) -> None:
    log = Log(database)
    async with following(database, poll=0.01) as followed:
        with reads(database) as read:
            for _ in range(3):
                await log.grow(1)
                followed.wake()
                await asyncio.sleep(0.03)
        assert read == []
        with followed.subscribe(EVERY) as subscriber:
            assert await take(subscriber, 3) == [1, 2, 3]


async def test_events_recorded_without_subscribers_are_read_only_on_request(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_KEPT_EVENTS", 4)
    log = Log(database)
    async with following(database) as followed:
        for after in (0, 50):
            await log.grow(50)
            with followed.subscribe(Filter(after=log.position)) as at_the_end:
                await log.grow(1)
                followed.wake()
                assert await take(at_the_end, log.position) == [log.position]
                assert len(followed._recent) <= 2 * 4
                with followed.subscribe(Filter(after=after)) as behind:
                    assert await take(behind, log.position) == list(range(after + 1, log.position + 1))


async def test_the_position_advances_where_nothing_matches(database: Database) -> None:
    log = Log(database)
    await log.grow(300)
    async with following(database) as followed:
        for after in (0, 299):
            with followed.subscribe(Filter(actor="nobody", after=after)) as subscriber:
                assert await take(subscriber, 300) == []
                assert subscriber.position == 300


async def test_each_take_reads_a_bounded_part_of_the_log(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_KEPT_EVENTS", 0)
    monkeypatch.setattr(history, "SCAN_LIMIT", 10)
    log, places = Log(database), list[int]()
    await log.grow(100)
    async with following(database) as followed, asyncio.timeout(300):
        with followed.subscribe(Filter(item_id=1, actor="nobody")) as subscriber:
            while subscriber.position < 100:
                begin = subscriber.position
                assert not await subscriber.take()
                if subscriber.position == begin:
                    await subscriber.wait(NEVER)
                else:
                    places.append(subscriber.position)
    assert places == [27, 57, 87, 100]  # every third event is the item's


async def test_events_without_a_notification_are_found_by_polling(database: Database, database_url: str) -> None:
    async with following(database, poll=0.02) as followed, opened(database_url) as other:
        with followed.subscribe(EVERY) as subscriber:
            await take(subscriber, 0)
            await record(other, [created(1), created(2)])
            assert await take(subscriber, 2) == [1, 2]


async def test_the_tail_resumes_after_the_database_was_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = database.read
    log = Log(database)
    await log.grow(10)

    async def away(*_: Any) -> Sequence[Any]:
        raise UnavailableError

    followed = Tail(database, position, poll=NEVER)
    with followed.subscribe(EVERY) as subscriber:
        monkeypatch.setattr(database, "read", away)
        with pytest.raises(UnavailableError):
            await followed.run()
        monkeypatch.setattr(database, "read", read)
        running = asyncio.create_task(followed.run())
        assert await take(subscriber, 10) == list(range(1, 11))
        running.cancel()


async def test_few_subscribers_read_pages_at_the_same_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"_PAGE_EVENTS": 3, "_KEPT_EVENTS": 0}.items():
        monkeypatch.setattr(tail, name, few)
    log = Log(database)
    await log.grow(30)
    async with following(database) as followed, _several(followed, [EVERY] * 20) as subscribers:
        reading, most = 0, 0
        read = database.read

        async def counting(statement: Any, parameters: Any = None) -> Sequence[Any]:
            nonlocal reading, most
            if not parameters or parameters.get("after", 0) > 30:  # the tail itself, at the end of the log
                return await read(statement, parameters)
            reading += 1
            most = max(most, reading)
            rows = await read(statement, parameters)
            reading -= 1
            return rows

        with followed.subscribe(Filter(after=30)) as at_the_end:
            await log.grow(1)
            followed.wake()
            await take(at_the_end, 31)
            monkeypatch.setattr(database, "read", counting)
            taken = await asyncio.gather(*[take(subscriber, 30) for subscriber in subscribers])
    assert taken[0][:30] == list(range(1, 31))
    assert most == 2


async def test_a_waiting_subscriber_is_woken_on_request(database: Database) -> None:
    async with following(database) as followed:
        with followed.subscribe(EVERY) as one, followed.subscribe(EVERY) as other:
            wakers: list[Callable[[], None]] = [one.wake, followed.wake_subscribers]
            for wake in wakers:
                waiting = asyncio.create_task(one.wait(NEVER))
                await asyncio.sleep(0)
                wake()
                await waiting
            await other.wait(NEVER)
