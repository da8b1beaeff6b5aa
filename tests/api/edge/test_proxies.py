"""`X-Forwarded-For` and `-Proto` are used if a trusted proxy sends them, and ignored from any other client."""

import pytest

from tests.api.conftest import RequestLogs
from tests.support.clients.http import call, check_problem
from tests.support.service import InProcess

PROXIES = ("10.0.0.0/8", "::1", "fd00::/8")
FORGED = '1.2.3.4\n{"event":"request"}'
HSTS = "strict-transport-security"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.1.2.3", ["203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # the client forged the first
        ("10.1.2.3", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.7, 10.9.9.9"], "203.0.113.7"),  # through two trusted proxies
        ("10.1.2.3", ["203.0.113.7:4711"], "203.0.113.7"),
        ("::1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("fd00::9", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("10.1.2.3", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", [FORGED], "unknown"),
        ("10.1.2.3", ["203.0.113.7, nonsense"], "unknown"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not a trusted proxy
        ("127.0.0.1", ["198.51.100.1"], "unknown"),
        ("10.1.2.3", ["127.0.0.1"], "unknown"),  # a local client does not come through a remote proxy
        (None, ["198.51.100.1"], "unknown"),
    ],
)
async def test_the_client_is_the_one_that_the_last_trusted_proxy_saw(
    sqlite_url: str, request_logs: RequestLogs, peer: str | None, forwarded: list[str], address: str
) -> None:
    async with InProcess.over(sqlite_url, trusted_proxies=PROXIES) as service:
        headers = [("X-Forwarded-For", value) for value in forwarded]
        client = None if peer is None else (peer, 4711)
        assert await call(service.app, "GET", "/livez", headers=headers, client=client)
        assert request_logs.log.calls[-1].kwargs["address"] == address


@pytest.mark.parametrize(
    ("peer", "proto", "secure"),
    [
        ("10.1.2.3", "https", True),
        ("10.1.2.3", "http", False),
        ("10.1.2.3", "nonsense", False),
        ("10.1.2.3", "ws", False),
        ("203.0.113.9", "https", False),
    ],
)
async def test_the_scheme_is_what_a_trusted_proxy_says(sqlite_url: str, peer: str, proto: str, secure: bool) -> None:
    async with InProcess.over(sqlite_url, trusted_proxies=PROXIES) as service:
        answer = await call(service.app, "GET", "/livez", headers=[("X-Forwarded-Proto", proto)], client=(peer, 4711))
        assert answer is not None
        assert (HSTS in answer.headers) is secure


async def test_a_proxy_is_recognized_by_its_address_in_any_form(sqlite_url: str, request_logs: RequestLogs) -> None:
    async with InProcess.over(sqlite_url, trusted_proxies=PROXIES) as service:
        headers = [("X-Forwarded-For", "203.0.113.7")]
        assert await call(service.app, "GET", "/livez", headers=headers, client=("::ffff:10.1.2.3", 4711))
        assert request_logs.log.calls[-1].kwargs["address"] == "203.0.113.7"
        counted = [
            service.app.client_of_connection((peer, 1))
            for peer in ("10.1.2.3", "127.0.0.1", "203.0.113.7", "2001:db8::1")
        ]
        assert counted == [None, None, "203.0.113.7", "2001:db8::/64"]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_a_client_behind_an_unlisted_local_proxy_is_not_local(small: InProcess, name: str) -> None:
    """Otherwise all clients behind a proxy on the same machine would need no credential."""
    answer = await call(small.app, "GET", "/items", headers=[(name, "127.0.0.1")])
    assert answer is not None
    check_problem(answer, 401, "credential-required")
    assert (await small.client.get("/items")).status_code == 200


async def test_no_proxy_is_trusted_unless_listed(small: InProcess, request_logs: RequestLogs) -> None:
    headers = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=198.51.100.1")]
    for peer, address in (("127.0.0.1", "unknown"), ("203.0.113.9", "203.0.113.9")):
        answer = await call(small.app, "GET", "/livez", headers=headers, client=(peer, 4711))
        assert answer is not None
        assert HSTS not in answer.headers
        assert request_logs.log.calls[-1].kwargs["address"] == address
