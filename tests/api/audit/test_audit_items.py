"""`GET /audit/items` and `/audit/items/{id}` as of any position or time return what `/items` returned then."""

import random
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from api.http.rfc3339 import format_time
from projections.items import past_reader
from tests.api.activity.test_activity import at
from tests.api.events.test_events import IMMUTABLE, NOON, story
from tests.eventstore.recording import execute
from tests.support.clients.http import check_problem
from tests.support.clients.lists import SORTS, links
from tests.support.clients.requests import create, create_all, exact, patch, remove, restore
from tests.support.service import InProcess

NAMES = ["Pen", "pen", "Ink", "\u00c4pfel", "\uffee", "\U0001f58b"]
PRICES = ["-99999999999999.9999", "-0.0001", "0", "1.5", "99999999999999.9999"]
STEPS = 25


@pytest.fixture
async def populated(service: InProcess) -> InProcess:
    await story(service)
    return service


class Recorder:
    """A client that writes at random, and records the responses after each write."""

    def __init__(self, service: InProcess, seed: int) -> None:
        self._client = service.client
        self._service = service
        self._chance = random.Random(seed)
        self._seconds = 0
        self.ids: set[int] = set()
        #: The responses at each position of the log, by path. None is 404.
        self.answers: dict[int, dict[str, Any]] = {}
        #: The seconds at which each position was reached, and last seen.
        self.came: dict[int, int] = {}
        self.seen: dict[int, int] = {}

    async def step(self) -> None:
        """Try one write, then read several paths."""
        self._seconds += self._chance.choice([0, 1, 1, 60])
        at(self._service, f"2026-10-01 12:{self._seconds // 60:02}:{self._seconds % 60:02}")
        await self._write()
        queries = [self._query() for _ in range(4)]
        paths = ["/items?limit=1000", *(f"/items?{urlencode(query)}" for query in queries)]
        paths += [f"/items/{item_id}" for item_id in self._chance.sample(sorted(self.ids), min(3, len(self.ids)))]
        for path in paths:
            answer = await self._client.get(path)
            position = int(answer.headers["log-position"])
            self.answers.setdefault(position, {})[path] = exact(answer) if answer.status_code == 200 else None
            self.came.setdefault(position, self._seconds)
            self.seen[position] = self._seconds

    async def _write(self) -> None:
        item = f"/items/{self._chance.choice([1, *self.ids])}"
        body: dict[str, Any] = {
            "name": self._chance.choice(NAMES),
            "price": self._chance.choice(PRICES),
            "in_stock": self._chance.random() < 0.5,
        }
        match self._chance.choice(["create", "batch", "patch", "patch", "patch", "delete", "restore", "restore"]):
            case "create":
                await create(self._service, **body)
            case "batch":
                await create_all(self._service, [body] * 3)
            case "patch":
                field = self._chance.choice(list(body))
                await patch(self._service, item, {field: body[field]})
            case "delete":
                await self._client.delete(item)
            case "restore":
                await restore(self._service, item)
        self.ids |= {one["id"] for one in (await self._client.get("/items?limit=1000")).json()}

    def _query(self) -> dict[str, str]:
        filters = {
            "in_stock": self._chance.choice(["true", "false"]),
            "min_price": self._chance.choice(PRICES),
            "max_price": self._chance.choice(PRICES),
            "name": self._chance.choice(["p", "\u00e4", "\U0001f58b"]),
        }
        chosen = {name: value for name, value in filters.items() if self._chance.random() < 0.3}
        return {"sort": self._chance.choice(SORTS), "limit": "1000", **chosen}


async def past(client: httpx.AsyncClient, path: str, as_of: str) -> Any:
    """Return what `/items` returned on a path. Lists are joined from their pages."""
    chance = random.Random(path + as_of)
    if "?" not in path:
        answer = await client.get(f"/audit{path}", params={"as_of": as_of})
        return exact(answer) if answer.status_code == 200 else None
    walked: list[Any] = []
    target = f"/audit{path}&{urlencode({'as_of': as_of})}".replace("limit=1000", f"limit={chance.choice([1, 3, 1000])}")
    while target:
        answer = await client.get(target)
        assert answer.status_code == 200, answer.text
        walked += exact(answer)
        target = links(answer).get("next", "")
    return walked


