"""Streams and exports end with the credential that asked for them, whatever ends it, and however slow the client is."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api.auth import watch
from api.auth.api_keys import cache, store
from api.auth.api_keys.cache import ApiKeyCache
from api.auth.jwt import jwks
from api.auth.jwt.jwks_source import JwksSource
from api.auth.watch import while_accepted
from api.http.problems import Problem
from eventstore.errors import UnavailableError
from tests.api.conftest import RequestLogs
from tests.support.clients.issuer import AUDIENCE, ISSUER, claims, published, signed
from tests.support.clients.keys import bearer, make_key
from tests.support.clients.load import ask, new_item
from tests.support.clients.streams import PATIENCE, streaming, until
from tests.support.service import InProcess, Listening

STREAM, EXPORT = "/events/stream", "/events/export"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check at every turn. How often it is in service, `test_an_end_takes_effect_within_two_seconds` says."""
    monkeypatch.setattr(watch, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(cache, "FRESH_SECONDS", 0.0)


def test_an_end_takes_effect_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert (watch.CHECK_SECONDS, cache.FRESH_SECONDS) == (0.5, 1.0), "a check, after the keys have become stale"
    assert jwks._FILE_REFRESH_SECONDS == 1


async def revoked(service: InProcess, key: store.NewKey) -> None:
    await service.services.database.write(partial(store.revoke, key_id=key.key.id, by="test"))


async def rotated(service: InProcess, key: store.NewKey) -> None:
    rotate = partial(store.rotate, key_id=key.key.id, overlap=0, lifetime=None, by="test")
    await service.services.database.write(rotate)


async def expired(service: InProcess, key: store.NewKey) -> None:
    rotate = partial(store.rotate, key_id=key.key.id, overlap=300_000, lifetime=None, by="test")  # in 0.3 s
    await service.services.database.write(rotate)


@pytest.mark.parametrize("end", [revoked, rotated, expired])
async def test_a_stream_ends_with_its_credential(
    service: InProcess, request_logs: RequestLogs, end: Callable[[InProcess, store.NewKey], Awaitable[None]]
) -> None:
    key = await make_key(service.services.database)
    async with streaming(service.app, headers=bearer(key.text)) as stream:
        assert (await stream.begin()).status_code == 200
        await end(service, key)
        assert (await stream.rest()).startswith(b"retry: ")  # it ends as a stream does, and its client asks again
    line = request_logs.audit.calls[-1].kwargs
    assert (line["status"], line["code"], line["key_id"]) == (200, "credential-invalid", key.key.id)


async def test_a_stream_without_a_credential_ends_when_there_is_a_key(service: InProcess) -> None:
    async with streaming(service.app) as stream:
        assert (await stream.begin()).status_code == 200
        await make_key(service.services.database)
        await stream.rest()


@asynccontextmanager
async def with_tokens(database_url: str, keys: Path) -> AsyncIterator[InProcess]:
    settings: dict[str, Any] = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": JwksSource(str(keys))}
    async with InProcess.over(database_url, **settings) as running:
        yield running


@pytest.mark.parametrize("keys", [[("RS256", "two")], []], ids=["another", "none"])
async def test_a_stream_ends_when_the_issuer_withdraws_the_key_of_its_token(
    sqlite_url: str, tmp_path: Path, keys: list[tuple[str, str]]
) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(published(("RS256", "one"), ("RS256", "two")))
    async with with_tokens(sqlite_url, file) as service:
        tokens = [signed(claims(scope="events:read"), kid=kid) for kid in ("one", "two")]
        async with streaming(service.app, headers=bearer(tokens[0])) as stream:
            assert (await stream.begin()).status_code == 200
            async with streaming(service.app, headers=bearer(tokens[1])) as other:
                assert (await other.begin()).status_code == 200
                file.write_bytes(published(*keys))
                await stream.rest()
                await asyncio.sleep(0.1)
                assert other.task.done() is (keys == []), "the key of the other token is still published"


async def test_a_stream_ends_when_its_token_expires(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(published(("RS256", "one")))
    async with with_tokens(sqlite_url, file) as service:
        ends = int(time.time()) - 28  # with the 30 seconds by which clocks may differ: in a second or two
        token = signed(claims(scope="events:read", exp=ends, nbf=ends - 60, iat=ends - 60))
        async with streaming(service.app, headers=bearer(token)) as stream:
            assert (await stream.begin()).status_code == 200
            await stream.rest()


@asynccontextmanager
async def not_reading(port: int, path: str, key: str) -> AsyncIterator[socket.socket]:
    """Ask for an answer on a connection that is not read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(
            connection, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        )
        yield connection


@pytest.mark.parametrize("path", [STREAM, EXPORT])
async def test_a_client_that_reads_slowly_is_cut_at_once(
    sqlite_url: str, path: str, request_logs: RequestLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Listening.over(sqlite_url, answer_timeout=3600) as running:
        batch = b"[" + b",".join([new_item("x" * 250)] * 1000) + b"]"
        for _ in range(8):  # more than the buffers between two sockets hold
            assert (await ask(running.port, "POST", "/items/batch", batch)).status == 201
        key = await make_key(running.services.database)
        async with not_reading(running.port, path, key.text) as connection:
            connections: set[Any] = running._server.server_state.connections
            await until(lambda: any(protocol.flow.write_paused for protocol in connections))
            await running.services.database.write(partial(store.revoke, key_id=key.key.id, by="test"))
            await until(lambda: not connections)
            received = b""
            with suppress(ConnectionResetError):
                async with asyncio.timeout(PATIENCE):
                    while data := await asyncio.get_running_loop().sock_recv(connection, 2**16):
                        received += data
            assert len(received) < 2**20, "what it had, and what was on its way"
            assert not received.endswith(b"0\r\n\r\n"), "the client sees that it is incomplete"
    line = request_logs.audit.calls[-1].kwargs
    assert (line["status"], line["code"], line["key_id"]) == (200, "credential-invalid", key.key.id)


async def test_an_unavailable_database_ends_nothing_and_an_unexpected_error_does(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make_key(service.services.database)
    checks = 0

    async def find(*_: object) -> None:
        nonlocal checks
        checks += 1
        raise UnavailableError if checks < 5 else LookupError

    async with streaming(service.app, headers=bearer(key.text)) as stream:
        await stream.begin()
        monkeypatch.setattr(ApiKeyCache, "find", find)
        await until(stream.task.done)
    assert checks == 5


async def test_a_timeout_of_the_block_is_not_an_end(service: InProcess) -> None:
    authenticator = service.services.authenticator
    principal = await authenticator.authenticate({}, "127.0.0.1")
    with pytest.raises(TimeoutError):
        async with while_accepted(authenticator, {}, "127.0.0.1", principal):
            raise TimeoutError
    await make_key(service.services.database)
    with pytest.raises(Problem, match="A credential is required"):
        async with while_accepted(authenticator, {}, "127.0.0.1", principal):
            await asyncio.Event().wait()
