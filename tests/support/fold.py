"""The reference model: what the tables must hold, worked out from the log's columns with no code of the service.

JSON is read by `json`, the leaf is written by `json`, the tree is hashed level by level and the items are folded as
dictionaries, so that a fault in the service's codec, tree or projection can't hide in its own check.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from eventstore.database.database import Database

#: An item's row as a dictionary: id, name, price in ten-thousandths, in_stock, version.
ItemRow = dict[str, Any]
#: A day's row: created, changed, deleted, restored, active_items, and stock_value in ten-thousandths.
DayRow = dict[str, int]

#: A state of an item that is over: its row with `name_folded`, and `valid_from`, `valid_to` and `node`.
VersionRow = dict[str, Any]

_EVENTS = text("SELECT * FROM events ORDER BY position")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TILE_WIDTH = 256


async def assert_log_and_projection_agree(database: Database) -> None:
    """Fail where the log, its tree, a projection or its checkpoint is not what the log's own columns say it is."""
    await database.write(_check)


def fold_of_log(connection: Connection, upto: int | None = None) -> dict[int, ItemRow]:
    """Return the live items after the log, or after its first `upto` events, by id. Run it within a transaction."""
    return _fold(connection.execute(_EVENTS).mappings().all()[:upto])


def stored_items(connection: Connection) -> dict[int, ItemRow]:
    """Return what the `items` table holds, by id. Run it within a transaction."""
    rows = connection.execute(text("SELECT id, name, price, in_stock, version FROM items")).mappings()
    return {row["id"]: {**row, "in_stock": bool(row["in_stock"])} for row in rows}


def days_of_log(connection: Connection, upto: int | None = None) -> dict[int, DayRow]:
    """Return the days of the log, or of its first `upto` events, by number since 1970. Run it within a transaction."""
    return _days(connection.execute(_EVENTS).mappings().all()[:upto])


def stored_days(connection: Connection) -> dict[int, DayRow]:
    """Return the days that the `activity` table holds, with the totals at their ends. Run it within a transaction."""
    days: dict[int, DayRow] = {}
    active_items = stock_value = 0
    for row in connection.execute(text("SELECT * FROM activity ORDER BY day")).mappings():
        counts = {name: row[name] for name in ("created", "changed", "deleted", "restored")}
        active_items += counts["created"] - counts["deleted"] + counts["restored"]
        stock_value += row["stock_value_quotient"] * 10**9 + row["stock_value_rest"]
        days[row["day"]] = {**counts, "active_items": active_items, "stock_value": stock_value}
    return days


def item_versions_of_log(connection: Connection, upto: int | None = None) -> dict[int, VersionRow]:
    """Return the states of items that the log, or its first `upto` events, ended. Run it within a transaction."""
    return _item_versions(connection.execute(_EVENTS).mappings().all()[:upto])


def stored_item_versions(connection: Connection) -> dict[int, VersionRow]:
    """Return what the `item_versions` table holds, by `valid_to`. Run it within a transaction."""
    rows = connection.execute(text("SELECT * FROM item_versions")).mappings()
    return {row["valid_to"]: {**row, "in_stock": bool(row["in_stock"])} for row in rows}


