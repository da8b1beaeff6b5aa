"""What is known against the packages that are locked: `make audit`, or `python -m tests.supply_chain.audit`.

pip-audit asks the advisory service. Where that doesn't know a package, or stands behind a mirror without advisories,
pip-audit says "No known vulnerabilities" all the same. So it is first asked of a release that is known to be
vulnerable: unless that is found nothing is clean, and the run says that nothing was audited. Exit code 0: nothing is
known against any package; 1: something is; 3: it could not be looked up.
"""

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
UNKNOWN = 3

#: Gives what pip-audit says of a requirements file, as its JSON has it.
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


def audit(locks: Sequence[Path], asking: Asking = ask) -> list[str]:
    """Return a line for each thing that is known against a package of `locks`.

    Raises LookUpError where nothing is, and not all was looked up.
    """
    with tempfile.TemporaryDirectory() as directory:
        canary = Path(directory) / "requirements.txt"
        canary.write_text(CANARY)
        if not any(package.get("vulns") for package in asking(canary)):
            raise LookUpError("the advisory service knows nothing against jinja2 2.10, so its silence says nothing")
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
    try:
        known = audit([ROOT / lock for lock in LOCKS])
    except LookUpError as error:
        click.secho(f"NOT AUDITED: {error}", err=True, bold=True)
        sys.exit(0 if unreachable_ok else UNKNOWN)
    click.echo("\n".join(known) or f"Nothing is known against any package of {', '.join(LOCKS)}")
    sys.exit(1 if known else 0)


if __name__ == "__main__":
    main()
