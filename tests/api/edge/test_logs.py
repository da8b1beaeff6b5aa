"""The service's log: one JSON line per request, which no client can forge; unexpected errors with their trace."""

import asyncio
import json
import logging
import re
import sqlite3
import subprocess
import sys
from itertools import product
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from structlog.testing import CapturingLogger

from api import logs
from api.edge import context
from eventstore.log.tables import events
from tests.api.conftest import RequestLogs
from tests.support.clients.http import JSON, call, check_problem, part, talk
from tests.support.postgres import PostgresServer
from tests.support.service import InProcess, migrate, serving

FORGED = '{"event":"request","status":200,"forged":true}'
#: The fields of every request's line.
LINE = {"event", "level", "timestamp", "request_id", "method", "route", "status", "duration_ms"} | {
    *("actor", "credential", "address", "code", "position")
}
#: Text that would end a line, move a terminal's cursor, set its title or reverse the following text.
TRICKS = ["\n", "\r\n", "\x1b[2J", "\x1b]0;x\x07", "\x9b2J", "\x7f", "\x85", "\u2028", "\u202e", "\0", '"}\n{"']
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def drop_items(url: str, request: pytest.FixtureRequest) -> None:
    """Break the service's database."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(str(make_url(url).database))
        connection.execute("DROP TABLE items")
        connection.close()
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute("DROP TABLE items", str(make_url(url).database))


def test_every_request_is_one_line_of_json_and_an_unexpected_error_has_its_trace(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    asyncio.run(migrate(database_url))
    with serving(database_url) as server, httpx.Client(base_url=server.url) as client:
        asked = [
            client.post("/items", json={"name": FORGED, "price": 1}, headers={"x-request-id": "named"}),
            client.get("/items/1"),
            client.get(f"/items/1%0A{FORGED}"),
            client.get(f"/%0A{FORGED}"),
            client.get("/items", params={"x\n" + FORGED: FORGED}),
            client.get("/items", headers={"user-agent": FORGED, "x-request-id": FORGED}),
            client.delete("/items/99"),
            client.head("/livez"),
            client.options("/items"),
            client.put("/items"),
        ]
        cut = b"POST /items HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: cut\r\nContent-Type: application/json\r\n"
        assert talk(server.port, cut + b"Content-Length: 9\r\n\r\n{") == b""
        drop_items(database_url, request)
        broken = client.get("/items", headers={"x-request-id": "broken"})
        check_problem(broken, 500, "internal-error")
        assert "items" not in broken.json()["detail"]
        server.terminate()
        lines: list[dict[str, Any]] = [json.loads(line) for line in server.output().splitlines()]
    written = {line["request_id"]: line for line in lines if line["event"] == "request"}
    own = [line for line in lines if line.get("route") != "/readyz" and line["event"] == "request"]
    assert len(own) == len(asked) + 2, "not one line a request"
    routes = ["/items", "/items/{item_id}", "/items/{item_id}", None, "/items", "/items", "/items/{item_id}"]
    routes += ["/livez", None, None]
    methods = ["POST", "GET", "GET", "GET", "GET", "GET", "DELETE", "HEAD", "OPTIONS", "PUT"]
    for answer, method, route in zip(asked, methods, routes, strict=True):
        line = written[answer.headers["x-request-id"]]
        assert set(line) == LINE
        assert (line["actor"], line["address"]) == ("anonymous", "127.0.0.1")
        assert line["code"] == (answer.json()["code"] if answer.status_code >= 400 else None)
        assert (line["method"], line["status"]) == (method, answer.status_code)
        # OPTIONS and 405 are answered before a route is chosen.
        assert line["route"] == route
        assert line["duration_ms"] > 0
    assert (written["cut"]["status"], written["cut"]["route"]) == (0, "/items")
    assert not [line for line in lines if "forged" in line]
    (fault,) = [line for line in lines if line["event"] == "unexpected error"]
    assert (fault["request_id"], fault["level"], fault["route"]) == ("broken", "error", "/items")
    assert "items" in json.dumps(fault["exception"])
    assert fault["exception"][0]["frames"]
    assert "locals" not in json.dumps(fault), "variables hold bodies, credentials and keys"


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def colourless(captured: pytest.CaptureFixture[bytes]) -> str:
    return re.sub(r"\x1b\[\d*m", "", captured.readouterr().out.decode())


@pytest.mark.parametrize("terminal", [False, True])
def test_no_value_can_end_a_line_or_control_a_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    if terminal:
        on_a_terminal(monkeypatch)
    try:
        logs.configure("info")
        for trick in TRICKS:
            structlog.get_logger().info("an event", value=f"a{trick}b", filter={"actor": f"a{trick}b"})
            logging.getLogger("uvicorn.error").info("a message with %s", f"a{trick}b")
            logs.drain()
            lines = colourless(capfdbinary).removesuffix("\n").split("\n")
            assert len(lines) == 2
            for line in lines:
                assert line.isprintable(), (trick, line)
                assert terminal or json.loads(line)
    finally:
        structlog.reset_defaults()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_trace_holds_no_row_no_parameter_and_no_variable(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    if terminal:
        on_a_terminal(monkeypatch)
    try:
        logs.configure("info")
        body = "sword" + "fish"
        errors = [IntegrityError("INSERT", {"name": body}, Exception(f"no such thing\nDETAIL: row ({body})"))]
        try:
            raise ExceptionGroup("several", errors)
        except ExceptionGroup as error:
            structlog.get_logger().error("unexpected error", exc_info=error)
            assert logs.summary(errors[0]) == "IntegrityError: (builtins.Exception) no such thing"
        logs.drain()
        written = colourless(capfdbinary)
        assert "no such thing" in written
        assert "test_logs.py" in written
        assert "swordfish" not in written
    finally:
        structlog.reset_defaults()


async def test_what_clients_send_is_in_no_line(small: InProcess, request_logs: RequestLogs) -> None:
    for trick, named in product(TRICKS, (["X-Request-Id", "traceparent"], ["Authorization"])):
        sent = f"a{trick}b"
        headers = [(name, sent.encode().decode("latin-1")) for name in named]
        headers += [("X-Forwarded-For", "a"), ("Cookie", "a=1"), *JSON.items()]
        body = part(json.dumps({"name": sent, "price": sent}).encode())
        for method, target in (("POST", "/items"), ("GET", f"/items/{sent}"), ("GET", f"/{sent}")):
            assert await call(small.app, method, target, body, headers=headers)
            (line,) = [logger.calls.pop().kwargs for logger in request_logs if logger.calls]
            assert set(line) - {"reason"} == LINE - {"event", "level", "timestamp"}
            assert sent not in line.values()


@pytest.mark.parametrize(
    ("headers", "correlation"),
    [
        ({"x-request-id": "named"}, "named"),
        ({"traceparent": f"00-{TRACE}-{PARENT}-01"}, TRACE),
        ({"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "named"}, TRACE),
        ({"traceparent": f"01-{TRACE}-{PARENT}-00-more", "x-request-id": "named"}, TRACE),
        ({"traceparent": f"00-{'0' * 32}-{PARENT}-01", "x-request-id": "named"}, "named"),
        ({"traceparent": f"00-{TRACE}-{'0' * 16}-01", "x-request-id": "named"}, "named"),
        ({"traceparent": f"ff-{TRACE}-{PARENT}-01", "x-request-id": "named"}, "named"),
        ({"traceparent": f"00-{TRACE}-{PARENT}-01-more", "x-request-id": "named"}, "named"),
        ({"traceparent": f"00-{TRACE.upper()}-{PARENT}-01", "x-request-id": "named"}, "named"),
        ({"traceparent": "nonsense", "x-request-id": "named"}, "named"),
    ],
)
async def test_an_event_keeps_the_trace_or_the_request_that_caused_it(
    small: InProcess, headers: dict[str, str], correlation: str
) -> None:
    body = part(b'{"name":"a","price":1}')
    created = await call(small.app, "POST", "/items", body, headers=[*JSON.items(), *headers.items()])
    assert created is not None
    assert created.status_code == 201
    (row,) = await small.services.database.read(select(events.c.correlation_id, events.c.actor, events.c.causation_id))
    assert tuple(row) == (correlation, "anonymous", None)


async def test_an_event_without_either_keeps_the_id_of_the_response(service: InProcess) -> None:
    created = await service.client.post("/items", json={"name": "Pen", "price": 1})
    deleted = await service.client.delete("/items/1", headers={"x-request-id": "a b"})
    rows = await service.services.database.read(select(events.c.correlation_id).order_by(events.c.position))
    assert [row[0] for row in rows] == [answer.headers["x-request-id"] for answer in (created, deleted)]


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        ("/events?actor=anonymous&limit=5", {"actor": "anonymous", "limit": 5}),
        ("/events/1", {}),
        ("/audit/items/1?as_of=1", {"as_of": "1"}),
        ("/events?limit=none", {}),
    ],
)
async def test_reads_of_the_history_are_logged_at_any_level(
    small: InProcess, request_logs: RequestLogs, target: str, logged: dict[str, Any]
) -> None:
    assert (await small.client.post("/items", json={"name": "a", "price": 1})).status_code == 201
    request_logs.log.calls.clear()
    answer = await small.client.get(target)
    (line,) = request_logs.audit.calls
    assert request_logs.log.calls == []
    assert (line.kwargs["actor"], line.kwargs["address"]) == ("anonymous", "127.0.0.1")
    assert (line.kwargs["status"], line.kwargs["path"]) == (answer.status_code, target.partition("?")[0])
    assert {name: line.kwargs["filter"].get(name) for name in logged} == logged


@pytest.mark.parametrize("what", ["stream", "export"])
async def test_the_start_of_a_stream_or_export_is_logged(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The request's own line is written at its end, which a kill can prevent."""
    always = CapturingLogger()
    monkeypatch.setattr(context, "audit", always)
    async with InProcess.over(sqlite_url, stream_lifetime=0.01) as service:
        assert (await service.client.get(f"/events/{what}?after=0")).status_code == 200
    (line,) = always.calls
    assert (line.args, line.kwargs["actor"], line.kwargs["after"]) == ((f"{what} begins",), "anonymous", 0)


def test_no_level_hides_the_audit_lines() -> None:
    code = "import structlog; from api import logs; logs.configure('error'); logs.audit.info('must'); "
    code += "logs.audit.warning('must'); structlog.get_logger().warning('may')"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["must", "must"]
