"""Random requests: nothing breaks, no client exceeds its scopes, and a refused request changes nothing.

Hypothesis generates ASGI requests, and so includes those that a server would refuse itself. The same over a socket is
in tests/system/test_raw_bytes.py. `make fuzz-api` generates more of both.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from msgspec import Struct

from api.app import ROUTES
from api.auth.scopes import Scope, Unscoped
from api.edge.routing import RouteTable
from api.http.problems import Problem
from api.http.responses import AsgiScope, Message
from tests.support.clients.http import DISCONNECT, log_state, part
from tests.support.clients.keys import as_read, make_key
from tests.support.clients.raw import RawRequest, raw_requests
from tests.support.service import InProcess

SEED = int(os.environ.get("ITEMLEDGER_TEST_API_SEED", "1"))
EXAMPLES = int(os.environ.get("ITEMLEDGER_TEST_API_EXAMPLES", "40")) * 5
TABLE = RouteTable(ROUTES)
#: All scopes except the one that starts processes.
SCOPES = [scope for scope in Scope if scope is not Scope.PROJECTIONS_REBUILD]
#: Problems with 503 that are not failures: a state that has not been reached yet.
NOT_YET = {"position-not-reached", "projection-not-ready"}


class Answered(Struct, frozen=True):
    """A response."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def problem(self) -> dict[str, Any]:
        """Return the body if it is a problem, else an empty object."""
        if self.headers.get(b"content-type") != b"application/problem+json" or not self.body:
            return {}
        problem: dict[str, Any] = json.loads(self.body)
        return problem


async def send(service: InProcess, request: RawRequest, authorization: str | None) -> Answered | None:
    """Make the request, and disconnect after its body; return the response, None if there was none."""
    shown = [] if authorization is None else [(b"authorization", authorization.encode())]
    scope: AsgiScope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.decoded_path,
        "raw_path": request.path,
        "query_string": request.query,
        "headers": [*([] if "host" in names_of(request) else [(b"host", b"localhost")]), *request.headers, *shown],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    incoming = [part(request.body), DISCONNECT]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if len(incoming) > 1 else DISCONNECT

    async def collect(message: Message) -> None:
        sent.append(message)

    await service.app(scope, receive, collect)
    if not sent:
        return None
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answered(sent[0]["status"], dict(sent[0]["headers"]), body)


def needs(request: RawRequest) -> Scope | Unscoped:
    """Return the scope that the request needs; an unknown route needs none."""
    if request.method == "OPTIONS" or b"%2f" in request.path.lower():
        return Unscoped.OPEN
    try:
        return TABLE.find(request.method, request.decoded_path).scope
    except Problem:
        return Unscoped.OPEN


def names_of(request: RawRequest) -> set[str]:
    """Return the names of the request's headers."""
    return {name.decode("latin-1") for name, _ in request.headers}


def check(answer: Answered) -> None:
    """Fail if a response shows an internal failure, or lacks what every response has."""
    problem = answer.problem()
    assert answer.status < 500 or problem.get("code") in NOT_YET, problem
    assert answer.headers[b"x-content-type-options"] == b"nosniff"
    if answer.status >= 400:
        assert answer.headers[b"content-type"] == b"application/problem+json"


#: Clients by their credential, with the scopes that they have.
CLIENTS: dict[str, set[Scope | Unscoped]] = {
    "without a credential": {Unscoped.OPEN},
    "with an invalid credential": {Unscoped.OPEN},
    "with one scope": {Unscoped.OPEN, Unscoped.ANY_CREDENTIAL, Scope.KEYS_ADMIN},
    "with all scopes": {Unscoped.OPEN, Unscoped.ANY_CREDENTIAL, *SCOPES},
}


async def credentials(service: InProcess) -> dict[str, str | None]:
    """Create keys; return each client's `Authorization`."""
    database = service.services.database
    narrow = (await make_key(database, "narrow", Scope.KEYS_ADMIN)).text
    wide = (await make_key(database, "wide", *SCOPES)).text
    as_read(service)
    return dict(zip(CLIENTS, (None, f"Bearer {wide[:-1]}", f"Bearer {narrow}", f"Bearer {wide}"), strict=True))


@pytest.mark.parametrize("client", CLIENTS)
def test_every_request_is_answered_correctly(client: str, tmp_path: Path) -> None:
    sys.stdout.write(f"seed {SEED}\n")
    accepted = 0

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(raw_requests())
    def hold(request: RawRequest) -> None:
        nonlocal accepted
        before = runner.run(log_state(database))
        answer = runner.run(send(service, request, shown))
        if answer is None:
            return
        check(answer)
        if answer.status >= 400:
            assert runner.run(log_state(database)) == before, "a refused request changed the log"
        if answer.status in (400, 417) and names_of(request) & {"host", "expect"}:
            return  # refused before the client was known
        if needs(request) not in CLIENTS[client]:
            assert answer.status in (401, 403), "answered without the scope"
        accepted += answer.status < 300

    with asyncio.Runner() as runner:
        over = InProcess.over(f"sqlite+aiosqlite:///{tmp_path}/itemledger.db")
        service = runner.run(over.__aenter__())
        database = service.services.database
        shown = runner.run(credentials(service))[client]
        try:
            hold()
        finally:
            runner.run(over.__aexit__(None, None, None))
    least = EXAMPLES // 10 if client == "with all scopes" else 0
    assert accepted > least, "too few requests were accepted for this test to mean anything"
