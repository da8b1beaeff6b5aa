"""Compares two tables of one projection row by row."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from operator import add
from typing import Any

import msgspec
from sqlalchemy import Connection, Table

from eventstore.log.write_set import RowChanges
from projections.rebuild.rebuild_state import Sample
from projections.rebuild.table_reader import PAGE, Pages, columns_of, values_that_differ

#: The most differing values that are reported.
SAMPLES = 20
_END = 2**63 - 1

_encoder = msgspec.json.Encoder()


class Keys:
    """The keys of rows that have a property, 8 bytes each. Some rows are looked at again later."""

    def __init__(self) -> None:
        self._first = array("q")
        self._again: dict[int, bool] = {}

    def extend(self, keys: Iterable[int]) -> None:
        """Add `keys`, which are sorted and greater than all before, at the first look."""
        self._first.extend(keys)

    def look_again(self, looked_at: Iterable[int], found: Iterable[int]) -> None:
        """Replace what is known of the keys `looked_at`: now those that were `found` have the property."""
        have_it = set(found)
        self._again.update((key, key in have_it) for key in looked_at)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._first) - sum(map(self._is_in_first, self._again)) + sum(self._again.values())

    def __iter__(self) -> Iterator[int]:
        """Return them, in no order."""
        yield from (key for key in self._first if key not in self._again)
        yield from (key for key, has_it in self._again.items() if has_it)

    def _is_in_first(self, key: int) -> bool:
        index = bisect_left(self._first, key)
        return index < len(self._first) and self._first[index] == key


class Comparison:
    """The differences of a live and a rebuilt table, folds of the same events, in their common columns."""

    def __init__(self, live: Table, rebuilt: Table, live_columns: Sequence[str], position: int) -> None:
        """Compare the two as of the log's `position`; the database's live table has `live_columns`."""
        key, *others = columns_of(rebuilt)
        columns = [key, *(name for name in others if name in live_columns)]
        self.position = position
        #: Columns that only one of them has.
        self.added = [name for name in others if name not in live_columns]
        self.dropped = [str(name) for name in live_columns if name not in columns]
        #: SHA-256 of the live table and of the rebuilt one, once all rows are compared.
        self.digests: tuple[str, str] | None = None
        self._live = Pages(live, columns)
        self._rebuilt = Pages(rebuilt, columns)
        self._columns = columns
        self._samples: dict[int, list[Sample]] = {}
        #: The number of rows that were compared: of keys that either table had at `position`.
        self.compared = 0
        #: The rows that differ, as last compared, and those of them that only the live table has.
        self.differing, self.surplus = Keys(), Keys()

    def shown(self) -> list[Sample]:
        """Return some of the values that differ, those of the lowest keys."""
        return [sample for key in sorted(self._samples) for sample in self._samples[key]][:SAMPLES]

    def all(self, connection: Connection, overlay: RowChanges, tick: Callable[[], None]) -> None:
        """Compare every row, after `overlay` is applied to the rebuilt ones. `tick` is called often, and may raise."""
        live_digest, rebuilt_digest = sha256(), sha256()
        changed = sorted({*overlay.insert, *overlay.replace, *overlay.add, *overlay.delete})
        after, start = -_END, 0
        while after < _END:
            tick()
            live, rebuilt = self._live.behind(connection, after), self._rebuilt.behind(connection, after)
            after = min(_last_key(live), _last_key(rebuilt))
            live, rebuilt = _up_to(after, live), _up_to(after, rebuilt)
            end = bisect_left(changed, after + 1, start)
            if start < end:
                rebuilt = _overlaid(rebuilt, overlay, changed[start:end], self._columns)
            start = end
            live_digest.update(_encoder.encode_lines(live))
            rebuilt_digest.update(_encoder.encode_lines(rebuilt))
            if live == rebuilt:
                self.compared += len(live)
                continue
            differing, surplus = self._differences(live, rebuilt)
            self.compared += len(rebuilt) + len(surplus)
            self.differing.extend(differing)
            self.surplus.extend(surplus)
        self.digests = live_digest.hexdigest(), rebuilt_digest.hexdigest()

    def recheck(self, connection: Connection, keys: Iterable[int]) -> None:
        """Compare the rows that have one of `keys`, which changed since all were compared."""
        changed = sorted(keys)
        for start in range(0, len(changed), PAGE):
            portion = changed[start : start + PAGE]
            live, rebuilt = self._live.of(connection, portion), self._rebuilt.of(connection, portion)
            for key in portion:
                self._samples.pop(key, None)
            differing, surplus = self._differences(live, rebuilt)
            self.differing.look_again(portion, differing)
            self.surplus.look_again(portion, surplus)

    def _differences(self, live: Sequence[Any], rebuilt: Sequence[Any]) -> tuple[list[int], list[int]]:
        """Return the keys of rows that differ, and of those that only the live table has; store some of the values."""
        ours, theirs = {row[0]: row for row in rebuilt}, {row[0]: row for row in live}
        differing = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        for key in differing:
            if len(self._samples) >= SAMPLES:
                break
            self._samples[key] = values_that_differ(self._columns, key, theirs.get(key), ours.get(key))
        return differing, [key for key in differing if key not in ours]


def _last_key(page: Sequence[Any]) -> int:
    """Return the last key that a page covers: a page that is not full covers all that follow."""
    return page[-1][0] if len(page) == PAGE else _END


def _up_to(key: int, page: list[Any]) -> list[Any]:
    return page if not page or page[-1][0] <= key else [row for row in page if row[0] <= key]


def _overlaid(page: Sequence[Any], overlay: RowChanges, keys: Sequence[int], columns: Sequence[str]) -> list[Any]:
    """Return the rows of a page after the changes of the rows with `keys`."""
    rows = {row[0]: row for row in page}
    for key in keys:
        added, old = key in overlay.add, rows.pop(key, None)
        if (row := overlay.of_empty_table(key)) is not None:
            values = tuple(row[name] for name in columns)
            rows[key] = (key, *map(add, old[1:], values[1:])) if added and old else values
    return [rows[key] for key in sorted(rows)]
