"""Runs a command to its end and tells how long and how much memory it took."""

import os
import subprocess
import time

import msgspec

from benchmarks.load import ROOT, BenchmarkError


class Finished(msgspec.Struct, frozen=True):
    """What a command left."""

    #: What it wrote to stdout.
    output: bytes
    #: The most MiB that were ever resident of it. It begins with what its parent has, which can't be told apart.
    peak_mib: float
    #: From its start to its end.
    seconds: float


def run_to_end(command: tuple[str, ...], database_url: str = "", succeeded: tuple[int, ...] = (0,)) -> Finished:
    """Run a command with DATABASE_URL set; BenchmarkError where its exit code is none of `succeeded`."""
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
