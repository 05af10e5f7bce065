"""What a process and its children cost: processor time, wakes and resident memory, read from Linux's /proc.

It watches; it starts and stops nothing.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class Usage(NamedTuple):
    """Totals of a process and its descendants: seconds on a processor, voluntary switches, resident bytes now."""

    cpu_s: float
    wakes: int
    rss: int

    def since(self, before: Usage) -> Usage:
        """Return what was used between two looks (and what is resident now)."""
        return Usage(self.cpu_s - before.cpu_s, self.wakes - before.wakes, self.rss)


def usage(pid: int) -> Usage:
    """Return the totals so far. Threads and children that ended in between are lost; `ProcessLookupError` if all did.

    Processor time comes from `schedstat` in nanoseconds: the ticks of `stat` are 10 ms, a tenth of a per cent of a
    whole ten seconds.
    """
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        raise ProcessLookupError(f"process {pid} is gone") from None
    cpu_ns = wakes = rss = 0
    for process in family:
        for task in Path(f"/proc/{process.pid}/task").glob("*"):
            with suppress(OSError):
                cpu_ns += int((task / "schedstat").read_text().split()[0])
                wakes += _voluntary(task)
        with suppress(psutil.NoSuchProcess):
            rss += process.memory_info().rss
    return Usage(cpu_ns / 1e9, wakes, rss)


def _voluntary(task: Path) -> int:
    for line in (task / "status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return 0
