"""Clients that create and delete under adverse conditions, and an account of what they were told."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from tests.support.clients.load import Answer, Client, LostError, new_item


class Ledger:
    """What was acknowledged, what was refused, and what stayed open; `check` holds the service to it."""

    def __init__(self) -> None:
        self.created: dict[int, dict[str, Any]] = {}
        self.deleted: set[int] = set()
        #: Names that were asked for and not acknowledged, and items whose deletion was: both may have happened.
        self.open_names: set[str] = set()
        self.open_deletes: set[int] = set()
        #: Answers that said nothing was done.
        self.refused_names: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self._numbers = count(1)
        self._deletable: list[int] = []

    async def create(self, client: Client) -> Answer:
        """Create an item. Raises LostError, which leaves it open whether there is one."""
        number = next(self._numbers)
        name = f"item {number}"
        self.open_names.add(name)
        answer = self._note(await client.ask("POST", "/items", new_item(name, f"{number}.25", number % 2 == 0)))
        if answer.status == 201:
            item = answer.json()
            assert item["id"] not in self.created, f"{item} was acknowledged twice"
            self.created[item["id"]] = item
            self._deletable.append(item["id"])
        elif _nothing_done(answer):
            self.refused_names.add(name)
        else:
            return answer
        self.open_names.remove(name)
        return answer

    async def delete(self, client: Client, chance: random.Random) -> Answer | None:
        """Delete an acknowledged item that nobody else deletes; None where there is none. Raises LostError."""
        if not self._deletable:
            return None
        index = chance.randrange(len(self._deletable))
        item_id = self._deletable[index]
        self._deletable[index] = self._deletable[-1]
        self._deletable.pop()
        self.open_deletes.add(item_id)
        answer = self._note(await client.ask("DELETE", f"/items/{item_id}"))
        if answer.status == 204:
            self.deleted.add(item_id)
        elif not _nothing_done(answer):
            return answer
        self.open_deletes.remove(item_id)
        return answer

    async def churn(self, port: int, chance: random.Random, going: Callable[[], bool]) -> None:
        """Create and delete on one connection while `going`, or until the connection is lost."""
        try:
            async with Client.connected(port) as client:
                while going():
                    await (self.delete(client, chance) if chance.random() < 0.3 else self.create(client))
        except (LostError, ConnectionError):
            return

    def check(self, listed: Sequence[dict[str, Any]]) -> None:
        """Fail where an acknowledged item is missing or changed, an acknowledged delete undone, or a refusal a lie."""
        items = {item["id"]: item for item in listed}
        missing = self.created.keys() - items.keys() - self.deleted - self.open_deletes
        assert not missing, f"acknowledged items are gone: {sorted(missing)}"
        assert not (undone := self.deleted & items.keys()), f"acknowledged deletes are undone: {sorted(undone)}"
        for item_id, item in items.items():
            if item_id in self.created:
                assert item == self.created[item_id]
            else:
                assert item["name"] in self.open_names, f"nobody asked for {item}, or its answer said nothing was done"

    def _note(self, answer: Answer) -> Answer:
        self.statuses[answer.status] += 1
        return answer


def _nothing_done(answer: Answer) -> bool:
    """Whether a refusal promises that nothing was done, as all do but those of an unknown outcome."""
    return answer.status >= 400 and answer.json().get("outcome") != "unknown"
