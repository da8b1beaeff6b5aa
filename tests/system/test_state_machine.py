"""Random clients, one by one and at once, against the running service: every answer is one the model allows."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from msgspec import Struct, ValidationError, convert
from sqlalchemy import text

from commands.errors import InvalidNameError
from commands.name import NewName, check_name
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from tests.support.clients.load import Client, ask, list_items
from tests.support.fold import assert_log_and_projection_agree
from tests.support.scale import SCALE
from tests.support.service import Server, migrate, serving
from tests.system.model import (
    Change,
    Create,
    CreateBatch,
    Delete,
    Exchange,
    Model,
    Operation,
    Page,
    Read,
    Restore,
    Script,
    body_of,
)

EXAMPLES = 20 * SCALE
STEPS = 15

_HISTORY = text("SELECT type, item_id, version FROM events WHERE position > :position ORDER BY position")


_VERSIONS = text("SELECT id, version FROM items")
#: Each key is used by one test run.
_keys = count(1)


class Chosen(Struct, frozen=True):
    """An item, chosen before it is known which there are: `resolve` tells its id."""

    kind: str
    number: int

    def resolve(self, model: Model) -> int:
        """Return the id: of a live item, a deleted one, one that is about to be created, or one that never was."""
        known = list({"live": model.state.live, "deleted": model.state.deleted}.get(self.kind, ()))
        if known:
            return known[-1 - self.number % len(known)]
        return model.position + 1 + self.number if self.kind == "next" else 2**40 + self.number


class Wish(Struct, frozen=True):
    """What is to be done to a chosen item, or to learn of it."""

    operation: type[Any]
    of: Chosen
    fields: dict[str, Any] = {}


class Again(Struct, frozen=True):
    """A write that is sent twice, with a key; meanwhile, something else happens to its item."""

    step: Operation | Wish


Step = Operation | Wish | Again


def _is_name(text: str) -> bool:
    try:
        return bool(check_name(convert(text, NewName)))
    except (InvalidNameError, ValidationError):
        return False


# No control characters and no surrogates, which are refused.
_NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30).filter(_is_name)
_PRICES = st.decimals(Decimal(-(10**13)), Decimal(10**13), places=4)
_CHOSEN = st.builds(Chosen, st.sampled_from(["live", "live", "live", "deleted", "next", "never"]), st.integers(0, 40))
_DELETED = st.builds(Chosen, st.sampled_from(["deleted", "deleted", "live", "never"]), st.integers(0, 40))
_CREATES = st.builds(Create, _NAMES, _PRICES, st.booleans())
_SOME = CreateBatch(tuple(Create(f"Pen {number}", Decimal("1.5"), True) for number in range(8)))
_BATCHES = st.builds(CreateBatch, st.lists(_CREATES, min_size=1, max_size=5).map(tuple))
# Few values, so that some patches change nothing.
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Pen", "Ink"]) | _NAMES,
        "price": st.sampled_from([Decimal("1.5"), Decimal(2)]),
        "in_stock": st.booleans(),
    },
)
_CHANGES = st.builds(Wish, st.just(Change), _CHOSEN, _FIELDS)
_DELETES = st.builds(Wish, st.just(Delete), _CHOSEN)
_RESTORES = st.builds(Wish, st.just(Restore), _DELETED)
_WRITES: st.SearchStrategy[Operation | Wish] = st.one_of(_CHANGES, _CREATES, _BATCHES, _CHANGES, _DELETES, _RESTORES)
_READS: st.SearchStrategy[Operation | Wish] = st.builds(Wish, st.just(Read), _CHOSEN) | st.builds(
    Page, st.integers(1, 100)
)
_STEPS: st.SearchStrategy[Step] = st.one_of(_WRITES, _WRITES, _READS, st.builds(Again, _WRITES))


class Clients(RuleBasedStateMachine):
    """Clients of one running service; each example begins with what those before left."""

    def __init__(self, server: Server, database: Database, run: Callable[..., None]) -> None:
        super().__init__()
        self.port = server.port
        self.database = database
        self.await_ = run
        self.model = Model(0, [], {})
        self.agreed = True

    @initialize()
    def begin(self) -> None:
        self.await_(self._begin())

    @rule(scripts=st.lists(st.lists(_STEPS, min_size=1, max_size=4), min_size=2, max_size=8))
    def act_at_once(self, scripts: list[list[Step]]) -> None:
        self.await_(self._act(scripts))

    @rule(step=_STEPS)
    def act_alone(self, step: Step) -> None:
        self.await_(self._act([[step]]))

    @rule(creates=st.lists(_CREATES, min_size=10, max_size=40))
    def create_many(self, creates: list[Create]) -> None:
        self.await_(self._act([[create] for create in creates]))

    @rule(chosen=_CHOSEN, times=st.integers(2, 16))
    def delete_one_at_once(self, chosen: Chosen, times: int) -> None:
        self.await_(self._act([[Wish(Delete, chosen), Wish(Read, chosen)]] * times))

    @rule(changes=st.lists(_FIELDS, min_size=2, max_size=16), chosen=_CHOSEN)
    def change_one_at_once(self, changes: list[dict[str, Any]], chosen: Chosen) -> None:
        self.await_(self._act([[Wish(Change, chosen, fields), Wish(Read, chosen)] for fields in changes]))

    @rule(chosen=_DELETED, times=st.integers(2, 16))
    def restore_one_at_once(self, chosen: Chosen, times: int) -> None:
        self.await_(self._act([[Wish(Restore, chosen), Wish(Read, chosen)]] * times))

    @rule(step=_WRITES, times=st.integers(2, 16))
    def send_one_key_at_once(self, step: Operation | Wish, times: int) -> None:
        self.await_(self._act([[step]] * times, key=f"key-{next(_keys)}"))

    @rule(chosen=st.lists(_CHOSEN, min_size=5, max_size=20))
    def delete_many(self, chosen: list[Chosen]) -> None:
        self.await_(self._act([[Wish(Delete, each)] for each in chosen]))

    @rule(limit=st.integers(5, 1000))
    def list_all_pages(self, limit: int) -> None:
        self.await_(self._compare_list(limit))

    def teardown(self) -> None:
        # It is called after a failure too, and would say another one.
        if self.agreed:
            self.await_(self._end())

    async def _begin(self) -> None:
        position = (await ask(self.port, "GET", "/readyz")).json()["log_position"]
        versions = {row.id: row.version for row in await self.database.read(_VERSIONS)}
        self.model = Model(position, await list_items(self.port), versions)
        await self._act([[_SOME]])  # so that there is something to change

    async def _act(self, scripts: Sequence[Sequence[Step]], key: str | None = None) -> None:
        resolved = [[sent for step in script for sent in self._resolve(step, key)] for script in scripts]
        self.agreed = False
        self.model.judge(await asyncio.gather(*(self._play(script) for script in resolved)))
        self.agreed = True

    def _resolve(self, step: Step, key: str | None) -> list[tuple[Operation, str | None]]:
        match step:
            case Again(twice):
                ((first, _),) = sent = self._resolve(twice, f"key-{next(_keys)}")
                if isinstance(first, Change | Restore):
                    return [*sent, (Change(first.item_id, "meanwhile"), None), *sent]
                return [*sent, *sent]
            case Wish(operation, of, fields):
                return [(operation(of.resolve(self.model), **fields), key)]
            case _:
                return [(step, key)]

    async def _play(self, script: Sequence[tuple[Operation, str | None]]) -> Script:
        async with Client.connected(self.port) as client:
            return [Exchange(one, key, await client.ask(*one.request(), key)) for one, key in script]

    async def _compare_list(self, limit: int) -> None:
        listed = [(item["id"], body_of(item)) for item in await list_items(self.port, limit)]
        assert listed == sorted(self.model.state.live.items())

    async def _end(self) -> None:
        await self._compare_list(1000)
        began = self.model.position - len(self.model.history)
        recorded = await self.database.read(_HISTORY, {"position": began})
        assert [tuple(row) for row in recorded] == self.model.history
        await assert_log_and_projection_agree(self.database)


def test_every_answer_to_random_concurrent_clients_is_one_that_the_model_allows(database_url: str) -> None:
    with asyncio.Runner() as runner:
        runner.run(migrate(database_url))
        database = open_database(database_url)
        try:
            with serving(database_url) as server:

                class Here(Clients):
                    def __init__(self) -> None:
                        super().__init__(server, database, runner.run)

                # Examples are not stored: ids only grow, so they could not be repeated.
                chosen = settings(
                    database=None,
                    deadline=None,
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    suppress_health_check=list(HealthCheck),
                )
                run_state_machine_as_test(Here, settings=chosen)
        finally:
            runner.run(database.dispose())
