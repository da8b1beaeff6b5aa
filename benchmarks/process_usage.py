"""Processor time and memory of a server's processes, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants have used so far, in user and system mode."""
    return sum(int(fields[11]) + int(fields[12]) for fields in _stat(pid)) / _TICKS_PER_SECOND


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process and its descendants. Pages that they share count for each."""
    return sum(int(fields[21]) for fields in _stat(pid)) * _PAGE_BYTES / 2**20


def _stat(pid: int) -> Iterator[list[str]]:
    """Return the fields of /proc/PID/stat after the program's name, for a process and its descendants."""
    processes: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            # The name is in parentheses and may contain anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        processes[int(folder.name)] = fields
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    waiting = [pid]
    while waiting:
        if (number := waiting.pop()) in processes:
            yield processes[number]
            waiting += children.get(number, ())