def leaf_hash_of(row: Any) -> bytes:
    """Return the leaf hash that a row of `events` must have, from its other columns."""
    names = "position item_id version type recorded_at actor credential command_id ordinal correlation_id causation_id"
    columns = [*(row[name] for name in names.split()), row["fingerprint"].hex(), row["data"]]
    leaf = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
    return sha256(b"\x00" + leaf.encode()).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the tree's root over leaf hashes: level by level in pairs, a lone last one moves up as it is."""
    level = list(hashes) or [sha256().digest()]
    while len(level) > 1:
        pairs = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def tiles_of(hashes: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Return the root of every complete subtree of 256, 65,536, ... leaves, by (level, index)."""
    tiles: dict[tuple[int, int], bytes] = {}
    level, below = 1, list(hashes)
    while len(below) >= _TILE_WIDTH:
        starts = range(0, len(below) - _TILE_WIDTH + 1, _TILE_WIDTH)
        below = [root_of(below[start : start + _TILE_WIDTH]) for start in starts]
        tiles.update({(level, index): hashed for index, hashed in enumerate(below)})
        level += 1
    return tiles


def frontier_of(hashes: Sequence[bytes]) -> bytes:
    """Return the roots of the complete subtrees from left to right, largest first, end to end."""
    frontier, start = b"", 0
    for bit in reversed(range(len(hashes).bit_length())):
        if len(hashes) >> bit & 1:
            frontier += root_of(hashes[start : start + (1 << bit)])
            start += 1 << bit
    return frontier


def _check(connection: Connection) -> None:
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # One snapshot for all reads, whatever other clients write. An SQLite transaction is one anyway.
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        rows = connection.execute(_EVENTS).mappings().all()
        head = connection.execute(text("SELECT * FROM log_head")).mappings().one()
        tiles = connection.execute(text("SELECT * FROM log_tiles")).mappings().all()
        projections = connection.execute(text("SELECT name FROM projections")).scalars().all()
        items = stored_items(connection)
        days = stored_days(connection) if "activity" in projections else None
        versions_stored = stored_item_versions(connection) if "item_versions" in projections else None

    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1)), "positions are not 1..N"
    times = [row["recorded_at"] for row in rows]
    assert times == sorted(times), "time goes back"
    versions: dict[int, int] = {}
    for row in rows:
        assert row["version"] == versions.get(row["item_id"], 0) + 1, f"versions are not dense at {row['position']}"
        assert (row["version"] == 1) == (row["item_id"] == row["position"]), f"wrong item id at {row['position']}"
        versions[row["item_id"]] = row["version"]
    commands = [(row["command_id"], row["ordinal"]) for row in rows]
    assert len(set(commands)) == len(commands), "an event of a command was recorded twice"

    hashes = [row["leaf_hash"] for row in rows]
    for row in rows:
        assert row["leaf_hash"] == leaf_hash_of(row), f"leaf hash differs at {row['position']}"
    assert (head["position"], head["recorded_at"]) == (len(rows), times[-1] if times else 0), "the head is elsewhere"
    assert head["frontier"] == frontier_of(hashes), "the tree head differs"
    assert {(tile["level"], tile["index"]): tile["hash"] for tile in tiles} == tiles_of(hashes), "tiles differ"

    assert projections, "no projection has a table"
    expected = _fold(rows)
    for item_id in sorted(expected.keys() | items.keys()):
        assert items.get(item_id) == expected.get(item_id), f"item {item_id} differs from the fold of the log"
    assert days in (None, _days(rows)), "the days differ from those of the log"
    assert versions_stored in (None, _item_versions(rows)), "what items were differs from the log"


def _fold(rows: Sequence[Any]) -> dict[int, ItemRow]:
    items: dict[int, ItemRow] = {}
    deleted: set[int] = set()
    for row in rows:
        item_id, data = row["item_id"], json.loads(row["data"])
        if "price" in data:
            data["price"] = int(Decimal(data["price"]) * 10_000)
        match row["type"]:
            case "item.created.v1":
                items[item_id] = {"id": item_id, **data}
            case "item.changed.v1":
                items[item_id].update(data)
            case "item.deleted.v1":
                deleted.add(item_id)
            case "item.restored.v1":
                deleted.remove(item_id)
            case unknown:
                raise AssertionError(f"the reference model does not know {unknown}")
        items[item_id]["version"] = row["version"]
    return {item_id: item for item_id, item in items.items() if item_id not in deleted}


def _item_versions(rows: Sequence[Any]) -> dict[int, VersionRow]:
    versions: dict[int, VersionRow] = {}
    states: dict[int, ItemRow] = {}
    for row in rows:
        item_id, position = row["item_id"], row["position"]
        state = states.pop(item_id, {"id": item_id})
        if state.pop("alive", False):
            folded = {"name_folded": state["name"].casefold(), "node": _node(state["valid_from"], position)}
            versions[position] = {**state, "valid_to": position, **folded}
        data = json.loads(row["data"])
        if "price" in data:
            data["price"] = int(Decimal(data["price"]) * 10_000)
        alive = row["type"] != "item.deleted.v1"
        states[item_id] = {**state, **data, "version": row["version"], "valid_from": position, "alive": alive}
    return versions


def _node(valid_from: int, valid_to: int) -> int:
    """Return the number from `valid_from` to before `valid_to` that can be halved most often."""
    return next(n for bit in reversed(range(63)) if (n := (valid_to - 1) >> bit << bit) >= valid_from)


def _day(row: Any) -> int:
    return (_EPOCH + timedelta(microseconds=row["recorded_at"])).toordinal() - _EPOCH.toordinal()


def _days(rows: Sequence[Any]) -> dict[int, DayRow]:
    days: dict[int, DayRow] = {}
    for day, of_day in groupby(rows, _day):
        events = list(of_day)
        happened = Counter(row["type"].split(".")[1] for row in events)
        # For every day the whole log until then is folded again: nothing is carried over.
        items = _fold(rows[: events[-1]["position"]]).values()
        days[day] = {
            **{name: happened[name] for name in ("created", "changed", "deleted", "restored")},
            "active_items": len(items),
            "stock_value": sum(item["price"] for item in items if item["in_stock"]),
        }
    return days
