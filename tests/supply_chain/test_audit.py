"""An audit that could not look anything up never says that all is well."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.supply_chain import audit as auditing
from tests.supply_chain.audit import CANARY, LOCKS, ROOT, LookUpError, ask, audit

FOUND = {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": [], "description": ""}
LOCK = ROOT / "requirements.txt"


class Service:
    """Stands in for the advisory service: answers as the test sets it."""

    def __init__(self, canary: list[Any], packages: list[Any]) -> None:
        self.canary, self.packages = canary, packages

    def __call__(self, requirements: Path) -> list[dict[str, Any]]:
        return self.canary if requirements.read_text() == CANARY else self.packages


def package(name: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


TRUTHFUL = [package("jinja2", FOUND)]
SKIPPED = {"name": "a", "skip_reason": "Dependency not found on PyPI and could not be audited: a (1.0)"}


def test_what_is_known_is_told_once() -> None:
    assert audit([LOCK], Service(TRUTHFUL, [package("a"), package("b")])) == []
    known = audit([LOCK, LOCK], Service(TRUTHFUL, [package("a"), package("b", FOUND)]))
    assert known == ["b 1.0: PYSEC-2019-217, mended in 2.10.1"]


@pytest.mark.parametrize("canary", [[], [package("jinja2")], [SKIPPED]])
def test_a_service_that_knows_nothing_of_what_is_known_is_not_believed(canary: list[Any]) -> None:
    with pytest.raises(LookUpError, match="its silence says nothing"):
        audit([LOCK], Service(canary, [package("a")]))


@pytest.mark.parametrize(("packages", "why"), [([package("a"), SKIPPED], "not found"), ([], "no package")])
def test_a_package_that_was_not_looked_up_is_not_clean(packages: list[Any], why: str) -> None:
    with pytest.raises(LookUpError, match=why):
        audit([LOCK], Service(TRUTHFUL, packages))


@pytest.mark.parametrize("packages", [[package("b", FOUND), SKIPPED], [SKIPPED, package("b", FOUND)]])
def test_what_is_known_counts_where_another_package_was_not_looked_up(packages: list[Any]) -> None:
    assert audit([LOCK], Service(TRUTHFUL, packages)) == ["b 1.0: PYSEC-2019-217, mended in 2.10.1"]


def test_a_tool_that_fails_has_looked_nothing_up(tmp_path: Path) -> None:
    with pytest.raises(LookUpError):
        ask(tmp_path / "missing.txt")


@pytest.mark.parametrize(("arguments", "code"), [([], 3), (["--unreachable-ok"], 0)])
def test_the_command_says_so(arguments: list[str], code: int, tmp_path: Path) -> None:
    # A pip-audit that finds nothing wrong with anything, as behind a mirror.
    said = json.dumps({"dependencies": [package("a")]})
    (tmp_path / "pip_audit.py").write_text(f"print({said!r})")
    done = subprocess.run(
        [sys.executable, "-m", auditing.__name__, *arguments],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("NOT AUDITED: ")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_by_its_hash_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    requirements = re.findall(r"(?m)^[A-Za-z0-9](?:.*\\\n)*.*", text)
    assert len(requirements) > 20 or lock.startswith("benchmarks")
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==[^ ]+ ", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement
    assert "://" not in text
    assert not re.search(r"(?m)^\s*--(?!hash)", text)


def test_what_is_installed_is_what_is_locked() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installing = re.findall(r"(?m)^PIP_\w+ := .*", makefile)
    assert len(installing) == 2
    for line in installing:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation -e ." in line
