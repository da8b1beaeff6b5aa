"""Whatever is sent, nothing breaks, nobody gets what they may not, and what was refused has changed nothing.

Requests are ASGI's, made up by hypothesis, so that they go past what a server would have refused by itself. The same
over a socket is in tests/system/test_raw_bytes.py. `make fuzz-api` makes up more of both.
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
from api.auth.scopes import Scope as Right
from api.auth.scopes import Unscoped
from api.edge.routing import RouteTable
from api.http.problems import Problem
from api.http.responses import Message, Scope
from tests.support.clients.http import DISCONNECT, log_state, part
from tests.support.clients.keys import as_read, make_key
from tests.support.clients.raw import RawRequest, raw_requests
from tests.support.service import InProcess

SEED = int(os.environ.get("ITEMLEDGER_TEST_API_SEED", "1"))
EXAMPLES = int(os.environ.get("ITEMLEDGER_TEST_API_EXAMPLES", "40")) * 5
TABLE = RouteTable(ROUTES)
#: All rights but that to start processes.
RIGHTS = [right for right in Right if right is not Right.PROJECTIONS_REBUILD]
#: What one can answer with 503 without having broken: a state that is not there yet.
WAITED_FOR = {"position-not-reached", "projection-not-ready"}


class Answered(Struct, frozen=True):
    """What came back."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def problem(self) -> dict[str, Any]:
        """Give the body where it is a problem."""
        if self.headers.get(b"content-type") != b"application/problem+json" or not self.body:
            return {}
        problem: dict[str, Any] = json.loads(self.body)
        return problem


async def send(service: InProcess, request: RawRequest, authorization: str | None) -> Answered | None:
    """Make the request, and leave behind its body; give the answer, None where there was none."""
    shown = [] if authorization is None else [(b"authorization", authorization.encode())]
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.decoded_path,
        "raw_path": request.path,
        "query_string": request.query,
        "headers": [*request.headers, *shown],
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


def needs(request: RawRequest) -> Right | Unscoped:
    """Give what the request must show: nothing, where there is no such route to let anybody in."""
    if request.method == "OPTIONS" or b"%2f" in request.path.lower():
        return Unscoped.OPEN
    try:
        return TABLE.find(request.method, request.decoded_path).scope
    except Problem:
        return Unscoped.OPEN


def check(answer: Answered) -> None:
    """Fail where an answer is of something that broke, or is not as all answers are."""
    problem = answer.problem()
    assert answer.status < 500 or problem.get("code") in WAITED_FOR, problem
    assert answer.headers[b"x-content-type-options"] == b"nosniff"
    if answer.status >= 400:
        assert answer.headers[b"content-type"] == b"application/problem+json"


#: Who asks, and what they may then do.
WHO: dict[str, set[Right | Unscoped]] = {
    "who shows none": {Unscoped.OPEN},
    "who shows a bad one": {Unscoped.OPEN},
    "who shows a narrow one": {Unscoped.OPEN, Unscoped.ANY_CREDENTIAL, Right.KEYS_ADMIN},
    "who shows a wide one": {Unscoped.OPEN, Unscoped.ANY_CREDENTIAL, *RIGHTS},
}


async def credentials(service: InProcess) -> dict[str, str | None]:
    """Make keys; give what each of them shows."""
    database = service.services.database
    narrow = (await make_key(database, "narrow", Right.KEYS_ADMIN)).text
    wide = (await make_key(database, "wide", *RIGHTS)).text
    as_read(service)
    return dict(zip(WHO, (None, f"Bearer {wide[:-1]}", f"Bearer {narrow}", f"Bearer {wide}"), strict=True))


@pytest.mark.parametrize("who", WHO)
def test_whatever_is_sent_is_answered_rightly(who: str, tmp_path: Path) -> None:
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
            assert runner.run(log_state(database)) == before, "what was refused has changed the log"
        if needs(request) not in WHO[who]:
            assert answer.status in (401, 403), "answered without the scope"
        accepted += answer.status < 300

    with asyncio.Runner() as runner:
        over = InProcess.over(f"sqlite+aiosqlite:///{tmp_path}/itemledger.db")
        service = runner.run(over.__aenter__())
        database = service.services.database
        shown = runner.run(credentials(service))[who]
        try:
            hold()
        finally:
            runner.run(over.__aexit__(None, None, None))
    assert accepted > (EXAMPLES // 10 if who == "who shows a wide one" else 0), "too little got through to tell much"
