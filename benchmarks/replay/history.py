"""The history of a long log's items, the same for Itemledger and its peers.

Imports only the standard library: the peers run in an environment of their own.
"""

import random
from array import array
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any, Final, Literal, NamedTuple

Kind = Literal["created", "changed", "deleted", "restored"]

SEED: Final = 4


class ItemEvent(NamedTuple):
    """A change of one item."""

    kind: Kind
    #: The item's number: the number of facts when it was created, including that one.
    item: int
    #: The number of facts of the item, including this one.
    version: int
    #: The event's fields: `name` (str), `price` (Decimal), `in_stock` (bool); for a change those that changed.
    fields: dict[str, Any]


def history(seed: int = SEED) -> Iterator[ItemEvent]:
    """Yield facts in order, without end; the same for the same seed.

    60 of 100 facts are creations, 30 changes, 7 deletions, 3 restorations, each of an item chosen at random.
    """
    chance = random.Random(seed)
    alive, deleted = array("I"), array("I")
    # By the item's number, from 1; index 0 is unused.
    versions, in_stock = array("H", [0]), bytearray(1)
    for number in count(1):
        versions.append(1)
        in_stock.append(0)
        kind = _kind(chance.random(), alive, deleted)
        if kind == "created":
            alive.append(number)
            in_stock[number] = chance.random() < 0.8
            fields = {"name": _name(chance), "price": _price(chance), "in_stock": bool(in_stock[number])}
            yield ItemEvent(kind, number, 1, fields)
            continue
        if kind == "changed":
            item = alive[chance.randrange(len(alive))]
            fields = _change(chance, item, in_stock)
        else:
            here, there = (alive, deleted) if kind == "deleted" else (deleted, alive)
            item = _take(chance, here)
            there.append(item)
            fields = {}
        versions[item] += 1
        yield ItemEvent(kind, item, versions[item], fields)


def _kind(drawn: float, alive: "array[int]", deleted: "array[int]") -> Kind:
    if drawn < 0.60 or not alive:
        return "created"
    if drawn < 0.90:
        return "changed"
    return "deleted" if drawn < 0.97 or not deleted else "restored"


def _change(chance: random.Random, item: int, in_stock: bytearray) -> dict[str, Any]:
    drawn = chance.random()
    if drawn < 0.5:
        return {"price": _price(chance)}
    if drawn < 0.75:
        return {"name": _name(chance)}
    in_stock[item] = not in_stock[item]
    return {"in_stock": bool(in_stock[item])}


def _take(chance: random.Random, items: "array[int]") -> int:
    """Remove a random element, and move the last one to its place."""
    place = chance.randrange(len(items))
    taken, items[place] = items[place], items[-1]
    items.pop()
    return taken


def _name(chance: random.Random) -> str:
    return f"Item {chance.randrange(1_000_000)}"


def _price(chance: random.Random) -> Decimal:
    return Decimal(chance.randrange(1_000_000)) / 100
