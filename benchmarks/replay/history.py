"""What happened to the items of a long log: the one history that Itemledger and its peers are given.

Nothing but the standard library is imported: the peers run in an environment of their own.
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
    """One thing that happened to one item."""

    kind: Kind
    #: The item's number: how many facts there were when it was created, that one included.
    item: int
    #: How many facts there are of the item, this one included.
    version: int
    #: What its event says: `name` (str), `price` (Decimal), `in_stock` (bool); of a change those that changed.
    fields: dict[str, Any]


def history(seed: int = SEED) -> Iterator[ItemEvent]:
    """Tell what happened, in order and without end; the same for the same seed.

    60 of 100 facts are creations, 30 changes, 7 deletions, 3 restorations, each of an item chosen at random.
    """
    chance = random.Random(seed)
    alive, deleted = array("I"), array("I")
    # By the item's number; 0 is none.
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
    """Remove one at random, and let the last one take its place."""
    place = chance.randrange(len(items))
    taken, items[place] = items[place], items[-1]
    items.pop()
    return taken


def _name(chance: random.Random) -> str:
    return f"Item {chance.randrange(1_000_000)}"


def _price(chance: random.Random) -> Decimal:
    return Decimal(chance.randrange(1_000_000)) / 100
