"""The cost of a page of the history in a long log: the plan of every query is checked, and its work is counted.

The log has 20,000 events; `ITEMLEDGER_TEST_SCALE=50` makes it 1,000,000. Every value but a command's belongs to many
events, and none depends on another.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import product
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec.structs import replace

from eventstore.database.database import Database
from eventstore.log import history
from eventstore.log.history import Filter, selection
from eventstore.log.history_reader import HistoryReader
from tests.eventstore.recording import opened
from tests.support import plans
from tests.support.postgres import PostgresServer
from tests.support.scale import SCALE

EVENTS = 20_000 * SCALE
LIMIT = 100
SCAN_LIMIT = 1_000

_TYPES = "CASE i / 2 % 4 WHEN 0 THEN 'item.created.v1' WHEN 1 THEN 'item.changed.v1' "
_TYPES += "WHEN 2 THEN 'item.deleted.v1' ELSE 'item.restored.v1' END"
_VALUES = (
    f"i, CASE WHEN i % 2 = 1 THEN 1 ELSE i END, CASE WHEN i % 2 = 1 THEN (i + 1) / 2 ELSE 1 END, {_TYPES}, '{{{{}}}}', "
    "i, 'actor ' || (i / 8 % 3), CASE WHEN i / 8 % 3 > 0 THEN 'key:' || (i / 8 % 3) END, "
    "'command ' || (i / 1000), i % 1000, {bytes}, "
    "CASE WHEN i / 24 % 5 = 0 THEN 'trace' ELSE 'request ' || i END, {bytes}"
)
_COLUMNS = "position, item_id, version, type, data, recorded_at, actor, credential, command_id, ordinal, fingerprint, "
_COLUMNS += "correlation_id, leaf_hash"
_FILL = {
    "sqlite": f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS}) "
    f"INSERT INTO events ({_COLUMNS}) SELECT {_VALUES.format(bytes='zeroblob(32)')} FROM n",
    "postgresql": f"INSERT INTO events ({_COLUMNS}) SELECT {_VALUES.format(bytes='sha256($$$$)')} "
    f"FROM generate_series(1, {EVENTS}) AS n(i)",
}
_HEAD = f"UPDATE log_head SET position = {EVENTS}, recorded_at = {EVENTS}"

VALUES: dict[str, Any] = {
    "command_id": f"command {EVENTS // 2000}",
    "correlation_id": "trace",
    "item_id": 1,
    "actor": "actor 1",
    "credential": "key:1",
    "type": "item.deleted.v1",
}
NONE = {**VALUES, "type": "item.nothing.v1", "actor": "nobody", "credential": "key:0"}
FILTERS = [dict(zip(VALUES, values, strict=True)) for values in product(*((None, value) for value in VALUES.values()))]
#: A query uses the first of these that its filter has; with the columns of the index.
INDEX_COLUMNS = {
    "command_id": ["command_id", "ordinal"],
    "correlation_id": ["correlation_id", "position"],
    "item_id": ["item_id", "version"],
    "credential": ["credential", "position"],
    "actor": ["actor", "position"],
    "type": ["type", "position"],
}
INDEXES = {
    ("command_id", "ordinal"): "uq_events_command_id_ordinal",
    ("correlation_id", "position"): "ix_events_correlation_id_position",
    ("item_id", "version"): "uq_events_item_id_version",
    ("actor", "type", "position"): "ix_events_actor_type_position",
    ("actor", "position"): "ix_events_actor_position",
    ("credential", "position"): "ix_events_credential_position",
    ("type", "position"): "ix_events_type_position",
    ("position",): "pk_events",
}


def index_path(values: dict[str, Any]) -> tuple[str, ...]:
    names = {name for name, value in values.items() if value is not None}
    if names >= {"actor", "type"} and not names & {"command_id", "correlation_id", "item_id"}:
        return ("actor", "type", "position")
    return tuple(next((columns for name, columns in INDEX_COLUMNS.items() if name in names), ["position"]))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a database of either kind with a long log."""
    with TemporaryDirectory() as directory:
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{directory}/itemledger.db"
            asyncio.run(plans.fill(url, plans.by_sql(_FILL, _HEAD)))
            yield url
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.create_database()
            asyncio.run(plans.fill(url, plans.by_sql(_FILL, _HEAD)))
            yield url
            server.drop_database(url)


