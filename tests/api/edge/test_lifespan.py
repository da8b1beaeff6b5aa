"""Start and stop: after a failed start nothing is served, a failed stop is reported, other protocols are refused."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from api.app import Services, create_app, run
from api.edge import boundary
from api.http.responses import Message
from api.secret import SecretUrl
from api.settings import Settings
from tests.support.clients.http import DISCONNECT
from tests.support.postgres import as_service
from tests.support.service import InProcess, migrate, outer_environment


async def live(app: boundary.Boundary, messages: list[str]) -> list[Message]:
    """Send an application lifespan messages; return its messages."""
    incoming: list[Message] = [{"type": f"lifespan.{name}"} for name in messages]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan"}, receive, send)
    return sent


def kinds(sent: list[Message]) -> list[str]:
    return [message["type"].removeprefix("lifespan.") for message in sent]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    logger = CapturingLogger()
    monkeypatch.setattr(boundary, "log", logger)
    return logger


async def test_it_starts_and_stops(database_url: str) -> None:
    await migrate(database_url)
    sent = await live(create_app(Settings(database_url=SecretUrl(as_service(database_url)))), ["startup", "shutdown"])
    assert kinds(sent) == ["startup.complete", "shutdown.complete"]


async def test_a_start_that_fails_is_reported_to_the_server_and_logged(lines: CapturingLogger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database\n" * 1000)
    app = create_app(Settings(database_url=SecretUrl(f"sqlite+aiosqlite:///{tmp_path}/file")))
    sent = await live(app, ["startup", "shutdown"])
    assert kinds(sent) == ["startup.failed"]
    assert sent[0]["message"]
    (logged,) = lines.calls
    assert (logged.method_name, logged.args) == ("error", ("start failed",))
    assert isinstance(logged.kwargs["exc_info"], Exception)


async def test_a_stop_that_fails_is_reported_to_the_server_and_logged(lines: CapturingLogger, sqlite_url: str) -> None:
    await migrate(sqlite_url)
    settings = Settings(database_url=SecretUrl(sqlite_url))

    @asynccontextmanager
    async def failing() -> AsyncIterator[Services]:
        async with run(settings) as services:
            yield services
        raise RuntimeError("the disk is gone")

    sent = await live(create_app(settings, failing), ["startup", "shutdown"])
    assert kinds(sent) == ["startup.complete", "shutdown.failed"]
    assert "the disk is gone" in sent[1]["message"]
    assert [call.args for call in lines.calls] == [("stop failed",)]


@pytest.mark.parametrize("fault", ["a schema that is not at head", "a file that is not a database"])
def test_a_server_whose_application_cannot_start_ends_with_an_error(
    fault: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no database\n" * 1000)
    url = empty_postgres_url if fault.startswith("a schema") else f"sqlite+aiosqlite:///{tmp_path}/file"
    # Without `itemledger serve`, which checks before it starts a server: its workers start like this.
    command = ["-m", "uvicorn", "--factory", "api.app:create_app", "--lifespan", "on", "--port", "0"]
    done = subprocess.run(
        [sys.executable, *command],
        env={**outer_environment(), "DATABASE_URL": url},
        cwd=os.fspath(Path(__file__).parents[3]),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode not in (0, None)
    assert '"event":"start failed"' in done.stdout
    assert "Uvicorn running" not in done.stdout + done.stderr


async def test_a_websocket_is_closed(small: InProcess) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return DISCONNECT

    async def send(message: Message) -> None:
        sent.append(message)

    await small.app({"type": "websocket", "path": "/items"}, receive, send)
    assert sent == [{"type": "websocket.close"}]
