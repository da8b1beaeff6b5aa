"""TimeoutHttpProtocol relies on internals of uvicorn: each name that it uses must exist in the installed version."""

import ast
import asyncio
import inspect
from unittest.mock import MagicMock

import pytest
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.edge.client_timeouts import TimeoutHttpProtocol
from api.http.responses import AsgiScope, Receive, Send

SOURCE = ast.parse(inspect.getsource(TimeoutHttpProtocol))
METHODS = {name for name, value in vars(TimeoutHttpProtocol).items() if inspect.isfunction(value)}
OVERRIDES = {name for name in METHODS if not name.startswith("_")}


def attributes_of(expression: str) -> set[str]:
    """Return the names that the class reads or writes as `expression.name`."""
    nodes = [node for node in ast.walk(SOURCE) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if ast.unparse(node.value) == expression}


async def app(_scope: AsgiScope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def plain() -> HttpToolsProtocol:
    """Return uvicorn's own protocol with a request in progress."""
    config = Config(app, log_config=None, lifespan="off")
    config.load()
    protocol = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(MagicMock(spec=asyncio.Transport))
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return protocol


def test_every_method_that_is_overridden_is_one_of_uvicorn() -> None:
    assert len(OVERRIDES) >= 10
    assert OVERRIDES | attributes_of("super()") - {"__init__"} <= vars(HttpToolsProtocol).keys()


async def test_every_attribute_that_is_used_is_one_of_uvicorn(plain: HttpToolsProtocol) -> None:
    own = {name for name in attributes_of("self") if name.startswith("_")}
    used = {"self": attributes_of("self") - own, "flow": attributes_of("self.flow"), "cycle": attributes_of("cycle")}
    assert used["self"] >= {"app", "client", "connections", "cycle", "flow", "loop", "pipeline", "timeout_keep_alive"}
    assert used["flow"] == {"pause_reading", "read_paused", "resume_reading"}
    assert used["cycle"] == {"disconnected", "message_event", "response_complete"}
    for owner, value in (("self", plain), ("flow", plain.flow), ("cycle", plain.cycle)):
        assert [name for name in used[owner] if not hasattr(value, name)] == []


async def test_no_private_name_of_its_own_is_one_of_uvicorn_too(plain: HttpToolsProtocol) -> None:
    own = {name for name in attributes_of("self") | METHODS if name.startswith("_")} - {"__init__"}
    assert len(own) >= 10
    assert [name for name in own if hasattr(plain, name)] == []
