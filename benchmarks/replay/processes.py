"""Runs a command and measures its duration and memory."""

import os
import subprocess
import time

import msgspec

from benchmarks.load import ROOT, BenchmarkError


class Finished(msgspec.Struct, frozen=True):
    """Result of a command."""

    #: Its standard output.
    output: bytes
    #: Peak resident memory in MiB. Includes memory shared with the parent at the start, which cannot be separated.
    peak_mib: float
    #: From its start to its end.
    seconds: float


def run_to_end(command: tuple[str, ...], database_url: str = "", succeeded: tuple[int, ...] = (0,)) -> Finished:
    """Run a command with DATABASE_URL set; Raises BenchmarkError where its exit code is not in `succeeded`."""
    environment = {**os.environ, "DATABASE_URL": database_url}
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            output = process.stdout.read()
        except BaseException:
            process.kill()
            raise
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in succeeded:
        raise BenchmarkError(f"{' '.join(command)} failed ({process.returncode})")
    return Finished(output, usage.ru_maxrss / 1024, time.perf_counter() - began)