async def test_as_of_reads_return_what_reads_returned_then(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_reader, "SCAN_ROWS", 3)  # so that pages end at any row
    service.client.event_hooks = {}  # hundreds of similar responses: checking each against the document is slow
    recorder = Recorder(service, seed=9)
    for _ in range(STEPS):
        await recorder.step()
    assert len(recorder.answers) > STEPS / 2
    for position, answers in recorder.answers.items():
        second = recorder.seen[position]
        last_of_its_second = second not in [came for later, came in recorder.came.items() if later > position]
        for path, answered in answers.items():
            assert await past(service.client, path, str(position)) == answered, (position, path)
            if last_of_its_second:
                time = format_time(NOON + second * 1_000_000 + 999_999)
                assert await past(service.client, path, time) == answered, (time, path)


async def test_pages_of_a_past_list_show_one_moment(populated: InProcess) -> None:
    page = await populated.client.get("/audit/items?limit=1")
    assert page.headers["log-position"] == "8"
    first = exact(page)
    await patch(populated, "/items/4", {"name": "Blotter"})
    await remove(populated, "/items/5")
    assert links(page)["first"] == "/audit/items?limit=1&as_of=8"
    walked = []
    while target := links(page).get("next"):
        page = await populated.client.get(target)
        assert page.headers["log-position"] == "8"
        walked += exact(page)
    assert [item["name"] for item in [*first, *walked]] == ["Fountain pen", "Ink", "Nib"]
    assert [item["id"] for item in exact(await populated.client.get("/audit/items"))] == [1, 4]


async def test_the_past_is_cacheable_and_the_present_is_not(populated: InProcess) -> None:
    for query, position, kept in (
        ("", "8", "private, no-cache"),
        ("?as_of=8", "8", IMMUTABLE),
        ("?as_of=0", "0", IMMUTABLE),
        ("?as_of=2026-10-01T12:00:05.5Z", "7", IMMUTABLE),
        ("?as_of=2026-10-01T12:00:06Z", "8", "private, no-cache"),  # the next event may have the same time
        ("?as_of=2026-10-01T11:59:59Z", "0", IMMUTABLE),
    ):
        answer = await populated.client.get(f"/audit/items{query}")
        assert (answer.headers["log-position"], answer.headers["cache-control"]) == (position, kept), query


async def test_a_cursor_belongs_to_one_list_and_one_moment(populated: InProcess) -> None:
    cursor = httpx.URL(links(await populated.client.get("/audit/items?limit=1&as_of=8"))["next"]).params["cursor"]
    for query in ("as_of=8", "as_of=2026-10-01T12:00:06Z", "as_of=8&limit=7", "as_of=8&min_position=1"):
        answer = await populated.client.get(f"/audit/items?{query}&cursor={cursor}")
        assert [item["id"] for item in answer.json()] == [4, 5]
    for path in (
        "/audit/items?as_of=7",
        "/audit/items?as_of=8&sort=-id",
        "/audit/items?as_of=8&name=i",
        "/items?limit=1",
    ):
        problem = check_problem(await populated.client.get(f"{path}&cursor={cursor}"), 400, "invalid-query")
        assert [fault["parameter"] for fault in problem["errors"]] == ["cursor"]


async def test_past_lists_respond_with_503_until_item_versions_is_built(populated: InProcess) -> None:
    async with populated.owner() as owner:
        await execute(owner, "DELETE FROM projections WHERE name = 'item_versions'", "DROP TABLE item_versions")
    problem = check_problem(await populated.client.get("/audit/items?as_of=8"), 503, "projection-not-ready")
    assert problem["detail"]
    assert (await populated.client.get("/audit/items/1?as_of=8")).status_code == 200
    assert (await populated.client.get("/items")).status_code == 200


async def test_an_invalid_query_is_rejected_naming_its_parameter(populated: InProcess) -> None:
    for query, parameter in (
        ("as_of=9", "as_of"),
        ("as_of=9999-12-31T23:59:59Z", "as_of"),
        ("as_of=then", "as_of"),
        ("sort=version", "sort"),
        ("limit=0", "limit"),
        ("at=1", "at"),
        ("cursor=x", "cursor"),
    ):
        problem = check_problem(await populated.client.get(f"/audit/items?{query}"), 400, "invalid-query")
        assert [fault["parameter"] for fault in problem["errors"]] == [parameter]
