"""What is known against the packages that are locked: `make audit`, or `python -m tests.supply_chain.audit`.

pip-audit asks the advisory service, npm that of the packages which are vendored into the console. Where a service
doesn't know a package, or stands behind a mirror without advisories, both say that all is well. So each is first asked
of a release that is known to be vulnerable: unless that is found nothing is clean, and the run says that nothing was
audited. Exit code 0: nothing is known against any package; 1: something is; 3: it could not be looked up.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt", "benchmarks/peers/requirements.txt")
#: A release with a sandbox escape, CVE-2019-10906.
CANARY = "jinja2==2.10 --hash=sha256:74c935a1b8bb9a3947c50a54766a969d4846290e1e788ea44c1392163723c3bd\n"
#: Of npm: what is vendored. The tools beside it never run on a user's machine.
NPM_LOCK = ".ci/package-lock.json"
#: A release with a prototype pollution, CVE-2021-44906.
NPM_CANARY = """{"name": "canary", "lockfileVersion": 3, "requires": true, "packages": {
"": {"dependencies": {"minimist": "0.0.8"}}, "node_modules/minimist": {"version": "0.0.8"}}}"""
UNKNOWN = 3

#: Gives what is known of the packages of a lock file, as pip-audit's JSON has it.
Asking = Callable[[Path], list[dict[str, Any]]]


class LookUpError(Exception):
    """What is known could not be looked up."""


def ask(requirements: Path) -> list[dict[str, Any]]:
    """Have pip-audit look up every package of a file with hashes. Raises LookUpError."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"),
            *("--format", "json", "--requirement", str(requirements)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        dependencies: list[dict[str, Any]] = msgspec.json.decode(done.stdout)["dependencies"]
    except (msgspec.DecodeError, KeyError):
        raise LookUpError((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]) from None
    return dependencies


def ask_npm(lock: Path) -> list[dict[str, Any]]:
    """Have npm look up every package of a lock file except tools for development. Raises LookUpError."""
    if (npm := shutil.which("npm")) is None:
        raise LookUpError("the libraries of the console cannot be looked up without npm: install Node.js")
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(lock, Path(directory) / "package-lock.json")
        done = subprocess.run(
            [npm, "audit", "--package-lock-only", "--omit=dev", "--json"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        report = msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        raise LookUpError((done.stderr.strip().splitlines() or ["npm said nothing"])[-1]) from None
    if "vulnerabilities" not in report:
        raise LookUpError(report.get("message", "npm did not answer with vulnerabilities"))
    known = report["vulnerabilities"]
    locked = msgspec.json.decode(lock.read_bytes())["packages"]
    return [
        {"name": name, "version": package["version"], "vulns": _of_npm(known.get(name, {}))}
        for path, package in locked.items()
        if path and not package.get("dev")
        for name in [path.rpartition("node_modules/")[2]]
    ]


def _of_npm(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return advisories in the form of pip-audit; a string in `via` names a dependency that has its own entry."""
    advisories = [via for via in entry.get("via", ()) if not isinstance(via, str)]
    return [{"id": via["url"].rpartition("/")[2], "fix_versions": []} for via in advisories]


def audit(locks: Sequence[Path], asking: Asking = ask, vulnerable: str = CANARY) -> list[str]:
    """Return a line for each thing that is known against a package of `locks`, asked as of `vulnerable`.

    Raises LookUpError where nothing is, and not all was looked up.
    """
    with tempfile.TemporaryDirectory() as directory:
        canary = Path(directory) / "requirements.txt"
        canary.write_text(vulnerable)
        if not any(package.get("vulns") for package in asking(canary)):
            raise LookUpError("the advisory service knows nothing against a bad release, so its silence says nothing")
    known: dict[str, None] = {}
    skipped: list[str] = []
    for lock in locks:
        packages = asking(lock)
        if not packages:
            skipped.append(f"no package of {lock.name} was looked up")
        for package in packages:
            if "skip_reason" in package:
                skipped.append(package["skip_reason"])
            for found in package.get("vulns", ()):
                mended = ", ".join(found["fix_versions"]) or "no release"
                known[f"{package['name']} {package['version']}: {found['id']}, mended in {mended}"] = None
    if skipped and not known:  # what is known counts, however little was looked up
        raise LookUpError(skipped[0])
    return list(known)


@click.command()
@click.option("--unreachable-ok", is_flag=True, help="End with 0, and a warning, where nothing can be looked up.")
def main(unreachable_ok: bool) -> None:
    """Print the known vulnerabilities of the locked packages."""
    known: list[str] = []
    complete = True
    for names, asking, vulnerable in ((LOCKS, ask, CANARY), ((NPM_LOCK,), ask_npm, NPM_CANARY)):
        try:
            found = audit([ROOT / name for name in names], asking, vulnerable)
        except LookUpError as error:
            click.secho(f"NOT AUDITED: {', '.join(names)}: {error}", err=True, bold=True)
            complete = False
        else:
            known += found
            click.echo("\n".join(found) or f"Nothing is known against any package of {', '.join(names)}")
    sys.exit(1 if known else 0 if complete or unreachable_ok else UNKNOWN)


if __name__ == "__main__":
    main()
