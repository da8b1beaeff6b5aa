"""Clients that send every write with a key, and send it again until it is answered: each knows what must come of it."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from msgspec import Struct
from sqlalchemy import text

from api.auth.principal import ANONYMOUS
from api.http.idempotency import command_id
from eventstore.database.database import Database
from projections.items.items import ITEMS
from tests.support.clients.load import Answer, Client, LostError, new_item, request

#: Seconds before a client tries again what was not done.
_PAUSE = 0.02
#: How often a client goes away before the answer comes.
_IMPATIENT = 0.2
#: What an answer that is sent again has in common with the first, beside status and body.
_SAME = ("etag", "location", "log-position", "content-type")


class Write(Struct, frozen=True):
    """A write with its key."""

    key: str
    method: str
    path: str
    body: bytes | None = None
    #: How many events it is to make.
    events: int = 1

    async def send(self, client: Client) -> Answer:
        """Send it, again while there is too much to do at once. Raises LostError: then it may have taken effect."""
        while (answer := await client.ask(self.method, self.path, self.body, self.key)).status == 503:
            assert answer.json()["code"] == "overloaded", answer
            await asyncio.sleep(_PAUSE)
        return answer

    @property
    def command_id(self) -> str:
        """The id that the log must know it by."""
        return command_id(ANONYMOUS, None, self.method, self.path, self.key)


def was_replayed(answer: Answer) -> bool:
    """Whether an answer says that it was given before."""
    return answer.headers.get("idempotency-replayed") == "true"


def essence(answer: Answer) -> tuple[Any, ...]:
    """Return what all answers to one key must have in common."""
    return answer.status, answer.body, *(answer.headers.get(name) for name in _SAME)


async def assert_one_effect_each(database: Database, writes: Sequence[Write]) -> None:
    """Fail unless the log has the events of each write once, and nothing else under a key."""
    found = await database.read(
        text("SELECT command_id, count(*) AS events FROM events WHERE command_id LIKE 'key:%' GROUP BY command_id")
    )
    assert {row.command_id: row.events for row in found} == {write.command_id: write.events for write in writes}


class Retrier:
    """A client with items of its own, which nobody else touches: it can tell what each answer must say."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._chance = random.Random(seed)
        self._numbers = count(1)
        #: What the items must be, as clients are shown them, and their versions.
        self.live: dict[int, dict[str, Any]] = {}
        self.deleted: dict[int, dict[str, Any]] = {}
        self._versions: dict[int, int] = {}
        self.answered: list[tuple[Write, Answer]] = []
        #: What was sent and not answered, and what to make of the answer.
        self._open: tuple[Write, Callable[[Answer], None]] | None = None
        self.seen: Counter[str] = Counter()

    async def work(self, port: int, going: Callable[[], bool]) -> None:
        """Send again what is open, then one write after another while `going`, or until the server is lost."""
        try:
            while await self._work(port, going):
                pass
        except (LostError, ConnectionError):
            return

    async def _work(self, port: int, going: Callable[[], bool]) -> bool:
        """Work on one connection. Now and then be too impatient to wait for an answer: then there is more to do."""
        async with Client.connected(port) as client:
            if self._open is not None:
                self.seen["sent again"] += 1
                self.seen["had taken effect"] += was_replayed(await self._finish(client))
            if self.answered:
                await self._repeat(client)
            while going():
                self._open = self._next()
                if self._chance.random() < _IMPATIENT:
                    write, _ = self._open
                    await client.send(request(write.method, write.path, write.body, write.key))
                    await asyncio.sleep(self._chance.uniform(0, _PAUSE))
                    return True
                answer = await self._finish(client)
                assert not was_replayed(answer), answer
        return False

    async def _finish(self, client: Client) -> Answer:
        assert self._open is not None
        write, learn = self._open
        answer = await write.send(client)
        learn(answer)
        self.answered.append((write, answer))
        self.seen[f"{write.method} {answer.status}"] += 1
        self._open = None
        return answer

    async def _repeat(self, client: Client) -> None:
        """Send again what was answered long ago: nothing comes of it but the same answer."""
        write, first = self._chance.choice(self.answered)
        answer = await write.send(client)
        assert was_replayed(answer), (write, answer)
        assert essence(answer) == essence(first), (write, first, answer)

    def _next(self) -> tuple[Write, Callable[[Answer], None]]:
        number = next(self._numbers)
        key = f"{self._name}-{number}"
        item: dict[str, Any] = {"name": key, "price": Decimal(f"{number}.25"), "in_stock": number % 2 == 0}
        body = new_item(item["name"], str(item["price"]), item["in_stock"])
        kinds = ["create", "batch", *["change", "delete"] * bool(self.live), *["restore"] * bool(self.deleted)]
        match self._chance.choice(kinds):
            case "create":
                return Write(key, "POST", "/items", body), lambda answer: self._created([answer.json()], [item], answer)
            case "batch":
                items = [item, {**item, "name": f"{key} too"}]
                bodies = b"[%b,%b]" % (body, new_item(f"{key} too", str(item["price"]), item["in_stock"]))
                write = Write(key, "POST", "/items/batch", bodies, 2)
                return write, lambda answer: self._created(answer.json(), items, answer)
            case "change":
                item_id = self._chance.choice(list(self.live))
                patch = json.dumps({"name": f"{key} changed"}).encode()
                changed = {**self.live[item_id], "name": f"{key} changed"}
                return Write(key, "PATCH", f"/items/{item_id}", patch), lambda answer: self._is(changed, answer)
            case "delete":
                item_id = self._chance.choice(list(self.live))
                return Write(key, "DELETE", f"/items/{item_id}"), lambda answer: self._gone(item_id, answer)
            case _:
                item_id = self._chance.choice(list(self.deleted))
                write = Write(key, "POST", f"/items/{item_id}/restore")
                return write, lambda answer: self._is(self.deleted.pop(item_id), answer)

    def _created(self, told: list[dict[str, Any]], items: list[dict[str, Any]], answer: Answer) -> None:
        assert answer.status == 201, answer
        last = answer.position
        expected = [{"id": last - len(items) + place, **item} for place, item in enumerate(items, 1)]
        assert told == expected, answer
        for item in expected:
            assert item["id"] not in self._versions, f"{item} was created twice"
            self.live[item["id"]] = item
            self._versions[item["id"]] = 1

    def _is(self, item: dict[str, Any], answer: Answer) -> None:
        assert answer.status == 200, answer
        self._versions[item["id"]] += 1
        assert answer.json() == item, answer
        assert answer.headers["etag"] == f'"{ITEMS.version}.{self._versions[item["id"]]}"', answer
        self.live[item["id"]] = item

    def _gone(self, item_id: int, answer: Answer) -> None:
        assert answer.status == 204, answer
        self._versions[item_id] += 1
        self.deleted[item_id] = self.live.pop(item_id)
