"""The libraries that the console brings are the ones that vendor.json names, of the versions that are locked."""

import hashlib
import re
from typing import Any

import msgspec
import pytest

from tests.supply_chain.audit import ROOT
from tests.supply_chain.vendored import VENDOR

FILES: dict[str, dict[str, Any]] = msgspec.json.decode((VENDOR / "vendor.json").read_bytes())
LOCKED = msgspec.json.decode((ROOT / ".ci" / "package-lock.json").read_bytes())["packages"]


@pytest.mark.parametrize("name", FILES)
def test_a_vendored_file_has_the_bytes_that_were_bundled(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == FILES[name]["sha256"]


def test_nothing_else_is_in_the_folder() -> None:
    declarations = {name.removesuffix(".js") + ".d.ts" for name in FILES if name.endswith(".js")}
    assert {path.name for path in VENDOR.iterdir()} == {"vendor.json", *FILES, *declarations}


@pytest.mark.parametrize("name", FILES)
def test_its_packages_are_locked_at_their_versions_and_free_to_ship(name: str) -> None:
    for package in FILES[name]["packages"]:
        locked = LOCKED[f"node_modules/{package['name']}"]
        assert (locked["version"], locked["license"]) == (package["version"], package["license"])
        assert not locked.get("dev"), f"{package['name']} is vendored: it belongs to the dependencies of package.json"
        assert package["license"] in ("BSD-3-Clause", "MIT")
        assert f"{package['name']} {package['version']}\n==" in (VENDOR / "LICENSES.txt").read_text()


def test_every_package_that_is_locked_to_be_vendored_is() -> None:
    vendored = {package["name"] for file in FILES.values() for package in file["packages"]}
    wanted = set(LOCKED[""]["dependencies"])
    assert wanted <= vendored
    assert len(FILES) > len(wanted)


def test_the_lock_names_every_package_by_its_hash_and_no_registry() -> None:
    packages = {name: entry for name, entry in LOCKED.items() if name}
    assert len(packages) > 50
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
    manifest = msgspec.json.decode((ROOT / ".ci" / "package.json").read_bytes())
    for version in {**manifest["dependencies"], **manifest["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), version
