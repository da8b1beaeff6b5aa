"""The protocol relies on internals of uvicorn: each name that it overrides or uses must be there as it is expected.

If a test here fails after an upgrade of uvicorn, read what changed in it before you change the test.
"""

import ast
import asyncio
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.edge.client_timeouts import TimeoutHttpProtocol
from api.edge.http_protocol import HttpProtocol
from api.edge.response_cycle import ResponseCycle
from api.http.responses import AsgiScope, Receive, Send

ROOT = Path(__file__).parents[4]
#: Methods of uvicorn that ours override or call, with their parameters.
METHODS: dict[type, dict[str, str]] = {
    HttpToolsProtocol: {
        "__init__": "self, config, server_state, app_state, _loop",
        "_start_asgi_task": "self, cycle, app",
        "connection_lost": "self, exc",
        "connection_made": "self, transport",
        "data_received": "self, data",
        "on_body": "self, body",
        "on_header": "self, name, value",
        "on_headers_complete": "self",
        "on_message_begin": "self",
        "on_message_complete": "self",
        "on_response_complete": "self",
        "on_url": "self, url",
        "shutdown": "self",
    },
    RequestResponseCycle: {"receive": "self", "send": "self, message"},
    FlowControl: {"drain": "self", "pause_reading": "self", "resume_reading": "self"},
}
#: Attributes of uvicorn that ours read or write.
ATTRIBUTES = {
    "protocol": (
        *(
            "app",
            "client",
            "connections",
            "cycle",
            "expect_100_continue",
            "flow",
            "headers",
            "logger",
            "loop",
            "parser",
        ),
        *("pipeline", "scheme", "server_state", "timeout_keep_alive", "transport", "url"),
    ),
    "cycle": (
        *(
            "body",
            "chunked_encoding",
            "default_headers",
            "disconnected",
            "expected_content_length",
            "flow",
            "keep_alive",
        ),
        *("message_event", "more_body", "on_response", "response_complete", "response_started", "scope", "transport"),
        "waiting_for_100_continue",
    ),
    "flow": ("read_paused", "write_paused"),
    "server_state": ("connections", "default_headers", "tasks", "total_requests"),
}
OURS = {HttpProtocol: "protocol", TimeoutHttpProtocol: "protocol", ResponseCycle: "cycle"}
SOURCES = {ours: ast.parse(inspect.getsource(ours)) for ours in OURS}


def attributes_of(ours: type, expression: str) -> set[str]:
    """Return the names that one of our classes reads or writes as `expression.name`."""
    nodes = [node for node in ast.walk(SOURCES[ours]) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if ast.unparse(node.value) == expression}


async def app(_scope: AsgiScope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def plain() -> dict[str, object]:
    """Return uvicorn's own protocol with a request in progress, and what belongs to it."""
    config = Config(app, log_config=None, lifespan="off")
    config.load()
    protocol = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(MagicMock(spec=asyncio.Transport))
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return {
        "protocol": protocol,
        "cycle": protocol.cycle,
        "flow": protocol.flow,
        "server_state": protocol.server_state,
    }


def test_uvicorn_is_pinned_to_the_version_that_was_read() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = f"uvicorn=={version('uvicorn')}"
    assert pinned in dependencies
    for lock in ("requirements.txt", "requirements-dev.txt"):
        assert f"\n{pinned} \\\n" in (ROOT / lock).read_text()


@pytest.mark.parametrize(
    ("owner", "method"),
    [(owner, method) for owner, methods in METHODS.items() for method in methods],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_a_method_of_uvicorn_has_the_parameters_that_we_expect(owner: type, method: str) -> None:
    found = vars(owner).get(method)
    assert found is not None, f"uvicorn's {owner.__name__} has no {method}"
    assert ", ".join(inspect.signature(found).parameters) == METHODS[owner][method]


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in ATTRIBUTES.items() for name in names])
async def test_an_attribute_of_uvicorn_is_there(plain: dict[str, object], owner: str, name: str) -> None:
    assert hasattr(plain[owner], name), f"uvicorn's {owner} has no {name}"


@pytest.mark.parametrize("ours", OURS, ids=lambda ours: ours.__name__)
async def test_the_tables_have_each_name_that_is_used(plain: dict[str, object], ours: type) -> None:
    uvicorn_class = type(plain[OURS[ours]])
    overridden = {name for name, value in vars(ours).items() if inspect.isfunction(value)} & vars(uvicorn_class).keys()
    assert overridden | (attributes_of(ours, "super()") & vars(uvicorn_class).keys()) <= METHODS[uvicorn_class].keys()
    inherited = {name for name in attributes_of(ours, "self") if hasattr(plain[OURS[ours]], name)}
    assert inherited - vars(ours).keys() <= {*ATTRIBUTES[OURS[ours]], *METHODS[uvicorn_class]}
    for expression, owner in {
        "self.flow": "flow",
        "cycle": "cycle",
        "answered": "cycle",
        "self.server_state": "server_state",
    }.items():
        methods = METHODS.get(type(plain[owner]), {})
        of_ours = vars(ResponseCycle).keys() if owner == "cycle" else set[str]()
        assert attributes_of(ours, expression) - of_ours <= {*ATTRIBUTES[owner], *methods}, expression


@pytest.mark.parametrize("ours", OURS, ids=lambda ours: ours.__name__)
async def test_no_private_name_of_ours_is_one_of_uvicorn_too(plain: dict[str, object], ours: type) -> None:
    own = {name for name in attributes_of(ours, "self") | vars(ours).keys() if name.startswith("_")}
    own = {name for name in own if not name.startswith("__")} - METHODS[type(plain[OURS[ours]])].keys()
    assert own
    assert [name for name in own if hasattr(plain[OURS[ours]], name)] == []


def test_a_status_line_is_complete() -> None:
    assert STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
