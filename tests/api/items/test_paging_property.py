"""A paging client sees every item that stays exactly once, regardless of concurrent creates, deletes and restores."""

import asyncio
import random
from typing import Any

import pytest

from tests.support.clients.lists import SORTS, expected, links, scanning, target
from tests.support.clients.requests import exact, remove, restore
from tests.support.service import InProcess

NAMES = ("Pen", "pen", "Ink", "Nib", "\u00c4pfel", "a_b", "100%")
ROUNDS = 3


class Bustle:
    """A client that creates, deletes and restores at random, and records which items stayed throughout."""

    def __init__(self, service: InProcess, chance: random.Random) -> None:
        self._service = service
        self._chance = chance
        self.items: dict[int, dict[str, Any]] = {}
        self.live: set[int] = set()
        #: The items that exist since the paging client started, and were never deleted.
        self.steady: set[int] = set()

    async def create(self, count: int) -> None:
        sent = [
            {
                "name": self._chance.choice(NAMES),
                "price": f"{self._chance.randrange(-4, 4)}.5",
                "in_stock": self._chance.random() < 0.5,
            }
            for _ in range(count)
        ]
        answer = await self._service.client.post("/items/batch", json=sent)
        for item in exact(answer):
            self.items[item["id"]] = item
            self.live.add(item["id"])

    async def stir(self) -> None:
        """Do one random write."""
        gone = sorted(self.items.keys() - self.live)
        match self._chance.choice(["create", "delete", "delete", "restore"]):
            case "delete" if self.live:
                item_id = self._chance.choice(sorted(self.live))
                self.live.remove(item_id)
                self.steady.discard(item_id)
                await remove(self._service, f"/items/{item_id}")
            case "restore" if gone:
                item_id = self._chance.choice(gone)
                self.live.add(item_id)
                assert (await restore(self._service, f"/items/{item_id}")).status_code == 200
            case _:
                await self.create(1)


def random_query(chance: random.Random, sort: str) -> dict[str, str]:
    filters = {
        "in_stock": chance.choice(["true", "false"]),
        "min_price": chance.choice(["-2.5", "0", "1.5"]),
        "max_price": chance.choice(["-0.5", "2.5"]),
        "name": chance.choice(["p", "n", "\u00e4", "%", "_"]),
    }
    chosen = {name: value for name, value in filters.items() if chance.random() < 0.3}
    return {"sort": sort, "limit": str(chance.choice([1, 2, 3, 5])), **chosen}


def check(bustle: Bustle, query: dict[str, str], seen: list[dict[str, Any]]) -> None:
    ids = [item["id"] for item in seen]
    assert len(set(ids)) == len(ids), "an item was seen twice"
    assert all(item == bustle.items[item["id"]] for item in seen)
    assert seen == expected(seen, query), "out of order, or let through by no filter"
    steady = {item["id"] for item in expected(list(bustle.items.values()), query)} & bustle.steady
    assert steady <= set(ids), f"missed {sorted(steady - set(ids))}"


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("at_once", [False, True], ids=["between pages", "during pages"])
async def test_a_paging_client_sees_every_item_that_stays_exactly_once(
    service: InProcess, sort: str, at_once: bool
) -> None:
    chance = random.Random(f"{sort} {at_once}")
    bustle = Bustle(service, chance)
    await bustle.create(25)
    for _ in range(ROUNDS):
        bustle.steady = set(bustle.live)
        query = random_query(chance, sort)
        seen: list[dict[str, Any]] = []
        following: str | None = target(query)
        with scanning(chance.choice([2, 4, 8])):
            for _ in range(500):
                assert following is not None
                if at_once:
                    page, *_ = await asyncio.gather(service.client.get(following), bustle.stir(), bustle.stir())
                else:
                    page = await service.client.get(following)
                    await bustle.stir()
                seen += exact(page)
                following = links(page).get("next")
                if following is None:
                    break
        assert following is None, "the links go on for ever"
        check(bustle, query, seen)
