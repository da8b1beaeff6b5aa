"""The result of each command in each state of an item, and histories that are impossible."""

from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET

from commands.errors import CommandRejectedError, ItemNotDeletedError, ItemNotFoundError, VersionMismatchError
from commands.item import ChangeItem, Command, CreateItem, DeleteItem, RestoreItem, decide
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored
from eventstore.item import DeletedItem, Item, LiveItem, NoItem, evolve
from tests.support.given import fold, given

CREATED = ItemCreated("Pen", Decimal("1.5"), True)
CHANGED = ItemChanged(price=Decimal(2))
DELETED = ItemDeleted()
RESTORED = ItemRestored()

#: Every state, by its shortest history and by one that returned to it.
NEVER: list[list[Event]] = [[]]
LIVE: list[list[Event]] = [[CREATED], [CREATED, CHANGED], [CREATED, DELETED, RESTORED]]
GONE: list[list[Event]] = [[CREATED, DELETED], [CREATED, CHANGED, DELETED, RESTORED, DELETED]]


def test_a_create_command_creates_an_item() -> None:
    given().when(CreateItem("Pen", Decimal("1.5"))).then(CREATED)
    given().when(CreateItem("Pen", Decimal("1.5"), in_stock=False)).then(ItemCreated("Pen", Decimal("1.5"), False))


@pytest.mark.parametrize("history", LIVE + GONE)
def test_an_item_is_created_only_once(history: list[Event]) -> None:
    # No client can cause it, since the log assigns ids: it is a bug, not a rejection.
    with pytest.raises(ValueError, match="already"):
        decide(CreateItem("Pen", Decimal(1)), fold(history))


@pytest.mark.parametrize("history", LIVE)
def test_a_live_item_can_be_deleted(history: list[Event]) -> None:
    given(*history).when(DeleteItem(1)).then(DELETED)
    given(*history).when(DeleteItem(1, frozenset({len(history)}))).then(DELETED)
    given(*history).when(DeleteItem(1, frozenset({99, len(history)}))).then(DELETED)


@pytest.mark.parametrize("history", LIVE)
@pytest.mark.parametrize("versions", [frozenset(), frozenset({99}), frozenset({0, -1})])
def test_a_live_item_at_another_version_is_not_deleted(history: list[Event], versions: frozenset[int]) -> None:
    message = f"Precondition failed: the item is at version {len(history)}"
    given(*history).when(DeleteItem(1, versions)).then_rejected(VersionMismatchError, message)


@pytest.mark.parametrize("history", NEVER + GONE)
@pytest.mark.parametrize("versions", [None, frozenset(), frozenset({0, 1, 2})])
def test_a_missing_or_deleted_item_cannot_be_deleted(history: list[Event], versions: frozenset[int] | None) -> None:
    given(*history).when(DeleteItem(1, versions)).then_rejected(ItemNotFoundError, "Item not found")


def test_a_change_records_only_the_fields_that_differ() -> None:
    given(CREATED).when(ChangeItem(1, name="Ink")).then(ItemChanged(name="Ink"))
    given(CREATED).when(ChangeItem(1, "Ink", Decimal("1.5"), False)).then(ItemChanged(name="Ink", in_stock=False))
    given(CREATED, CHANGED).when(ChangeItem(1, price=Decimal("1.5"))).then(ItemChanged(price=Decimal("1.5")))
    given(CREATED).when(ChangeItem(1, "Ink", Decimal(0), False)).then(ItemChanged("Ink", Decimal(0), False))


@pytest.mark.parametrize("command", [ChangeItem(1), ChangeItem(1, "Pen"), ChangeItem(1, "Pen", Decimal("1.50"), True)])
def test_a_change_without_a_difference_records_no_event(command: ChangeItem) -> None:
    given(CREATED).when(command).then()


@pytest.mark.parametrize("history", LIVE)
def test_a_change_can_require_a_version(history: list[Event]) -> None:
    given(*history).when(ChangeItem(1, "Ink", versions=frozenset({len(history)}))).then(ItemChanged(name="Ink"))
    message = f"Precondition failed: the item is at version {len(history)}"
    for command in (ChangeItem(1, "Ink", versions=frozenset({99})), ChangeItem(1, versions=frozenset())):
        given(*history).when(command).then_rejected(VersionMismatchError, message)


