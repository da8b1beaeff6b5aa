"""Given these events, when this command, then those events: one item's behaviour as plain data."""

from collections.abc import Sequence

import pytest

from commands.errors import CommandRejectedError
from commands.item import Command, decide
from eventstore.events import Event
from eventstore.item import Item, NoItem, evolve


def given(*events: Event) -> "_Given":
    """Start from an item with this history; none is an item that never was."""
    return _Given(fold(events))


def fold(events: Sequence[Event]) -> Item:
    """Return the item that these events make."""
    item: Item = NoItem()
    for event in events:
        item = evolve(item, event)
    return item


class _Given:
    def __init__(self, item: Item) -> None:
        self._item = item

    def when(self, command: Command) -> "_When":
        return _When(self._item, command)

    def then_item(self, item: Item) -> None:
        """Expect the history to make exactly this state."""
        assert self._item == item


class _When:
    def __init__(self, item: Item, command: Command) -> None:
        self._item = item
        self._command = command

    def then(self, *events: Event) -> None:
        """Expect exactly these events, and that they can happen."""
        decided = decide(self._command, self._item)
        assert decided == list(events)
        item = self._item
        for event in decided:
            item = evolve(item, event)

    def then_rejected(self, error: type[CommandRejectedError], message: str) -> None:
        """Expect a rejection that says exactly this."""
        with pytest.raises(error) as raised:
            decide(self._command, self._item)
        assert raised.type is error
        assert str(raised.value) == message
