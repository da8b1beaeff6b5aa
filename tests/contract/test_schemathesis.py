"""The OpenAPI document is true: schemathesis makes requests of it, and holds the live service to what it says.

All its checks and phases are on: the document's examples, the edges of every schema, what is random, and walks along
the links from answer to request; what keeps to a schema, and what does not. `make fuzz-api` does more of the same.
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
EXAMPLES = int(os.environ.get("ITEMLEDGER_TEST_API_EXAMPLES", "16"))
#: Operations whose path names an item: what is random names one that is not there, or not deleted.
SELDOM = {
    *("DELETE /items/{item_id}", "POST /items/{item_id}/restore"),
    *("GET /keys/{key_id}", "DELETE /keys/{key_id}", "POST /keys/{key_id}/rotate"),
}

#: One that is right only while a rebuild happens to run; tests/api/projections/test_projections.py is about it.
BY_CHANCE = {"DELETE /projections/{name}/rebuild"}


@pytest.mark.slow
def test_the_service_does_what_its_document_says(database_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(database_url))
    key = key_for(database_url)
    # Streams that end at once, else each would be read for an hour, and exports without limit, else most would be 429.
    environment = {"ITEMLEDGER_STREAM_LIFETIME": "0.01", "ITEMLEDGER_EXPORT_LIMIT": "off"}
    with serving(database_url, as_owner=True, environment=environment) as server:  # the owner can rebuild
        report = fuzz(
            server, key, tmp_path, "schemathesis.toml", *_examples(EXAMPLES), "--header", f"Authorization: Bearer {key}"
        )
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}, "none was left out"
    for operation, phases in report["valid_rates"].items():
        accepted = sum(rates["accepted"] for rates in phases.values())
        rejected = sum(rates["rejected"] for rates in phases.values())
        if operation not in BY_CHANCE:
            assert accepted > (rejected if operation not in SELDOM else 0), f"{operation}: too little got through"


@pytest.mark.slow
def test_nobody_gets_anything_without_a_credential(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(sqlite_url))
    key = key_for(sqlite_url)
    # That what is right is answered is not to be expected; all other checks hold.
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
    """Run schemathesis against a server; give its report, which is of a run that was complete and found nothing."""
    # From a file: read from the service, the document would be tested without the route that gives it.
    document = directory / "openapi.json"
    document.write_bytes(httpx.get(f"{server.url}/openapi.json", headers=bearer(key)).content)
    run = subprocess.run(
        [
            SCHEMATHESIS,
            *("--config-file", HERE / config, "run", document, "--url", server.url),
            *options,
            *("--seed", SEED, "--no-color"),
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
