"""A client generated from the OpenAPI document works without manual changes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import ROUTES
from tests.support.clients.keys import key_for
from tests.support.service import ITEMLEDGER, migrate, serving

BIN = Path(sys.executable).parent
PACKAGE = "itemledger_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Generate a client. Return the output of the generator."""
    directory = tmp_path_factory.mktemp("generated")
    document = directory / "openapi.json"
    document.write_bytes(subprocess.run([ITEMLEDGER, "openapi"], stdout=subprocess.PIPE, check=True).stdout)
    made = subprocess.run(
        [
            *(BIN / "openapi-python-client", "generate", "--path", document, "--meta", "none"),
            *("--output-path", directory / PACKAGE, "--fail-on-warning"),
        ],
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},  # it formats its output with ruff
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout
    sys.path.insert(0, str(directory))
    yield made.stdout
    sys.path.remove(str(directory))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def operation(name: str, tag: str = "items") -> Any:
    return import_module(f"{PACKAGE}.api.{tag}.{name}")


def test_the_generated_client_is_complete(generated: str) -> None:
    assert generated.splitlines()[1:] == [], "it warns of what it cannot generate"
    for route in ROUTES:
        assert operation(route.handler.__name__, route.tag).sync_detailed


def test_the_generated_client_creates_changes_pages_deletes_and_restores(generated: str, database_url: str) -> None:
    client_module, models = import_module(f"{PACKAGE}.client"), import_module(f"{PACKAGE}.models")
    asyncio.run(migrate(database_url))
    key = key_for(database_url)
    with (
        serving(database_url) as server,
        client_module.AuthenticatedClient(server.url, key, raise_on_unexpected_status=True) as client,
    ):
        pen = models.NewItem(name="Fountain pen", price="24.5")
        created = operation("create_item").sync_detailed(client=client, body=pen, idempotency_key="first")
        assert created.parsed == models.Item(id=1, name="Fountain pen", price=24.5, in_stock=True)
        again = operation("create_item").sync_detailed(client=client, body=pen, idempotency_key="first")
        assert (again.parsed, again.headers["idempotency-replayed"]) == (created.parsed, "true")

        more = [models.NewItem(name=f"Nib {number}", price=number, in_stock=False) for number in range(4)]
        batch = operation("create_items").sync(client=client, body=more)
        assert [item.name for item in batch] == ["Nib 0", "Nib 1", "Nib 2", "Nib 3"]

        change, tag = models.ItemPatch(price=19.95), created.headers["etag"]
        changed = operation("change_item").sync_detailed(1, client=client, body=change, if_match=tag)
        assert changed.parsed == models.Item(id=1, name="Fountain pen", price=19.95, in_stock=True)
        stale = operation("change_item").sync(1, client=client, body=change, if_match=tag)
        assert isinstance(stale, models.ProblemDetails)
        assert (stale.status, stale.code) == (412, "precondition-failed")

        position = int(changed.headers["log-position"])
        assert operation("get_item").sync(1, client=client, min_position=position) == changed.parsed
        same = operation("get_item").sync_detailed(1, client=client, if_none_match=changed.headers["etag"])
        assert (same.status_code, same.parsed) == (304, None)

        assert operation("delete_item").sync_detailed(1, client=client).status_code == 204
        assert operation("delete_item").sync(1, client=client).code == "item-not-found"
        assert pages(client, limit=3, sort=models.ListItemsSort("-price")) == [["Nib 3", "Nib 2", "Nib 1"], ["Nib 0"]]
        assert pages(client, limit=3, in_stock=True) == [[]]
        assert operation("restore_item").sync(1, client=client) == changed.parsed

        (today,) = operation("list_activity", "activity").sync(client=client, from_=date(2000, 1, 1), limit=1)
        assert (today.created, today.changed, today.deleted, today.restored) == (5, 1, 1, 1)
        assert (today.alive, today.stock_value) == (5, 19.95)

        wrong = operation("create_item").sync(client=client, body=models.NewItem(name=" ", price=1))
        assert (wrong.code, [fault.pointer for fault in wrong.errors]) == ("invalid-body", ["/name"])
        assert operation("readyz", "operations").sync(client=client).status == "ready"


def pages(client: Any, **query: Any) -> list[list[str]]:
    """Follow the links from the first page to the last. Return the names on each page."""
    found: list[list[str]] = []
    cursor = ""
    while True:
        page = operation("list_items").sync_detailed(client=client, cursor=cursor, **query)
        found.append([item.name for item in page.parsed])
        following = httpx.Response(200, headers=page.headers).links.get("next")
        if following is None:
            return found
        cursor = httpx.URL(following["url"]).params["cursor"]
