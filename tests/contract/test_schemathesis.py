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

import httpx
import pytest

from api.app import ROUTES
from tests.support.keys import bearer, key_for
from tests.support.service import migrate, serving

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).parent / "st"
SEED = os.environ.get("ITEMLEDGER_TEST_API_SEED", "1")
EXAMPLES = os.environ.get("ITEMLEDGER_TEST_API_EXAMPLES", "40")
#: Operations whose path names an item: what is random names one that is not there, or not deleted.
SELDOM = {"DELETE /items/{item_id}", "POST /items/{item_id}/restore"}

#: One that is right only while a rebuild happens to run; tests/api/test_projections.py is about it.
BY_CHANCE = {"DELETE /projections/{name}/rebuild"}


@pytest.mark.slow
def test_the_service_does_what_its_document_says(database_url: str, tmp_path: Path) -> None:
    asyncio.run(migrate(database_url))
    key = key_for(database_url)
    # Streams that end at once: else each would be read for an hour.
    with serving(database_url, environment={"ITEMLEDGER_STREAM_LIFETIME": "0.01"}) as server:
        # From a file: read from the service, the document would be tested without the route that gives it.
        document = tmp_path / "openapi.json"
        document.write_bytes(httpx.get(f"{server.url}/openapi.json", headers=bearer(key)).content)
        run = subprocess.run(
            [
                SCHEMATHESIS,
                *("--config-file", HERE / "schemathesis.toml", "run", document, "--url", server.url),
                *("--header", f"Authorization: Bearer {key}"),
                *("--seed", SEED, "--max-examples", EXAMPLES, "--no-color"),
                *("--report", "json", "--report-json-path", tmp_path / "report.json"),
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    sys.stdout.write(run.stdout)  # with the seed
    assert run.returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["complete"]
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}, "none was left out"
    assert report["operations"]["tested"] == len(ROUTES)
    assert report["test_cases"]["errored"] == 0
    for operation, phases in report["valid_rates"].items():
        accepted = sum(rates["accepted"] for rates in phases.values())
        rejected = sum(rates["rejected"] for rates in phases.values())
        if operation not in BY_CHANCE:
            assert accepted > (rejected if operation not in SELDOM else 0), f"{operation}: too little got through"
