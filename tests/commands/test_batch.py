"""Many submissions in one transaction: repeated keys, and submissions of several commands."""

from decimal import Decimal

import pytest

from commands.batch import Recorded, Submission, decide_batch, needs_of
from commands.errors import CommandRejectedError, IdempotencyKeyReusedError, ItemNotFoundError, VersionMismatchError
from commands.item import ChangeItem, Command, CreateItem, DeleteItem, RestoreItem
from eventstore.database.database import Database
from eventstore.events import ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata
from eventstore.item import DeletedItem, LiveItem
from eventstore.log.past import Past
from eventstore.log.write_set import WriteSet, build
from tests.eventstore.recording import history, live
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import metadata

PEN = CreateItem("Pen", Decimal(1))
INK = CreateItem("Ink", Decimal(2))
ONE, OTHER = bytes(32), bytes([1]) * 32


def keyed(key: str, *commands: Command, fingerprint: bytes = ONE) -> Submission:
    return Submission(commands, Metadata(key, fingerprint=fingerprint), keyed=True)


def plain(*commands: Command) -> Submission:
    return Submission(commands, metadata(), keyed=False)


async def together(database: Database, *submissions: Submission) -> list[Recorded | Exception]:
    """Process submissions in one transaction."""
    projector = live()

    def decide(past: Past) -> tuple[WriteSet | None, list[Recorded | Exception]]:
        decided = decide_batch(past, submissions, 1)
        write_set = build(past.head, decided.transitions, projector, decided.snapshots) if decided.transitions else None
        return write_set, list(decided.outcomes)

    outcomes = await database.append(needs_of(submissions), decide, projector)
    await assert_log_and_projection_agree(database)
    return outcomes


def brief(outcome: Recorded | Exception) -> tuple[object, ...]:
    """Return a submission's item ids, position and whether it was replayed, or its error."""
    if isinstance(outcome, CommandRejectedError):
        return (type(outcome), outcome.position)
    assert isinstance(outcome, Recorded)
    return ([item_id for item_id, _ in outcome.items], outcome.position, outcome.replayed)


async def test_a_key_twice_in_one_transaction_has_one_effect(database: Database) -> None:
    outcomes = await together(database, keyed("k", PEN), plain(INK), keyed("k", PEN), keyed("k", PEN))
    assert list(map(brief, outcomes)) == [([1], 1, False), ([2], 2, False), ([1], 1, True), ([1], 1, True)]
    later = await together(database, keyed("k", PEN), keyed("k", PEN))
    assert list(map(brief, later)) == [([1], 1, True), ([1], 1, True)]
    assert len(await history(database)) == 2


async def test_a_key_reused_in_one_transaction_with_another_request_is_refused(database: Database) -> None:
    submissions = (keyed("k", PEN), keyed("k", INK, fingerprint=OTHER), keyed("k", PEN), plain(INK))
    outcomes = await together(database, *submissions)
    assert list(map(brief, outcomes)) == [
        ([1], 1, False),
        (IdempotencyKeyReusedError, 1),
        ([1], 1, True),
        ([2], 2, False),
    ]
    later = await together(database, keyed("k", INK, fingerprint=OTHER))
    assert list(map(brief, later)) == [(IdempotencyKeyReusedError, 2)]


async def test_the_key_of_a_rejected_write_can_be_used_again_in_the_same_transaction(database: Database) -> None:
    rename = ChangeItem(1, name="Nib")
    outcomes = await together(database, keyed("k", rename), plain(PEN), keyed("k", rename), keyed("k", rename))
    assert list(map(brief, outcomes)) == [
        (ItemNotFoundError, 0),
        ([1], 1, False),
        ([1], 2, False),
        ([1], 2, True),
    ]


async def test_a_replay_in_the_same_transaction_returns_the_item_at_the_time(database: Database) -> None:
    outcomes = await together(
        database, plain(PEN), keyed("k", ChangeItem(1, name="Nib")), plain(DeleteItem(1)), keyed("k", DeleteItem(1))
    )
    assert list(map(brief, outcomes)) == [([1], 1, False), ([1], 2, False), ([1], 3, False), ([1], 2, True)]
    replayed = outcomes[3]
    assert isinstance(replayed, Recorded)
    assert replayed.item == LiveItem(2, "Nib", Decimal(1), True)


async def test_commands_of_a_submission_see_each_other_and_share_one_command_id(database: Database) -> None:
    outcomes = await together(
        database,
        plain(PEN),
        plain(INK, ChangeItem(2, name="Nib"), ChangeItem(1, price=Decimal(5)), DeleteItem(2), RestoreItem(2)),
    )
    assert list(map(brief, outcomes)) == [([1], 1, False), ([2, 2, 1, 2, 2], 6, False)]
    recorded = (await history(database))[1:]
    assert [(event.item_id, event.version, event.ordinal) for event in recorded] == [
        (2, 1, 0),
        (2, 2, 1),
        (1, 2, 2),
        (2, 3, 3),
        (2, 4, 4),
    ]
    assert [type(event.event) for event in recorded] == [
        ItemCreated,
        ItemChanged,
        ItemChanged,
        ItemDeleted,
        ItemRestored,
    ]
    assert len({event.metadata.command_id for event in recorded}) == 1


@pytest.mark.parametrize("at", [0, 1, 2, 3])
async def test_a_rejected_command_rejects_its_whole_submission_and_no_other(database: Database, at: int) -> None:
    commands: list[Command] = [INK, ChangeItem(1, name="Nib"), DeleteItem(1)]
    commands.insert(at, ChangeItem(1, price=Decimal(9), versions=frozenset({77})))
    outcomes = await together(database, plain(PEN), plain(*commands), plain(INK), plain(ChangeItem(1, in_stock=False)))
    rejected = VersionMismatchError if at < 3 else ItemNotFoundError
    assert list(map(brief, outcomes)) == [([1], 1, False), (rejected, 1), ([2], 2, False), ([1], 3, False)]
    changed = outcomes[3]
    assert isinstance(changed, Recorded)
    assert changed.item == LiveItem(2, "Pen", Decimal(1), False)
    assert len(await history(database)) == 3


async def test_a_keyed_submission_of_many_commands_is_replayed_item_by_item(database: Database) -> None:
    first = await together(database, keyed("k", PEN, INK, PEN))
    await together(database, plain(DeleteItem(2)))
    assert await together(database, keyed("k", PEN, INK, PEN)) == [
        Recorded(first[0].items, first[0].position, replayed=True)  # type: ignore[union-attr]
    ]


async def test_a_replay_does_not_affect_new_commands_in_the_same_batch(database: Database) -> None:
    """A replay of an old change returns the item at the time; a new change in the same batch uses the current item."""
    await together(database, plain(PEN), keyed("k", ChangeItem(1, name="Nib")), plain(ChangeItem(1, name="Ink")))
    outcomes = await together(
        database, keyed("k", ChangeItem(1, name="Nib")), plain(DeleteItem(1)), keyed("k", ChangeItem(1, name="Nib"))
    )
    assert list(map(brief, outcomes)) == [([1], 2, True), ([1], 4, False), ([1], 2, True)]
    deleted = outcomes[1]
    assert isinstance(deleted, Recorded)
    assert deleted.item == DeletedItem(4, "Ink", Decimal(1), True)
