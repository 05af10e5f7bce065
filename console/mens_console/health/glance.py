"""The first and last rows of attempt logs, counted: which fields they carry, in a moment, of logs of any size.

What stands between them is not read, so nothing here is a figure of the logs.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Final

from mens_console.health.gzipped import GzipLog
from mens_console.health.rows import RowReader
from mens_console.health.source import Seen
from mens_console.health.tally import Options, Tally
from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.signals.generation import LogSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mens_console.health.rows import Block
    from mens_console.signals.generation import HealthReport

EACH: Final = 1 << 17
"""Bytes at either end of a log."""
MOST: Final = 8
"""Logs that are looked at, the newest ones."""


def glance(paths: Sequence[Path]) -> HealthReport:
    """Return the report of the ends of some logs in the order given; `done` of its sources is what was looked at.

    Never raises for what files do: see the sources' `problem`.
    """
    tally = Tally(Options())
    sources = tuple(_look(str(path), tally) for path in paths[-MOST:])
    return tally.report(0, sources)


def _look(path: str, tally: Tally) -> LogSource:
    seen = Seen()
    if path.endswith(".gz"):
        log = GzipLog(path)
        block = log.next(math.nan)
        log.close()
        if block is not None:
            tally.read(block, path)
        return log.source
    size = 0
    problem = None
    try:
        fd, status = open_regular(path, follow=True)
        size = status.st_size
        try:
            for block in _ends(fd, size):
                seen.add(block, path, status.st_mtime)
                tally.read(block, path)
        finally:
            os.close(fd)
    except OSError as error:
        problem = explain(error)
    done = 0 if problem else min(2 * EACH, size)
    return LogSource(path, size, done, seen.rows, seen.bad_rows, dict(seen.unknown), problem, seen.updated)


def _ends(fd: int, size: int) -> Iterator[Block]:
    """Yield the whole lines at the begin of a log, then those at its end where that is another place."""
    reader = RowReader()
    head = read_at(fd, 0, EACH)
    if whole := head[: head.rfind(b"\n") + 1]:
        yield reader.decode(whole, 0)
    start = max(size - EACH, len(whole))
    tail = read_at(fd, start, EACH)
    begin = 0 if start == len(whole) else tail.find(b"\n") + 1
    if rest := tail[begin : tail.rfind(b"\n") + 1]:
        yield reader.decode(rest, start + begin)
