"""The OpenAPI document is correct: schemathesis generates requests from it and checks a live service against it.

All checks and phases are on: the document's examples, the boundaries of every schema, random data, and walks along the
links from response to request, with valid and invalid data. `make fuzz-api` runs more of the same.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import ROUTES
from tests.support.clients.keys import bearer, key_for
from tests.support.service import Server, migrate, serving

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).parent / "st"
SEED = os.environ.get("ITEMLEDGER_TEST_API_SEED", "1")
#: For each operation and database. The databases get different ones.
EXAMPLES = int(os.environ.get("ITEMLEDGER_TEST_API_EXAMPLES", "8"))
#: Operations on an item, a key or a file: a random name mostly names one that does not exist, or is not deleted.
SELDOM = {
    *("DELETE /items/{item_id}", "POST /items/{item_id}/restore", "GET /audit/items/{item_id}"),
    *("GET /keys/{key_id}", "DELETE /keys/{key_id}", "POST /keys/{key_id}/rotate"),
    "GET /console/{folder}/{file}",
}

#: Succeeds only while a rebuild runs; see tests/api/projections/test_projections.py.
BY_CHANCE = {"DELETE /projections/{name}/rebuild"}


@pytest.mark.slow
def test_the_service_does_what_its_document_says(database_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(database_url))
    key = key_for(database_url)
    # Streams end at once, otherwise each is read for an hour. Exports have no limit, otherwise most respond with 429.
    environment = {"ITEMLEDGER_STREAM_LIFETIME": "0.01", "ITEMLEDGER_EXPORT_LIMIT": "off"}
    seed = f"{SEED}{database_url.startswith('sqlite'):d}"
    options = (*_examples(EXAMPLES), "--seed", seed, "--header", f"Authorization: Bearer {key}")
    with serving(database_url, as_owner=True, environment=environment) as server:  # the owner can rebuild
        report = fuzz(server, key, tmp_path, "schemathesis.toml", *options)
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}, "every phase ran"
    for operation, phases in report["valid_rates"].items():
        accepted = sum(rates["accepted"] for rates in phases.values())
        rejected = sum(rates["rejected"] for rates in phases.values())
        if operation not in BY_CHANCE:
            assert accepted > (rejected if operation not in SELDOM else 0), f"{operation}: too few were accepted"


@pytest.mark.slow
def test_requests_without_a_credential_get_nothing(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(sqlite_url))
    key = key_for(sqlite_url)
    # All checks but those that expect valid requests to succeed.
    checks = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "nothing_is_given"]
    checks += ["response_headers_conformance", "response_schema_conformance"]
    chosen = ("--checks", ",".join(checks), "--phases", "examples,fuzzing", *_examples(EXAMPLES // 4))
    with serving(sqlite_url) as server:
        fuzz(server, key, tmp_path, "outside.toml", *chosen)
        asked = httpx.get(f"{server.url}/readyz").json()
    assert asked["log_position"] == 0


def _examples(count: int) -> tuple[str, str]:
    return ("--max-examples", str(count))


def fuzz(server: Server, key: str, directory: Path, config: str, *options: str) -> dict[str, Any]:
    """Run schemathesis against a server. Return its report, of a complete run without failures."""
    # From a file: if schemathesis reads it from the service, it skips the route that serves the document.
    document = directory / "openapi.json"
    document.write_bytes(httpx.get(f"{server.url}/openapi.json", headers=bearer(key)).content)
    run = subprocess.run(
        [
            SCHEMATHESIS,
            *("--config-file", HERE / config, "run", document, "--url", server.url),
            *("--seed", SEED, "--no-color", *options),
            *("--report", "json", "--report-json-path", directory / "report.json"),
        ],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(run.stdout)  # with the seed
    assert run.returncode == 0
    report: dict[str, Any] = json.loads((directory / "report.json").read_text())
    assert report["complete"]
    assert {phase["status"] for phase in report["phases"].values()} <= {"success", "skip"}
    assert report["operations"]["tested"] == len(ROUTES)
    assert report["test_cases"]["errored"] == 0
    return report
