"""The bill of materials lists what is installed to run the service, and what its pages bring; nothing else."""

import json
import re
import subprocess
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.supply_chain.audit import ROOT
from tests.supply_chain.vendored import packages


def test_it_is_valid_and_lists_what_is_locked(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    made = subprocess.run(
        ["/usr/bin/env", "make", "--old-file=.venv/.dev", "sbom", f"SBOM={file}"], cwd=ROOT, check=False
    )
    assert made.returncode == 0
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "itemledger"
    locked = dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ ;]+)", (ROOT / "requirements.txt").read_text()))
    vendored = {name: package["version"] for name, package in packages().items()}
    assert "lit" in vendored
    assert {part["name"]: part["version"] for part in bill["components"]} == locked | vendored
    for part in bill["components"]:
        kind = "npm" if part["name"] in vendored else "pypi"
        assert part["purl"].startswith(f"pkg:{kind}/")
    assert len({part["bom-ref"] for part in bill["components"]}) == len(locked) + len(vendored)
    assert str(ROOT) not in text
