"""What a batch of commands reads before it decides: the head, its items' streams, and earlier events of its keys.

One statement reads all three as of one moment. Only a key that was used before needs another: the item's stream up to
its event, so that the first result can be told again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, Text, literal, null, select, union_all

from eventstore.database.parameters import text_values
from eventstore.database.prepared import Prepared
from eventstore.events import ItemCreated, RecordedEvent
from eventstore.log import head as log_end
from eventstore.log.head import END, Head
from eventstore.log.streams import COLUMNS, commands, recorded, stream_parameters, streams
from eventstore.log.tables import BigInt, log_head


class Needs(Struct, frozen=True):
    """What to read."""

    item_ids: Collection[int] = ()
    #: Command ids that may have been used before.
    command_ids: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.item_ids or self.command_ids)


class Past(Struct, frozen=True):
    """What was read, as of `head`."""

    head: Head
    #: The stream of each item that exists, from its newest snapshot or its creation.
    streams: Mapping[int, Sequence[RecordedEvent]] = {}
    #: The events of each command that is in the log.
    commands: Mapping[str, Sequence[RecordedEvent]] = {}
    #: The stream of an earlier command's item up to its event, by the event's position; not for a creation.
    results: Mapping[int, Sequence[RecordedEvent]] = {}

    def missing(self) -> list[RecordedEvent]:
        """Return the events whose entry in `results` must be read."""
        found = (event for of_command in self.commands.values() for event in of_command)
        return [event for event in found if not isinstance(event.event, ItemCreated)]


_STREAM, _COMMAND, _HEAD = 0, 1, 2


@cache
def head_statement(dialect: str, *, locked: bool = False) -> Prepared:
    """Return the statement that reads a row for `log_end.of_row`, and locks it if `locked`."""
    row = select(*log_end.COLUMNS).where(log_head.c.id == 1)
    return Prepared(row.with_for_update() if locked else row, dialect)


@cache
def past_statement(dialect: str) -> Prepared:
    """Return the statement that reads rows for `of_rows`."""
    of_items = streams(dialect).add_columns(literal(_STREAM).label("kind"))
    of_commands = commands(dialect).add_columns(literal(_COMMAND))
    return Prepared(union_all(of_items, of_commands, _head_row()), dialect)


@cache
def result_statement(dialect: str) -> Prepared:
    """Return the statement that reads a stream up to an event, for `stream_of`."""
    return Prepared(streams(dialect), dialect)


def parameters(dialect: str, needs: Needs) -> dict[str, object]:
    """Return the parameters of `past_statement`."""
    return {**stream_parameters(dialect, needs.item_ids, END), "command_ids": text_values(dialect, needs.command_ids)}


def result_parameters(dialect: str, event: RecordedEvent) -> dict[str, object]:
    """Return the parameters of `result_statement` for one event."""
    return stream_parameters(dialect, [event.item_id], event.position)


def of_rows(rows: Iterable[Sequence[Any]]) -> Past:
    """Return what rows of `past_statement` say, in any order. Raises UnknownEventTypeError or CorruptEventError."""
    by_kind: dict[int, list[Sequence[Any]]] = {_STREAM: [], _COMMAND: [], _HEAD: []}
    for *row, kind in rows:
        by_kind[kind].append(row)
    ((position, revision, *_, recorded_at, _, _, _, _, frontier, _, _),) = by_kind[_HEAD]
    head = log_end.of_row(position, recorded_at, frontier, revision)
    of_items = {item_id: list(stream) for item_id, stream in groupby(stream_of(by_kind[_STREAM]), _item_id)}
    of_commands: dict[str, list[RecordedEvent]] = {}
    for event in sorted(map(recorded, by_kind[_COMMAND]), key=lambda event: event.position):
        of_commands.setdefault(event.metadata.command_id, []).append(event)
    return Past(head, of_items, of_commands)


def stream_of(rows: Iterable[Sequence[Any]]) -> list[RecordedEvent]:
    """Return streams from their rows, in the order of items and versions."""
    return sorted(map(recorded, rows), key=lambda event: (event.item_id, event.version))


def _item_id(event: RecordedEvent) -> int:
    return event.item_id


def _head_row() -> Select[Any]:
    """Return the head in the columns of an event: one statement reads both, and each has some of the same types."""
    values = {
        "position": log_head.c.position,
        "item_id": log_head.c.tables_revision,
        "recorded_at": log_head.c.recorded_at,
        "fingerprint": log_head.c.frontier,
    }
    empty = {"version": literal(0, BigInt), "ordinal": literal(0)}
    texts = {column.name: null() if column.nullable else literal("", Text) for column in COLUMNS}
    columns = {**texts, **empty, **values}
    return select(*columns.values(), literal(_HEAD)).where(log_head.c.id == 1)
