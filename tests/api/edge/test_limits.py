"""Rate limits and capacity limits. A request over a limit is refused and changes nothing."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from api.edge.concurrency_limits import Limit, Reservations
from api.edge.rate_limits import RateLimits, rate_limit_headers
from api.http.problems import Problem
from api.http.responses import Message
from api.settings import Settings
from eventstore.errors import UnavailableError
from projections.items.reader import ItemReader
from tests.api.conftest import RequestLogs, contract_of
from tests.support.clients.http import DISCONNECT, JSON, call, check_problem, part, scope_of, unchanged_log
from tests.support.clients.keys import as_read, make_key
from tests.support.service import InProcess

A, B = "203.0.113.1", "203.0.113.2"
HEADERS = list(JSON.items())
PEN = b'{"name":"Pen","price":1}'


class Clock:
    """A clock that the test moves."""

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
    """Make a request from `address`, and check the response against the OpenAPI document."""
    body = part(PEN if (method, target) == ("POST", "/items") else b"")
    answer = await call(service.app, method, target, body, headers=HEADERS, client=(address, 4711))
    assert answer is not None
    contract_of(service).check(answer)
    return answer


async def test_each_response_has_the_remaining_requests_and_the_seventh_is_refused(
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
async def test_every_request_counts(limited: InProcess, method: str, target: str) -> None:
    answers = [await ask(limited, method=method, target=target) for _ in range(7)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, B, False),
        (A, f"::ffff:{A}", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("not an address", "not one either", True),
    ],
)
async def test_a_client_is_an_ipv4_address_or_an_ipv6_64(limited: InProcess, one: str, other: str, same: bool) -> None:
    for _ in range(6):
        await ask(limited, one)
    assert (await ask(limited, one)).status_code == 429
    assert ((await ask(limited, other)).status_code == 429) is same


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_local_clients_are_not_counted(limited: InProcess, address: str) -> None:
    for _ in range(10):
        answer = await ask(limited, address)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


async def test_an_expensive_route_has_a_rate_limit_of_its_own(limited: InProcess) -> None:
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


def test_an_active_credential_is_counted_instead_of_its_address(clock: Clock) -> None:
    limits = RateLimits(Settings(rate_limit=2, export_limit=1), clock)
    states = []
    for _ in range(10):  # more than the address has
        counted = limits.count_address(A)
        assert counted[0].admitted
        states += limits.count_client(A, "key-1", counted, None)
    assert [state.admitted for state in states] == [True] * 2 + [False] * 8
    assert limits.count_client(B, "key-1", limits.count_address(B), None)[-1].admitted is False, (
        "the key counts, from any address"
    )
    assert limits.count_client(A, "key-2", limits.count_address(A), None)[-1].remaining == 1
    assert limits.count_address(A)[0].remaining == 1


def test_a_credential_counts_for_local_clients_too(clock: Clock) -> None:
    limits = RateLimits(Settings(rate_limit=1), clock)
    admitted = [
        limits.count_client("127.0.0.1", "key", limits.count_address("127.0.0.1"), None)[-1].admitted for _ in range(2)
    ]
    assert admitted == [True, False]


def test_each_limit_can_be_turned_off(clock: Clock) -> None:
    limits = RateLimits(Settings(rate_limit="off", export_limit="off", rebuild_limit="off"), clock)
    assert limits.count_address(A) == []
    assert limits.count_client(A, "key", [], "export") == limits.count_client(A, None, [], "rebuild") == []
    limits = RateLimits(Settings(rate_limit="off", export_limit=1), clock)
    assert [v.limit.name for v in limits.count_client(A, "key", limits.count_address(A), "export")] == ["export"]


async def test_a_refused_request_is_logged_at_any_level(limited: InProcess, request_logs: RequestLogs) -> None:
    for _ in range(7):
        await ask(limited)
    (line,) = request_logs.audit.calls
    assert line.method_name == "warning"
    assert (line.kwargs["status"], line.kwargs["address"], line.kwargs["code"]) == (429, A, "quota-exceeded")


async def test_concurrent_requests_are_limited(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with InProcess.over(sqlite_url, insecure_no_auth=True, max_requests=8) as service:
        entered, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def slow_page(*_: object) -> object:
            entered.release()
            await go_on.wait()
            raise UnavailableError

        with monkeypatch.context() as patched:
            patched.setattr(ItemReader, "page", slow_page)
            serving = [asyncio.create_task(ask(service)) for _ in range(2)]
            for _ in serving:
                await entered.acquire()
            check_problem(await ask(service, method="POST"), 503, "busy")  # a client has a quarter
            others = ["203.0.113.3", "203.0.113.4", "203.0.113.5"]
            assert (await ask(service, others[0], method="POST")).status_code == 201
            more = [asyncio.create_task(ask(service, other)) for other in others for _ in range(2)]
            for _ in more:
                await entered.acquire()
            async with unchanged_log(service.services.database):
                refused = await ask(service, B, method="POST")
            check_problem(refused, 503, "busy")
            assert refused.headers["retry-after"] == "1"
            assert (await ask(service, target="/livez")).status_code == 200, "liveness has no capacity limit"
            go_on.set()
            assert {answer.status_code for answer in await asyncio.gather(*serving, *more)} == {503}
        assert (await ask(service)).status_code == 200


async def test_a_slow_body_does_not_count_as_a_concurrent_request(sqlite_url: str) -> None:
    async with (
        InProcess.over(sqlite_url, insecure_no_auth=True, max_requests=1) as service,
        asyncio.TaskGroup() as group,
    ):
        sending = [group.create_task(call(service.app, "POST", "/items", headers=HEADERS)) for _ in range(10)]
        await asyncio.sleep(0.01)
        assert (await ask(service, method="POST")).status_code == 201
        for task in sending:
            task.cancel()


async def test_buffered_batch_bytes_are_limited_and_released(sqlite_url: str) -> None:
    batch = b"[%s]" % PEN
    async with (
        InProcess.over(sqlite_url, insecure_no_auth=True, max_batch_bodies=100_000) as service,
        asyncio.TaskGroup() as group,
    ):
        half, half_is_there = part(batch[:-1] + b" " * 60_000, more=True), asyncio.Event()
        incoming = [half]

        async def receive() -> Message:
            if incoming:
                return incoming.pop()
            half_is_there.set()
            await asyncio.Event().wait()
            return DISCONNECT

        async def send(_message: Message) -> None:
            pass

        sending = group.create_task(service.app(scope_of("POST", "/items/batch", HEADERS), receive, send))
        await half_is_there.wait()
        long = part(batch + b" " * 50_000)
        refused = await call(service.app, "POST", "/items/batch", long, headers=HEADERS)
        assert refused is not None
        check_problem(refused, 503, "busy")
        assert (await ask(service, method="POST")).status_code == 201, "only batches count"
        sending.cancel()
        await asyncio.wait([sending])
        for _ in range(5):
            taken = await call(service.app, "POST", "/items/batch", long, headers=HEADERS)
            assert taken is not None
            assert taken.status_code == 201


def test_no_client_has_more_than_a_quarter_but_local_clients_have_all() -> None:
    limit = Limit(100)
    with Reservations() as others:
        with Reservations() as first:
            for _ in range(5):
                limit.reserve("one", first, 5)
            for client in ("one", "two"):
                with pytest.raises(Problem):
                    limit.reserve(client, others, 6 if client == "one" else 26)
            limit.reserve("two", others, 25)
            limit.reserve(None, others, 50)
            with pytest.raises(Problem):
                limit.reserve("three", others, 1)
        limit.reserve("three", others, 25)
    with Reservations() as all_of_it:
        limit.reserve(None, all_of_it, 100)
        Limit(2, min_share=2).reserve("one", all_of_it, 2)  # any client may use that much at least


def test_what_a_client_is_going_to_reserve_is_expected_in_its_share() -> None:
    limit = Limit(100)
    with Reservations() as reserved:
        limit.reserve("one", reserved, 20)
        limit.expect("one", 5)
        for client, amount in (("one", 6), ("one", 1000)):  # of a large amount half of the share is enough
            with pytest.raises(Problem):
                limit.expect(client, amount)
        limit.expect("other", 1000)
        limit.reserve(None, reserved, 75)
        limit.expect("other", 5)
        for anyone in ("other", None):
            with pytest.raises(Problem):
                limit.expect(anyone, 6)
    limit.expect(None, 1000)


def test_empty_parts_of_a_body_reserve_nothing() -> None:
    limit = Limit(4)
    for amounts in ((0, 1), (1, 0), (0, 1, 0)):
        with Reservations() as reserved:
            for amount in amounts:
                limit.reserve(None, reserved, amount)
        assert limit._used == {}


async def test_concurrent_exports_of_a_client_are_limited(sqlite_url: str) -> None:
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


async def test_a_known_credential_is_admitted_after_its_address_s_limit_is_exceeded(sqlite_url: str) -> None:
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
        assert await show(("Authorization", f"Bearer {known}")) == 429, "its own limit"


def test_the_headers_are_structured_fields() -> None:
    limits = RateLimits(Settings())
    states = limits.count_client(A, None, limits.count_address(A), "export")
    written = dict(rate_limit_headers(states))
    item = r'"[a-z]+"(;[a-z]+=\d+)+'
    for value in written.values():
        assert re.fullmatch(rf"{item}, {item}", value.decode())
