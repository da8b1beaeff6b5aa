"""The history page by page, in either direction: exactly the events of the query, and whether it is final."""

import random
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import pytest
from msgspec.structs import replace

from eventstore.database.database import Database
from eventstore.events import Metadata
from eventstore.log import history
from eventstore.log.history import Filter, StoredEvent
from eventstore.log.history_reader import HistoryPage, HistoryReader
from tests.eventstore.recording import ProposedEvent, Unprojected, changed, created, record

VALUES: dict[str, list[Any]] = {
    "item_id": [None, 1, 2, 99],
    "type": [None, "item.created.v1", "item.changed.v1"],
    "actor": [None, "ann", "bob"],
    "credential": [None, "key:ann"],
    "correlation_id": [None, "trace"],
    "command_id": [None, "command 7"],
}


class Log:
    """Return a log with random events, and its events."""

    def __init__(self, database: Database, seed: int) -> None:
        self.reader = HistoryReader(database)
        self.events: list[StoredEvent] = []
        self._database = database
        self._chance = random.Random(seed)
        self._versions: dict[int, int] = {}

    async def grow(self, units: int) -> None:
        for _ in range(units):
            number, unit = len(self.events), []
            actor = self._chance.choice(["ann", "bob", "bob"])
            trace = self._chance.choice([None, "trace", f"trace {number}"])
            credential = self._chance.choice([None, f"key:{actor}"])
            metadata = Metadata(f"command {number}", actor, credential, correlation_id=trace)
            for ordinal in range(self._chance.randrange(1, 4)):
                item_id = self._chance.choice([1, 1, 2, number + ordinal + 1])
                version = self._versions[item_id] = self._versions.get(item_id, 0) + 1
                event = (created(item_id) if version == 1 else changed(item_id, version)).event
                unit.append(ProposedEvent(item_id, version, event, metadata, ordinal))
            # Item streams do not matter here: an item need not be created at the position of its id.
            await record(self._database, unit, now=10 * (number // 3), projector=Unprojected())
            page = await self.reader.page(Filter(after=number), 1000)
            self.events += page.events
        assert [event.position for event in self.events] == list(range(1, len(self.events) + 1))

    def expected(self, chosen: Filter, times: dict[str, int], newest_first: bool) -> list[StoredEvent]:
        given = {name: getattr(chosen, name) for name in VALUES if getattr(chosen, name) is not None}
        found = [
            event
            for event in self.events
            if chosen.after < event.position < chosen.before
            and times.get("since", 0) <= event.recorded_at <= times.get("until", event.recorded_at)
            and all(getattr(event, name) == value for name, value in given.items())
        ]
        return found[::-1] if newest_first else found


@pytest.fixture
async def log(database: Database, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(history, "SCAN_LIMIT", 6)
    filled = Log(database, seed=3)
    await filled.grow(25)
    return filled


def questions(chance: random.Random, events: Sequence[StoredEvent]) -> list[dict[str, Any]]:
    """Return queries: every combination of values, between random bounds."""
    asked = []
    for values in product(*VALUES.values()):
        chosen = Filter(**dict(zip(VALUES, values, strict=True)))
        positions = sorted(chance.sample(range(len(events) + 3), 2))
        bounds = {"after": positions[0], "before": positions[1] + 1}
        chosen = replace(chosen, **{name: bounds[name] for name in bounds if chance.random() < 0.3})
        # Just before, at and just after recorded times.
        since, until = sorted(10 * chance.randrange(30) + chance.randrange(-1, 2) for _ in range(2))
        times = {name: time for name, time in {"since": since, "until": until}.items() if chance.random() < 0.2}
        asked.append({"chosen": chosen, "limit": chance.choice([1, 2, 5, 100]), "times": times})
    return asked


async def walk(log: Log, question: dict[str, Any], newest_first: bool) -> list[tuple[Filter, HistoryPage]]:
    """Follow the pages to the current end of the log."""
    chosen, pages = question["chosen"], []
    while True:
        page = await log.reader.page(chosen, question["limit"], **question["times"], newest_first=newest_first)
        assert page.position == len(log.events)
        pages.append((chosen, page))
        at_the_end = not newest_first and len(page.events) == question["limit"] and page.next == page.position
        if page.next is None or at_the_end:
            return pages
        assert len(pages) < 100, "the pages go in a circle"
        chosen = replace(chosen, **{"before" if newest_first else "after": page.next})


@pytest.mark.parametrize("newest_first", [False, True], ids=["as it happened", "newest first"])
async def test_pages_together_match_the_query_and_final_pages_never_change(log: Log, newest_first: bool) -> None:
    walked = []
    for question in questions(random.Random(7), log.events):
        pages = await walk(log, question, newest_first)
        expected = log.expected(question["chosen"], question["times"], newest_first)
        assert [event for _, page in pages for event in page.events] == expected, question
        walked += [(question, chosen, page) for chosen, page in pages]
    await log.grow(5)
    finals = [one for one in walked if one[2].final]
    assert len(walked) / 4 < len(finals) < len(walked)
    for question, chosen, page in finals:
        again = await log.reader.page(chosen, question["limit"], **question["times"], newest_first=newest_first)
        assert (again.events, again.next, again.final) == (page.events, page.next, True), (question, chosen)


async def test_since_and_until_are_inclusive(log: Log) -> None:
    times = sorted({event.recorded_at for event in log.events})
    for since, until in pairwise(times):
        page = await log.reader.page(Filter(), 100, since=since, until=until)
        assert page.events == [event for event in log.events if since <= event.recorded_at <= until]


async def test_a_page_is_final_once_no_future_event_can_be_on_it(log: Log) -> None:
    end, last = len(log.events), log.events[-1].recorded_at
    ask = log.reader.page
    assert not (await ask(Filter(), 100)).final
    assert (await ask(Filter(), end)).final
    assert (await ask(Filter(before=end + 1), 100)).final
    assert not (await ask(Filter(before=end + 2), 100)).final
    assert not (await ask(Filter(), 5, newest_first=True)).final
    assert (await ask(Filter(before=end + 1), 5, newest_first=True)).final
    assert (await ask(Filter(), 100, until=last - 1)).final
    assert not (await ask(Filter(), 100, until=last)).final  # the next event can have this time as well
    assert (await ask(Filter(), 100, until=last - 1)).next is None


async def test_a_full_page_has_a_next_position_even_at_the_end_of_the_log(log: Log) -> None:
    end = len(log.events)
    full = await log.reader.page(Filter(), end)
    assert (full.next, full.final) == (end, True)
    head = await log.reader.page(Filter(after=end), end)
    assert (head.events, head.next, head.final) == ([], None, False)
    await log.grow(1)
    assert (await log.reader.page(Filter(after=end), 1000)).events == log.events[end:]


async def test_one_event_is_found_by_its_position(log: Log) -> None:
    end = len(log.events)
    assert await log.reader.event(end) == (end, log.events[-1])
    assert await log.reader.event(1) == (end, log.events[0])
    for nowhere in (0, end + 1, 2**63 - 1):
        assert await log.reader.event(nowhere) == (end, None)
