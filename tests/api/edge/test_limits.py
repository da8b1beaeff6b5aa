"""How often a client may ask, and how much a process does at once; for whoever asks for more nothing is done."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import CapturingLogger

from api.edge import exchange
from api.edge.concurrency_limits import Limit
from api.edge.rate_limits import RateLimits, budget_headers
from api.http.problems import Problem
from api.http.responses import Message
from api.settings import Settings
from eventstore.errors import UnavailableError
from projections.items.reader import ItemReader
from tests.api.conftest import contract_of
from tests.support.clients.http import DISCONNECT, JSON, call, check_problem, part, scope_of, unchanged_log
from tests.support.clients.keys import as_read, make_key
from tests.support.service import InProcess

A, B = "203.0.113.1", "203.0.113.2"
HEADERS = list(JSON.items())
PEN = b'{"name":"Pen","price":1}'


class Clock:
    """Time that passes when told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def limited(sqlite_url: str, clock: Clock) -> AsyncIterator[InProcess]:
    """The service with 6 requests and 2 rebuilds a minute for each client."""
    async with InProcess.over(sqlite_url, insecure_no_auth=True) as service:
        service.app._limits = RateLimits(Settings(rate_limit=6, rebuild_limit=2), clock)
        yield service


async def ask(service: InProcess, address: str = A, method: str = "GET", target: str = "/items") -> httpx.Response:
    """Make a request from `address`, and hold the answer against the document."""
    body = part(PEN if (method, target) == ("POST", "/items") else b"")
    answer = await call(service.app, method, target, body, headers=HEADERS, client=(address, 4711))
    assert answer is not None
    contract_of(service).check(answer)
    return answer


async def test_each_answer_says_what_is_left_and_the_seventh_request_is_refused(
    limited: InProcess, clock: Clock
) -> None:
    for remaining in (5, 4, 3, 2, 1, 0):
        answer = await ask(limited)
        assert answer.headers["ratelimit-policy"] == '"requests";q=6;w=60'
        assert answer.headers["ratelimit"] == f'"requests";r={remaining};t={(6 - remaining) * 10}'
    async with unchanged_log(limited.services.database):
        refused = await ask(limited, method="POST")
    problem = check_problem(refused, 429, "quota-exceeded")
    assert problem["violated-policies"] == ["requests"]
    assert refused.headers["retry-after"] == "10"
    assert refused.headers["ratelimit"] == '"requests";r=0;t=10'
    clock.now += 9.9
    assert (await ask(limited)).status_code == 429
    clock.now += 0.1
    assert (await ask(limited)).status_code == 200
    clock.now += 3600
    assert (await ask(limited)).headers["ratelimit"] == '"requests";r=5;t=10'


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/nowhere"), ("PUT", "/items"), ("OPTIONS", "/items"), ("GET", "/items?x=1"), ("GET", "/livez")],
)
async def test_whatever_is_asked_counts(limited: InProcess, method: str, target: str) -> None:
    answers = [await ask(limited, method=method, target=target) for _ in range(7)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, B, False),
        (A, f"::ffff:{A}", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("what is no address", "nor is this", True),
    ],
)
async def test_a_client_is_an_address_or_what_one_customer_has_of_ipv6(
    limited: InProcess, one: str, other: str, same: bool
) -> None:
    for _ in range(6):
        await ask(limited, one)
    assert (await ask(limited, one)).status_code == 429
    assert ((await ask(limited, other)).status_code == 429) is same


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_is_not_counted(limited: InProcess, address: str) -> None:
    for _ in range(10):
        answer = await ask(limited, address)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