@pytest.fixture
async def long(long_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(history, "SCAN_LIMIT", SCAN_LIMIT)
    async with opened(long_url) as database:
        yield database


PageRead = tuple[dict[str, Any], bool, list[plans.Sent]]


async def read_pages(database: Database, *, known: bool = True, **bounds: int) -> list[PageRead]:
    """Read a page with each filter in both directions; return the cost. `known`: with values that exist."""
    reader, page_reads = HistoryReader(database), []
    with plans.statements(database) as ran:
        for chosen, newest_first in product(FILTERS, (False, True)):
            values = {name: (VALUES if known else NONE)[name] if value else None for name, value in chosen.items()}
            ran.clear()
            await reader.page(replace(Filter(), **values, **bounds), LIMIT, newest_first=newest_first)
            page_reads.append((values, newest_first, [sent for sent in ran if "log_head" not in sent[0]]))
    return page_reads


def check_tree(page_read: PageRead, plan: dict[str, Any]) -> None:
    values, newest_first, _ = page_read
    columns, nodes = index_path(values), list(plans.nodes(plan))
    assert not [node for node in nodes if "Sort" in node["Node Type"] or "Seq" in node["Node Type"]], (page_read, plan)
    # Binary searches are not part of the plan's tree; their work is counted below.
    (scan,) = (node for node in nodes if node.get("Relation Name") == "events")
    assert scan["Index Name"] == INDEXES[columns], (page_read, plan)
    assert scan["Scan Direction"] == ("Backward" if newest_first else "Forward"), (page_read, plan)
    place = f"(ROW({', '.join(columns)}) " if len(columns) > 1 else "(position "
    assert (
        scan["Index Cond"].replace('"', "").count(f"{place}>")
        == scan["Index Cond"].replace('"', "").count(f"{place}<")
        == 1
    ), (page_read, plan)


def check_rows(page_read: PageRead, plan: Any) -> None:
    values, _, _ = page_read
    columns, details = index_path(values), [detail for _, _, _, detail in plan]
    assert not [detail for detail in details if "TEMP B-TREE" in detail or "SCAN events" in detail], (
        page_read,
        details,
    )
    look_ups = [detail for detail in details if detail.endswith("(item_id=? AND version=?)")]
    (scan,) = (detail for detail in details if " events" in detail and detail not in look_ups)
    assert len(look_ups) == (2 if columns[0] == "item_id" else 0), (page_read, details)
    *equality_columns, range_column = columns if len(columns) > 1 else ["rowid"]
    entered = " AND ".join([*(f"{name}=?" for name in equality_columns), f"{range_column}>?", f"{range_column}<?"])
    assert scan.endswith(f"({entered})"), (page_read, details)


async def test_every_filter_and_pair_follows_an_index_with_and_without_statistics(long: Database) -> None:
    page_reads = [
        *await read_pages(long),
        *await read_pages(long, after=EVENTS // 4, before=EVENTS // 2),
        *await read_pages(long, known=False),
    ]
    assert len(page_reads) == 3 * 2 * 2 ** len(VALUES)
    for known in (False, True):
        if known and plans.is_postgres(long):
            await plans.analyze(long, "events")  # it may have had no statistics before
        for one in page_reads:
            for sent in one[2]:
                if plans.is_postgres(long):
                    for tree in await plans.trees(long, sent):
                        check_tree(one, tree)
                else:
                    check_rows(one, await plans.rows(long, sent))


#: The most work of each kind for one event that is read.
PER_EVENT = {"rows": 1.0, "blocks": 1.2, "steps": 30.0}
#: The work of binary searches and of the ends of an index.
BESIDE = {"rows": 2 * 64, "blocks": 2 * 64 * 4, "steps": 2 * 64 * 40}


@pytest.mark.parametrize("known", [True, False], ids=["found", "in vain"])
async def test_a_page_reads_a_bounded_number_of_events_wherever_it_begins(long: Database, known: bool) -> None:
    for bounds in ({}, {"after": EVENTS // 4, "before": EVENTS * 3 // 4}):
        for one in await read_pages(long, known=known, **bounds):
            for sent in one[2]:
                for measure, count in (await plans.work(long, sent, "events")).items():
                    assert count <= PER_EVENT[measure] * (SCAN_LIMIT + 1) + BESIDE[measure], (measure, count, one)


async def test_a_feed_from_the_head_reads_only_new_events(long: Database) -> None:
    for values in FILTERS:
        statement, parameters = selection(replace(Filter(), **values, after=EVENTS - 10), LIMIT)
        with plans.statements(long) as ran:
            await long.read(statement, parameters)
        for measure, count in (await plans.work(long, ran[0], "events")).items():
            assert count <= PER_EVENT[measure] * 1000 + BESIDE[measure], (measure, count, values)