@pytest.mark.parametrize("history", NEVER + GONE)
def test_a_missing_or_deleted_item_cannot_be_changed(history: list[Event]) -> None:
    given(*history).when(ChangeItem(1, "Ink")).then_rejected(ItemNotFoundError, "Item not found")


@pytest.mark.parametrize("history", GONE)
def test_a_deleted_item_can_be_restored(history: list[Event]) -> None:
    given(*history).when(RestoreItem(1)).then(RESTORED)
    # Clients last saw the version before the deletion.
    given(*history).when(RestoreItem(1, frozenset({len(history) - 1}))).then(RESTORED)
    message = f"Precondition failed: the item is at version {len(history) - 1}"
    for version in (len(history), 99):
        given(*history).when(RestoreItem(1, frozenset({version}))).then_rejected(VersionMismatchError, message)


def test_only_a_deleted_item_can_be_restored() -> None:
    for history in LIVE:
        message = "The item is not deleted. Only a deleted item can be restored"
        given(*history).when(RestoreItem(1, frozenset())).then_rejected(ItemNotDeletedError, message)
    given().when(RestoreItem(1)).then_rejected(ItemNotFoundError, "Item not found")


@pytest.mark.parametrize(
    ("history", "item"),
    [
        ([], NoItem(0)),
        ([CREATED], LiveItem(1, "Pen", Decimal("1.5"), True)),
        ([CREATED, ItemChanged(name="Ink")], LiveItem(2, "Ink", Decimal("1.5"), True)),
        ([CREATED, ItemChanged(price=Decimal(0))], LiveItem(2, "Pen", Decimal(0), True)),
        ([CREATED, ItemChanged(in_stock=False)], LiveItem(2, "Pen", Decimal("1.5"), False)),
        ([CREATED, ItemChanged("Ink", Decimal(3), False)], LiveItem(2, "Ink", Decimal(3), False)),
        ([CREATED, DELETED], DeletedItem(2, "Pen", Decimal("1.5"), True)),
        ([CREATED, CHANGED, DELETED, RESTORED], LiveItem(4, "Pen", Decimal(2), True)),
    ],
)
def test_evolve_computes_an_item_from_its_events(history: list[Event], item: Item) -> None:
    given(*history).then_item(item)


@pytest.mark.parametrize(
    ("history", "event"),
    [
        *[(history, event) for history in NEVER for event in (CHANGED, DELETED, RESTORED)],
        *[(history, event) for history in LIVE for event in (CREATED, RESTORED)],
        *[(history, event) for history in GONE for event in (CREATED, CHANGED, DELETED)],
    ],
)
def test_an_impossible_history_is_refused(history: list[Event], event: Event) -> None:
    item = fold(history)
    with pytest.raises(ValueError, match=event.type):
        evolve(item, event)


versions = st.none() | st.frozensets(st.integers(0, 6), max_size=4)
commands: st.SearchStrategy[Command] = st.builds(
    CreateItem, st.text(min_size=1, max_size=5), st.decimals(-9, 9, places=4), st.booleans()
)
commands |= st.builds(DeleteItem, st.just(1), versions) | st.builds(RestoreItem, st.just(1), versions)
commands |= st.builds(
    ChangeItem,
    st.just(1),
    st.just(UNSET) | st.sampled_from(["Pen", "Ink"]),
    st.just(UNSET) | st.integers(1, 3).map(Decimal),
    st.just(UNSET) | st.booleans(),
    versions,
)


@for_all(st.lists(commands, max_size=12))
def test_evolve_accepts_every_event_that_decide_returns(asked: list[Command]) -> None:
    item: Item = NoItem()
    happened: list[Event] = []
    for command in asked:
        try:
            decided = decide(command, item)
        except (CommandRejectedError, ValueError):
            continue
        for event in decided:
            item = evolve(item, event)  # outside the try: it must accept every decided event
        happened += decided
        assert item.version == len(happened)
    assert fold(happened) == item
