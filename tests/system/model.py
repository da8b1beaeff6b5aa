"""What the service must answer: the items as a dictionary, the history as a list, a judge of concurrent requests."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tests.support.load import Answer, new_item

#: The tag of an item that nothing has happened to since it was created: the projection's version and the item's.
_FIRST = '"2.1"'

#: Name, price, whether it is in stock.
Body = tuple[str, Decimal, bool]


class Create(Struct, frozen=True):
    """POST /items."""

    name: str
    price: Decimal
    in_stock: bool

    def request(self) -> tuple[str, str, bytes | None]:
        """Give method, path and body."""
        return "POST", "/items", new_item(self.name, f"{self.price:f}", self.in_stock)


class Delete(Struct, frozen=True):
    """DELETE /items/{id}."""

    item_id: int

    def request(self) -> tuple[str, str, bytes | None]:
        """Give method, path and body."""
        return "DELETE", f"/items/{self.item_id}", None


class Read(Struct, frozen=True):
    """GET /items/{id}."""

    item_id: int

    def request(self) -> tuple[str, str, bytes | None]:
        """Give method, path and body."""
        return "GET", f"/items/{self.item_id}", None


class Page(Struct, frozen=True):
    """GET /items, the first page."""

    limit: int

    def request(self) -> tuple[str, str, bytes | None]:
        """Give method, path and body."""
        return "GET", f"/items?limit={self.limit}", None


Operation = Create | Delete | Read | Page
#: What one client did, one after another, and what it was told.
Script = Sequence[tuple[Operation, Answer]]


class Model:
    """The items and the history since a moment, and what could have happened since."""

    def __init__(self, position: int, items: Sequence[dict[str, Any]]) -> None:
        self.position = position
        self.items: dict[int, Body] = {item["id"]: body_of(item) for item in items}
        self.deleted: list[int] = []
        #: Event type, item, version; one a position.
        self.history: list[tuple[str, int, int]] = []

    def judge(self, scripts: Sequence[Script]) -> None:
        """Fail unless the answers are a possible outcome of what clients did at once; then it is what happened.

        Writes say by their Log-Position in which order they took effect. A read says of which state it is, which must
        be one that its client could not know to be past.
        """
        states = self._replay([exchange for script in scripts for exchange in script])
        last = self.position + len(states) - 1
        for script in scripts:
            known = self.position
            for operation, answer in script:
                assert known <= answer.position <= last, f"{operation} answered of a state that was past: {answer}"
                known = answer.position
                _check_read(operation, answer, states[known - self.position])
        self.position, self.items = last, states[-1]

    def _replay(self, exchanges: Script) -> list[dict[int, Body]]:
        """Apply the writes that succeeded, in the order of their positions, and give every state from now on."""
        states = [self.items]
        writes = [(answer.position, op, answer) for op, answer in exchanges if answer.status in (201, 204)]
        for expected, (position, operation, answer) in enumerate(
            sorted(writes, key=lambda write: write[0]), self.position + 1
        ):
            assert position == expected, f"the event at {expected} was acknowledged to nobody, or twice"
            items = dict(states[-1])
            if isinstance(operation, Create):
                items[position] = (operation.name, operation.price, operation.in_stock)
                assert answer.json()["id"] == position
                assert answer.headers["location"] == f"/items/{position}"
                self.history.append(("item.created.v1", position, 1))
            else:
                assert isinstance(operation, Delete), answer
                assert items.pop(operation.item_id, None), f"{operation} succeeded twice, or of nothing"
                self.deleted.append(operation.item_id)
                self.history.append(("item.deleted.v1", operation.item_id, 2))
            states.append(items)
        return states


def body_of(item: dict[str, Any]) -> Body:
    """Take an item from an answer."""
    return item["name"], item["price"], item["in_stock"]


def _check_read(operation: Operation, answer: Answer, state: dict[int, Body]) -> None:
    match operation:
        case Create(name, price, in_stock):
            assert answer.status == 201, answer
            assert body_of(answer.json()) == (name, price, in_stock)
            assert answer.headers["etag"] == _FIRST
        case Delete(item_id):
            # One that succeeded was replayed as a write; one that found nothing did so because there is nothing.
            assert answer.status in (204, 404), answer
            assert item_id not in state, answer
        case Read(item_id):
            assert answer.status == (200 if item_id in state else 404), answer
            if answer.status == 200:
                assert (answer.json()["id"], answer.headers["etag"]) == (item_id, _FIRST)
                assert body_of(answer.json()) == state[item_id]
        case Page(limit):
            assert answer.status == 200, answer
            expected = [(item_id, state[item_id]) for item_id in sorted(state)[:limit]]
            assert [(item["id"], body_of(item)) for item in answer.json()] == expected
            assert ('rel="next"' in answer.headers["link"]) == (len(state) > limit)
