"""A model of the service: the items as a dictionary, the history as a list, and a check of concurrent answers."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from projections.items.items import ITEMS
from tests.support.clients.load import Answer, new_item
from tests.support.clients.retries import essence, was_replayed

#: Name, price, whether it is in stock.
Body = tuple[str, Decimal, bool]
#: Method, path, body.
Request = tuple[str, str, bytes | None]
#: Event type, item, version.
ItemEvent = tuple[str, int, int]


class Create(Struct, frozen=True):
    """POST /items."""

    name: str
    price: Decimal
    in_stock: bool

    def request(self) -> Request:
        return "POST", "/items", new_item(self.name, f"{self.price:f}", self.in_stock)


class CreateBatch(Struct, frozen=True):
    """POST /items/batch."""

    creates: tuple[Create, ...]

    def request(self) -> Request:
        items = (new_item(create.name, f"{create.price:f}", create.in_stock) for create in self.creates)
        return "POST", "/items/batch", b"[%b]" % b",".join(items)


class Change(Struct, frozen=True):
    """PATCH /items/{id}; what is None is left out."""

    item_id: int
    name: str | None = None
    price: Decimal | None = None
    in_stock: bool | None = None

    def request(self) -> Request:
        fields = [b'"price":%b' % f"{self.price:f}".encode()] if self.price is not None else []
        others = {"name": self.name, "in_stock": self.in_stock}
        fields += [b'"%b":%b' % (n.encode(), json.dumps(v).encode()) for n, v in others.items() if v is not None]
        return "PATCH", f"/items/{self.item_id}", b"{%b}" % b",".join(fields)

    def applied(self, body: Body) -> Body:
        """Return an item as it is with this change."""
        name, price, in_stock = body
        return (
            name if self.name is None else self.name,
            price if self.price is None else self.price,
            in_stock if self.in_stock is None else self.in_stock,
        )


class Delete(Struct, frozen=True):
    """DELETE /items/{id}."""

    item_id: int

    def request(self) -> Request:
        return "DELETE", f"/items/{self.item_id}", None


class Restore(Struct, frozen=True):
    """POST /items/{id}/restore."""

    item_id: int

    def request(self) -> Request:
        return "POST", f"/items/{self.item_id}/restore", None


class Read(Struct, frozen=True):
    """GET /items/{id}."""

    item_id: int

    def request(self) -> Request:
        return "GET", f"/items/{self.item_id}", None


class Page(Struct, frozen=True):
    """GET /items, the first page."""

    limit: int

    def request(self) -> Request:
        return "GET", f"/items?limit={self.limit}", None


Write = Create | CreateBatch | Change | Delete | Restore
Operation = Write | Read | Page


class Exchange(Struct, frozen=True):
    """What a client did, with a key or without, and what it was told."""

    operation: Operation
    key: str | None
    answer: Answer


#: What one client did, one after another.
Script = Sequence[Exchange]


class State(Struct, frozen=True):
    """The items at a position."""

    live: Mapping[int, Body]
    #: As they last were; those of before the model's time are not known.
    deleted: Mapping[int, Body] = {}
    versions: Mapping[int, int] = {}

    def after(self, operation: Operation, position: int) -> tuple["State", list[ItemEvent]]:
        """Return the state, and what happened, if `operation` is carried out as the log's next, at `position`."""
        live, deleted, versions = dict(self.live), dict(self.deleted), dict(self.versions)
        facts: list[tuple[str, int]] = []
        match operation:
            case Create() | CreateBatch():
                creates = operation.creates if isinstance(operation, CreateBatch) else (operation,)
                for item_id, create in enumerate(creates, position):
                    live[item_id] = (create.name, create.price, create.in_stock)
                    facts.append(("item.created.v1", item_id))
            case Change(item_id) if item_id in live and operation.applied(live[item_id]) != live[item_id]:
                live[item_id] = operation.applied(live[item_id])
                facts.append(("item.changed.v1", item_id))
            case Delete(item_id) if item_id in live:
                deleted[item_id] = live.pop(item_id)
                facts.append(("item.deleted.v1", item_id))
            case Restore(item_id) if item_id in deleted:
                live[item_id] = deleted.pop(item_id)
                facts.append(("item.restored.v1", item_id))
        for _, item_id in facts:
            versions[item_id] = versions.get(item_id, 0) + 1
        return State(live, deleted, versions), [(kind, item_id, versions[item_id]) for kind, item_id in facts]


