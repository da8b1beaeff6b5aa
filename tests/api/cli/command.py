"""Runs `itemledger` with only the settings that a test gives: in this process, or as a process of its own."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from unittest import mock

from click.testing import CliRunner

from api.cli import main, runner
from tests.support.service import ITEMLEDGER, outer_environment

Done = subprocess.CompletedProcess[str]

#: What a command changes for the whole process that runs it, and the tests that come after must not feel.
_LASTING = ("os.nice", "sys.setswitchinterval", "gc.freeze", "gc.set_threshold")


def clean_environment(**settings: object) -> dict[str, str]:
    """Return the environment of this process with no settings but these."""
    outer = {name: text for name, text in outer_environment().items() if not name.startswith("DATABASE_URL")}
    return {**outer, **{name: str(value) for name, value in settings.items()}}


def itemledger(url: str, *arguments: object, **settings: object) -> Done:
    """Run a command on the database at `url`, in a thread of this process. An unexpected exception fails the test.

    A thread, so that a test with an event loop can call it. Signals can't be handled there.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_invoke, [*map(str, arguments)], {"DATABASE_URL": url, **settings}).result()


def without_database(*arguments: object, **settings: object) -> Done:
    """Run a command in a thread of this process with only `settings`."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_invoke, [*map(str, arguments)], settings).result()


def _invoke(arguments: list[str], settings: dict[str, object]) -> Done:
    clean = clean_environment(**settings)
    removed = dict.fromkeys(os.environ.keys() - clean.keys())
    patches = [mock.patch(name) for name in _LASTING]
    patches.append(mock.patch.object(runner, "_cancelled_by_signals", return_value=nullcontext()))
    for patch in patches:
        patch.start()
    try:
        result = CliRunner().invoke(
            main, arguments, prog_name="itemledger", env={**clean, **removed}, catch_exceptions=False
        )
    finally:
        for patch in patches:
            patch.stop()
    assert "Traceback" not in result.stderr, result.stderr
    return Done(arguments, result.exit_code, result.stdout, result.stderr)


def process(url: str, *arguments: object, **settings: object) -> Done:
    """Run a command on the database at `url` as a process of its own."""
    return subprocess.run(
        [ITEMLEDGER, *map(str, arguments)],
        env=clean_environment(DATABASE_URL=url, **settings),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=60,
    )


def assert_refused(done: Done, *words: str) -> None:
    """Fail unless the command failed with nothing on standard output and one line of error that has all these words."""
    assert done.returncode != 0, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    for word in words:
        assert word in line
