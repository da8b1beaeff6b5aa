"""Two tables of one projection, held against each other row by row."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Table

from projections.projection import Changes, Row
from projections.rebuild.rebuild_state import Sample
from projections.rebuild.table_reader import PAGE, Pages, columns_of, values_that_differ

#: Values that are shown of all that differ.
SAMPLES = 20
_END = 2**63 - 1

_encoder = msgspec.json.Encoder()


class Comparison:
    """What differs between a live table and a rebuilt one, both folds of the same events, in the columns both have."""

    def __init__(self, live: Table, rebuilt: Table, there: Sequence[str], position: int) -> None:
        """Compare the two as of the log's `position`; `there` are the columns that the live table really has."""
        key, *others = columns_of(rebuilt)
        columns = [key, *(name for name in others if name in there)]
        self.position = position
        #: Columns that only one of them has.
        self.added = [name for name in others if name not in there]
        self.dropped = [str(name) for name in there if name not in columns]
        #: Pairs of rows that were looked at.
        self.compared = 0
        #: SHA-256 of the live table and of the rebuilt one, where all rows were compared.
        self.digests: tuple[str, str] | None = None
        self._live = Pages(live, columns)
        self._rebuilt = Pages(rebuilt, columns)
        self._columns = columns
        self._samples: dict[int, list[Sample]] = {}
        self._differing = array("q")
        self._again: dict[int, bool] = {}

    @property
    def differing(self) -> int:
        """The number of rows that differ, as last compared."""
        return len(self._differing) - sum(map(self._differed_at_first, self._again)) + sum(self._again.values())

    def shown(self) -> list[Sample]:
        """Give some of the values that differ, those of the lowest keys."""
        return [sample for key in sorted(self._samples) for sample in self._samples[key]][:SAMPLES]

    def all(self, connection: Connection, overlay: Changes, tick: Callable[[], None]) -> None:
        """Compare every row, `overlay` laid over the rebuilt ones. `tick` is called now and then, and may raise."""
        live_digest, rebuilt_digest = sha256(), sha256()
        changed = sorted(overlay)
        after, start = -_END, 0
        while after < _END:
            tick()
            live, rebuilt = self._live.behind(connection, after), self._rebuilt.behind(connection, after)
            after = min(_last(live), _last(rebuilt))
            live, rebuilt = _until(after, live), _until(after, rebuilt)
            end = bisect_left(changed, after + 1, start)
            if start < end:
                rebuilt = _overlaid(rebuilt, {key: overlay[key] for key in changed[start:end]}, self._columns)
            start = end
            live_digest.update(_encoder.encode_lines(live))
            rebuilt_digest.update(_encoder.encode_lines(rebuilt))
            self.compared += max(len(live), len(rebuilt))
            if live != rebuilt:
                self._differing.extend(self._differences(live, rebuilt))
        self.digests = live_digest.hexdigest(), rebuilt_digest.hexdigest()

    def again(self, connection: Connection, keys: Iterable[int]) -> None:
        """Compare the rows that have one of `keys`, which changed since all were compared."""
        wanted = sorted(keys)
        for start in range(0, len(wanted), PAGE):
            portion = wanted[start : start + PAGE]
            live, rebuilt = self._live.of(connection, portion), self._rebuilt.of(connection, portion)
            for key in portion:
                self._samples.pop(key, None)
            differing = set(self._differences(live, rebuilt))
            self._again.update((key, key in differing) for key in portion)
            self.compared += len(portion)

    def _differed_at_first(self, key: int) -> bool:
        place = bisect_left(self._differing, key)
        return place < len(self._differing) and self._differing[place] == key

    def _differences(self, live: Sequence[Any], rebuilt: Sequence[Any]) -> list[int]:
        """Give the keys of rows that differ, in order, and keep what differs in some of them."""
        ours, theirs = {row[0]: row for row in rebuilt}, {row[0]: row for row in live}
        differing = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        for key in differing:
            if len(self._samples) >= SAMPLES:
                break
            self._samples[key] = values_that_differ(self._columns, key, theirs.get(key), ours.get(key))
        return differing


def _last(page: Sequence[Any]) -> int:
    """Give the last key of a page; behind a page that is not full there is nothing."""
    return page[-1][0] if len(page) == PAGE else _END


def _until(key: int, page: list[Any]) -> list[Any]:
    return page if not page or page[-1][0] <= key else [row for row in page if row[0] <= key]


def _overlaid(page: Sequence[Any], changes: Mapping[int, Row | None], columns: Sequence[str]) -> list[Any]:
    rows = {row[0]: row for row in page}
    for key, row in changes.items():
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = tuple(row[name] for name in columns)
    return [rows[key] for key in sorted(rows)]