class Model:
    """The items and the history since a moment, and what could have happened since."""

    def __init__(self, position: int, items: Sequence[dict[str, Any]], versions: Mapping[int, int]) -> None:
        self.position = position
        self.state = State({item["id"]: body_of(item) for item in items}, {}, versions)
        #: One a position.
        self.history: list[ItemEvent] = []

    def judge(self, scripts: Sequence[Script]) -> None:
        """Fail unless the answers are a possible outcome of what clients did at once; then it is what happened.

        Writes say by their Log-Position in which order they took effect. A read says of which state it is, which must
        be one that its client could not know to be past. What was replayed is what was told at the time.
        """
        fresh = [[one for one in script if not was_replayed(one.answer)] for script in scripts]
        states = self._replay([exchange for script in fresh for exchange in script])
        for script in fresh:
            known = self.position
            for exchange in script:
                position = exchange.answer.position
                assert known <= position, f"{exchange} is of a state that was past"
                assert position in states, f"{exchange} is of a state that never was"
                known = position
                _check(exchange.operation, exchange.answer, states[position])
        self._check_replays(scripts)
        self.position, self.state = max(states.items())

    def _replay(self, exchanges: Script) -> dict[int, State]:
        """Apply the writes that succeeded, in the order of their positions; return every state by its position."""
        states = {self.position: self.state}
        position = self.position
        succeeded: dict[int, list[Operation]] = {}
        for one in exchanges:
            if one.answer.status < 300 and not isinstance(one.operation, Read | Page):
                succeeded.setdefault(one.answer.position, []).append(one.operation)
        for told, operations in sorted(succeeded.items()):
            # Of several at one position one made it; the others are patches that changed nothing there.
            made = [one for one in operations if told == position + len(states[position].after(one, position + 1)[1])]
            made.sort(key=lambda one: isinstance(one, Change))
            if told > position:
                assert made, f"the event at {told} was acknowledged to nobody, or to {operations}"
                operations.remove(made[0])
                states[told], facts = states[position].after(made[0], position + 1)
                self.history += facts
                position = told
            assert all(isinstance(one, Change) for one in operations), f"{operations} took effect nowhere"
        return states

    def _check_replays(self, scripts: Sequence[Script]) -> None:
        firsts: dict[str | None, set[Any]] = {}
        for one in (one for script in scripts for one in script if not was_replayed(one.answer)):
            firsts.setdefault(one.key, set()).add((one.operation, essence(one.answer)))
        for one in (one for script in scripts for one in script if was_replayed(one.answer)):
            assert one.key is not None, one
            assert (one.operation, essence(one.answer)) in firsts.get(one.key, ()), f"{one} was never told before"


def body_of(item: dict[str, Any]) -> Body:
    """Take an item from an answer."""
    return item["name"], item["price"], item["in_stock"]


def _check(operation: Operation, answer: Answer, state: State) -> None:
    """Fail unless an answer is what must be told of `state`, which a write has made or has found."""
    match operation:
        case Create(name, price, in_stock):
            _check_item(answer, state, answer.position, 201)
            assert body_of(answer.json()) == (name, price, in_stock)
            assert answer.headers["location"] == f"/items/{answer.position}"
        case CreateBatch(creates):
            assert answer.status == 201, answer
            first = answer.position - len(creates) + 1
            expected = [(first + place, state.live[first + place]) for place in range(len(creates))]
            assert [(item["id"], body_of(item)) for item in answer.json()] == expected
        case Delete(item_id):
            # One that succeeded was replayed as a write; one that found nothing did so because there is nothing.
            assert answer.status in (204, 404), answer
            assert item_id not in state.live, answer
        case Restore(item_id) if answer.status == 409:
            assert item_id in state.live, answer
        case Read(item_id) | Change(item_id) | Restore(item_id):
            if answer.status == 404:
                assert item_id not in state.live, answer
                assert not (isinstance(operation, Restore) and item_id in state.deleted), answer
            else:
                _check_item(answer, state, item_id, 200)
        case Page(limit):
            assert answer.status == 200, answer
            page = [(item_id, state.live[item_id]) for item_id in sorted(state.live)[:limit]]
            assert [(item["id"], body_of(item)) for item in answer.json()] == page
            assert ('rel="next"' in answer.headers["link"]) == (len(state.live) > limit)


def _check_item(answer: Answer, state: State, item_id: int, status: int) -> None:
    assert answer.status == status, answer
    assert (answer.json()["id"], body_of(answer.json())) == (item_id, state.live.get(item_id)), answer
    assert answer.headers["etag"] == f'"{ITEMS.version}.{state.versions[item_id]}"', answer
