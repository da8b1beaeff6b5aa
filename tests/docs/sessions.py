"""Find the shell sessions in Markdown pages, run them, and rewrite what they print.

After a change that clients can see, run `python -m tests.docs.sessions README.md docs/api.md` and read the diff.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from tests.support.service import ITEMLEDGER, serving

#: Where the pages say that the service is.
ADDRESS = "localhost:8000"

_MEMBERS = (
    "request_id|day|schema_revision|recorded_at|command_id|correlation_id|fingerprint|leaf_hash|credential|expires_at"
)
_LABELS = "recorded_at|command_id|correlation_id|root"
_VOLATILE = re.compile(
    rf'(?m)^(date: |x-request-id: |— \S+ |  (?:{_LABELS}) +).*|("(?:{_MEMBERS})":")[^"]*'
    r"|(?<= in )[0-9.]+(?= s$)|^[A-Za-z0-9+/]{43}=$"  # how long it took; a root on a line of its own
)


class Step(Struct, frozen=True):
    """A command of a session and its output: the lines of the page, from 0, from `begin` to before `end`."""

    command: str
    output: str
    begin: int
    end: int


def steps(page: str) -> Iterator[Step]:
    """Return the steps of a page in their order: `$ ` in an indented block, and the output below it."""
    lines = page.splitlines()
    number = 0
    while number < len(lines):
        if not lines[number].startswith("    $ "):
            number += 1
            continue
        begin = number
        command = lines[number][6:]
        while command.endswith("\\"):
            number += 1
            command += "\n" + lines[number].strip()
        printed = end = number + 1
        while end < len(lines) and (not lines[end] or lines[end].startswith("    ")) and lines[end][:6] != "    $ ":
            end += 1
        while end > printed and not lines[end - 1].strip():
            end -= 1
        yield Step(command, "\n".join(line[4:] for line in lines[printed:end]), begin, end)
        number = end


def run(step: Step, port: int, environment: Mapping[str, str]) -> str:
    """Run a step against the service on `port`, in the directory HOME, and return its output."""
    done = subprocess.run(
        ["/bin/sh", "-c", step.command.replace(ADDRESS, f"127.0.0.1:{port}")],
        env=environment,
        cwd=environment["HOME"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.replace("\r", "").rstrip()


def masked(output: str) -> str:
    """Return `output` without what differs from run to run."""
    return _VOLATILE.sub(lambda match: f"{match[1] or match[2] or ''}...", output)


def rewrite(page: str, port: int, environment: Mapping[str, str]) -> str:
    """Return `page` with the current output of its commands, except where only times and request ids differ."""
    lines = page.splitlines()
    ran = [(step, run(step, port, environment)) for step in steps(page)]
    for step, output in reversed(ran):
        if masked(output) != masked(step.output):
            written = [f"    {line}".rstrip() for line in output.splitlines()]
            lines[step.begin + 1 + step.command.count("\n") : step.end] = written
    return "\n".join(lines) + "\n"


def at_home(home: str | Path, database_url: str, path: str) -> dict[str, str]:
    """Return the environment of a session: a directory for its files, the service's database, and our commands."""
    return {"HOME": str(home), "DATABASE_URL": database_url, "PATH": f"{ITEMLEDGER.parent}{os.pathsep}{path}"}


def prepare(home: str | Path, page: str) -> dict[str, str]:
    """Create the files that a page's session needs, and return the service's environment.

    They are the first Python program of the page, as check.py, and log.key and log.pub if the page names log.key.
    """
    if program := re.search(r"```python\n(.*?)```", page, re.DOTALL):
        Path(home, "check.py").write_text(program[1])
    if "log.key" not in page:
        return {}
    [keygen] = re.findall(r"(?m)^itemledger log keygen .*$", page)
    subprocess.run(["/bin/sh", "-c", keygen], env={"PATH": str(ITEMLEDGER.parent)}, cwd=home, check=True)
    return {"ITEMLEDGER_LOG_KEY_FILE": str(Path(home, "log.key"))}


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as home:
            url = f"sqlite+aiosqlite:///{home}/itemledger.db"
            with serving(url, environment=prepare(home, path.read_text())) as server:
                path.write_text(rewrite(path.read_text(), server.port, at_home(home, url, "/usr/bin:/bin")))
