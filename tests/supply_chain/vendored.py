"""Add the libraries that are vendored into the console to a bill of materials: part of `make sbom`."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.supply_chain.audit import ROOT

VENDOR = ROOT / "api" / "console" / "static" / "vendor"


def packages() -> dict[str, dict[str, str]]:
    """Return the packages that vendor.json names: name, version and license, by name."""
    files = json.loads((VENDOR / "vendor.json").read_text())
    return {package["name"]: package for file in files.values() for package in file["packages"]}


def component(package: dict[str, str]) -> dict[str, Any]:
    """Return the CycloneDX component of an npm package."""
    purl = f"pkg:npm/{package['name'].replace('@', '%40')}@{package['version']}"
    return {
        "bom-ref": purl,
        "description": "vendored into the console",
        "licenses": [{"license": {"id": package["license"]}}],
        "name": package["name"],
        "purl": purl,
        "type": "library",
        "version": package["version"],
    }


def main(file: Path) -> None:
    """Add them to a file."""
    bill = json.loads(file.read_text())
    vendored = [component(package) for _, package in sorted(packages().items())]
    bill["components"] += vendored
    bill["dependencies"] += [{"ref": each["bom-ref"]} for each in vendored]
    file.write_text(json.dumps(bill, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
