"""`itemledger serve` is safe by default: it listens on a reachable address only if requests need credentials."""

import asyncio
import socket

import httpx
import pytest

from api.auth.scopes import Scope
from tests.api.cli.command import itemledger, process
from tests.support.clients.http import check_problem
from tests.support.clients.keys import bearer, key_for
from tests.support.postgres import as_service
from tests.support.service import free_port, migrate, serving

EVERYWHERE = "0.0.0.0"  # noqa: S104


def refusal(database_url: str, *arguments: str) -> str:
    done = itemledger(database_url, "serve", "--port", free_port(), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


def own_address() -> str:
    """Return an address of this machine that is not loopback. Sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("host", [EVERYWHERE, "::", ""])
def test_without_credentials_it_refuses_to_listen_on_a_reachable_address(sqlite_url: str, host: str) -> None:
    message = refusal(sqlite_url, "--host", host)
    for word in ("no credentials", "itemledger keys create", "--insecure-no-auth"):
        assert word in message


def test_a_revoked_key_does_not_count_as_a_credential(database_url: str) -> None:
    asyncio.run(migrate(database_url))
    key = key_for(database_url)
    assert process(database_url, "keys", "revoke", key[4:12]).returncode == 0
    assert "no credentials" in refusal(as_service(database_url), "--host", EVERYWHERE)


def test_with_a_key_it_listens_on_all_addresses_and_requires_credentials(database_url: str) -> None:
    asyncio.run(migrate(database_url))
    key = key_for(database_url, "shop", Scope.ITEMS_READ)
    with serving(database_url, "--host", EVERYWHERE) as server:
        for address in ("127.0.0.1", own_address()):
            url = f"http://{address}:{server.port}"
            check_problem(httpx.get(f"{url}/items"), 401, "credential-required")
            assert httpx.get(f"{url}/items", headers=bearer(key)).json() == []
            check_problem(httpx.delete(f"{url}/items/1", headers=bearer(key)), 403, "insufficient-scope")
            assert httpx.get(f"{url}/livez").status_code == httpx.get(f"{url}/readyz").status_code == 200
        server.terminate()
        assert "credentials are required" in server.output()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_credentials_it_listens_on_all_addresses_with_insecure_no_auth(postgres_url: str, workers: str) -> None:
    asyncio.run(migrate(postgres_url))
    arguments = ("--host", EVERYWHERE, "--insecure-no-auth", "--workers", workers)
    with serving(postgres_url, *arguments) as server:
        url = f"http://{own_address()}:{server.port}"
        assert httpx.post(f"{url}/items", json={"name": "Pen", "price": 1}).status_code == 201
        server.terminate()
        assert "authentication is off and remote access is on" in server.output()


def test_a_key_created_while_it_serves_works_at_once_and_makes_credentials_required(sqlite_url: str) -> None:
    with serving(sqlite_url) as server:
        assert httpx.get(f"{server.url}/items").status_code == 200
        key = key_for(sqlite_url)
        assert httpx.get(f"{server.url}/items", headers=bearer(key)).status_code == 200
        check_problem(httpx.get(f"{server.url}/items"), 401, "credential-required")
