"""An audit that could not look anything up never says that all is well."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.supply_chain import audit as auditing
from tests.supply_chain.audit import CANARY, LOCKS, NPM_CANARY, NPM_LOCK, ROOT, LookUpError, ask, ask_npm, audit

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
    _make_npm(tmp_path, {"vulnerabilities": {}})
    done = subprocess.run(
        [sys.executable, "-m", auditing.__name__, *arguments],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["NOT AUDITED"] * 2


def _make_npm(folder: Path, report: dict[str, Any]) -> None:
    """Write an npm that answers with a report."""
    (folder / "report.json").write_text(json.dumps(report) + "\n")
    (folder / "npm").write_text(f'#!/bin/sh\nwhile read -r line; do echo "$line"; done < {folder}/report.json\n')
    (folder / "npm").chmod(0o755)


#: As `npm audit --json` answers: a package with an advisory, and one that is affected by it.
REPORT = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "lit-html": {
            "via": [{"source": 1, "title": "XSS", "url": "https://github.com/advisories/GHSA-a", "range": "<9"}]
        },
        "lit": {"via": ["lit-html"]},
    },
}


def test_what_npm_knows_of_a_vendored_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_npm(tmp_path, REPORT)
    monkeypatch.setenv("PATH", str(tmp_path))
    packages = ask_npm(ROOT / NPM_LOCK)
    assert {package["name"] for package in packages} >= {"lit", "lit-html", "uplot", "@noble/hashes"}
    assert "eslint" not in {package["name"] for package in packages}
    assert [package["name"] for package in packages if package["vulns"]] == ["lit-html"]
    known = audit([ROOT / NPM_LOCK], lambda lock: TRUTHFUL if lock.read_text() == NPM_CANARY else packages, NPM_CANARY)
    [version] = [package["version"] for package in packages if package["name"] == "lit-html"]
    assert known == [f"lit-html {version}: GHSA-a, mended in no release"]


@pytest.mark.parametrize("report", [{"message": "405 Method Not Allowed", "statusCode": 405}, {}])
def test_an_npm_that_fails_has_looked_nothing_up(
    report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make_npm(tmp_path, report)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookUpError, match=report.get("message", "npm did not answer")):
        ask_npm(ROOT / NPM_LOCK)


def test_without_npm_its_packages_are_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookUpError, match="install Node"):
        ask_npm(ROOT / NPM_LOCK)


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