async def test_what_costs_more_has_a_budget_of_its_own(limited: InProcess) -> None:
    target = "/projections/nothing/rebuild"
    answers = [await ask(limited, method="POST", target=target) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert answers[0].headers["ratelimit-policy"] == '"requests";q=6;w=60, "rebuild";q=2;w=60'
    assert answers[0].headers["ratelimit"] == '"requests";r=5;t=10, "rebuild";r=1;t=30'
    assert check_problem(answers[2], 429, "quota-exceeded")["violated-policies"] == ["rebuild"]
    assert answers[2].headers["ratelimit"] == '"requests";r=3;t=30, "rebuild";r=0;t=30'
    assert answers[2].headers["retry-after"] == "30"
    assert (await ask(limited)).status_code == 200
    assert (await ask(limited, B, "POST", target)).status_code == 404


def test_a_credential_that_is_good_is_counted_and_its_address_is_not(clock: Clock) -> None:
    limits = RateLimits(Settings(rate_limit=2, export_limit=1), clock)
    verdicts = []
    for _ in range(10):  # more than the address has
        arrived = limits.arrive(A)
        assert arrived[0].admitted
        verdicts += limits.admit(A, "key-1", arrived, None)
    assert [verdict.admitted for verdict in verdicts] == [True] * 2 + [False] * 8
    assert limits.admit(B, "key-1", limits.arrive(B), None)[-1].admitted is False, "it goes by the key, from anywhere"
    assert limits.admit(A, "key-2", limits.arrive(A), None)[-1].remaining == 1
    assert limits.arrive(A)[0].remaining == 1


def test_a_credential_counts_on_this_machine_too(clock: Clock) -> None:
    limits = RateLimits(Settings(rate_limit=1), clock)
    admitted = [limits.admit("127.0.0.1", "key", limits.arrive("127.0.0.1"), None)[-1].admitted for _ in range(2)]
    assert admitted == [True, False]


def test_each_limit_can_be_turned_off(clock: Clock) -> None:
    limits = RateLimits(Settings(rate_limit="off", export_limit="off", rebuild_limit="off"), clock)
    assert limits.arrive(A) == []
    assert limits.admit(A, "key", [], "export") == limits.admit(A, None, [], "rebuild") == []
    limits = RateLimits(Settings(rate_limit="off", export_limit=1), clock)
    assert [v.budget.name for v in limits.admit(A, "key", limits.arrive(A), "export")] == ["export"]


async def test_who_was_refused_is_logged_at_any_level(limited: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    always = CapturingLogger()
    monkeypatch.setattr(exchange, "audit", always)
    for _ in range(7):
        await ask(limited)
    (line,) = always.calls
    assert line.method_name == "warning"
    assert (line.kwargs["status"], line.kwargs["address"], line.kwargs["code"]) == (429, A, "quota-exceeded")


async def test_a_process_serves_as_many_requests_at_once_as_it_may(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with InProcess.over(sqlite_url, insecure_no_auth=True, max_requests=8) as service:
        go_on = asyncio.Event()

        async def slow_page(*_: object) -> object:
            await go_on.wait()
            raise UnavailableError

        with monkeypatch.context() as patched:
            patched.setattr(ItemReader, "page", slow_page)
            serving = [asyncio.create_task(ask(service)) for _ in range(2)]
            await asyncio.sleep(0.01)
            check_problem(await ask(service, method="POST"), 503, "busy")  # a client has a quarter
            others = ["203.0.113.3", "203.0.113.4", "203.0.113.5"]
            assert (await ask(service, others[0], method="POST")).status_code == 201
            serving += [asyncio.create_task(ask(service, other)) for other in others for _ in range(2)]
            await asyncio.sleep(0.01)
            async with unchanged_log(service.services.database):
                refused = await ask(service, B, method="POST")
            check_problem(refused, 503, "busy")
            assert refused.headers["retry-after"] == "1"
            assert (await ask(service, target="/livez")).status_code == 200, "it is alive, and says so"
            go_on.set()
            assert {answer.status_code for answer in await asyncio.gather(*serving)} == {503}
        assert (await ask(service)).status_code == 200


async def test_who_sends_a_body_slowly_takes_no_place(sqlite_url: str) -> None:
    async with (
        InProcess.over(sqlite_url, insecure_no_auth=True, max_requests=1) as service,
        asyncio.TaskGroup() as group,
    ):
        sending = [group.create_task(call(service.app, "POST", "/items", headers=HEADERS)) for _ in range(10)]
        await asyncio.sleep(0.01)
        assert (await ask(service, method="POST")).status_code == 201
        for task in sending:
            task.cancel()


async def test_batches_have_so_much_room_and_give_it_back(sqlite_url: str) -> None:
    batch = b"[%s]" % PEN
    async with (
        InProcess.over(sqlite_url, insecure_no_auth=True, max_batch_bodies=100_000) as service,
        asyncio.TaskGroup() as group,
    ):
        half = part(batch[:-1] + b" " * 60_000, more=True)
        sending = group.create_task(call(service.app, "POST", "/items/batch", half, headers=HEADERS))
        await asyncio.sleep(0.01)
        long = part(batch + b" " * 50_000)
        refused = await call(service.app, "POST", "/items/batch", long, headers=HEADERS)
        assert refused is not None
        check_problem(refused, 503, "busy")
        assert (await ask(service, method="POST")).status_code == 201, "what is no batch needs none of it"
        sending.cancel()
        await asyncio.wait([sending])
        for _ in range(5):
            taken = await call(service.app, "POST", "/items/batch", long, headers=HEADERS)
            assert taken is not None
            assert taken.status_code == 201


def test_no_client_has_more_than_a_quarter_but_this_machine_has_what_there_is() -> None:
    pool = Limit(100)
    for _ in range(5):
        pool.take("one", 5)
    for client in ("one", "two"):
        with pytest.raises(Problem):
            pool.take(client, 6 if client == "one" else 26)
    pool.take("two", 25)
    pool.take(None, 50)
    with pytest.raises(Problem):
        pool.take("three", 1)
    pool.give_back("one", 25)
    pool.take("three", 25)
    small = Limit(2, least=2)
    small.take("one", 2)  # what any client may send at least


async def test_a_client_has_so_many_exports_at_once(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url, insecure_no_auth=True, max_exports=4, export_limit="off") as service:
        assert (await ask(service, method="POST")).status_code == 201
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def silent() -> Message:
            await asyncio.Event().wait()
            return DISCONNECT

        async def slow(_message: Message) -> None:
            begun.set()
            await go_on.wait()

        exporting = asyncio.create_task(service.app(scope_of("GET", "/events/export", client=(A, 4711)), silent, slow))
        await begun.wait()
        check_problem(await ask(service, target="/events/export"), 503, "busy")
        assert (await ask(service, B, target="/events/export")).status_code == 200
        go_on.set()
        await exporting
        assert (await ask(service, target="/events/export")).status_code == 200


async def test_whoever_shares_a_spent_address_gets_in_with_a_credential_that_is_known(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url, rate_limit=3) as service:
        known, other = [(await make_key(service.services.database, name)).text for name in ("known", "other")]
        as_read(service)

        async def show(*headers: tuple[str, str]) -> int:
            answer = await call(service.app, "GET", "/items", headers=headers, client=(A, 4711))
            assert answer is not None
            return answer.status_code

        assert await show(("Authorization", f"Bearer {known}")) == 200
        assert [await show() for _ in range(4)] == [401, 401, 401, 429]
        assert await show(("Authorization", f"Bearer {known}")) == 200
        assert await show(("Authorization", f"Bearer {other[:-1]}x")) == 429
        assert await show(("Authorization", "Bearer token")) == 429
        assert await show() == 429
        assert await show(("Authorization", f"Bearer {known}")) == 200
        assert await show(("Authorization", f"Bearer {known}")) == 429, "its own budget"


def test_the_headers_are_structured_fields() -> None:
    limits = RateLimits(Settings())
    verdicts = limits.admit(A, None, limits.arrive(A), "export")
    written = dict(budget_headers(verdicts))
    item = r'"[a-z]+"(;[a-z]+=\d+)+'
    for value in written.values():
        assert re.fullmatch(rf"{item}, {item}", value.decode())
