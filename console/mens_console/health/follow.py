"""Attempt logs followed as they grow: what is new is counted, whole batches are judged for good, a report is made.

A log's history is counted in worker processes where it is long, and remembered in the user's cache. One thread.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mens_console.health.gzipped import GzipLog
from mens_console.health.source import LiveLog
from mens_console.health.tally import Options, Tally
from mens_console.ingest.safeopen import FdCache
from mens_console.signals.generation import BATCH_SIZE, USD_PER_1000_TOKENS, HealthReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.health.fold import By

Log: TypeAlias = LiveLog | GzipLog


class Follower:
    """Follows some logs, which are read one after the other in the order given, and as rows arrive from then on.

    `poll` reads about a megabyte at most. Where a log turns out to be another than it was (truncated, rewritten),
    everything is read anew. Raises `ValueError` for a batch size below 1, nothing for what files do: see the sources'
    `problem` in the report.
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        *,
        batch_size: int = BATCH_SIZE,
        usd_per_1000: float = USD_PER_1000_TOKENS,
        cache: Path | None = None,
        workers: int = 0,
        by: By = "batch",
    ) -> None:
        self.options = Options(batch_size, usd_per_1000, by)
        self._paths = tuple(map(str, paths))
        self._cache, self._workers = cache, workers
        self._fds = FdCache(16)
        self._rev = 0
        self._now = math.nan
        self._report: HealthReport | None = None
        self._begin()

    def _begin(self) -> None:
        self._tally = Tally(self.options)
        self._logs: list[Log] = [
            GzipLog(path) if path.endswith(".gz") else LiveLog(path, self._fds) for path in self._paths
        ]

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        return any(log.more for log in self._logs)

    def poll(self, now: float, *, final: bool = False) -> bool:
        """Read what is new, about 1 MB at most; `now` in seconds since the epoch. True if something changed.

        With `final` nobody writes any more: a last line without a newline counts, too.
        """
        self._now = now
        before = [(log.source.problem, log.source.size) for log in self._logs]
        for log in self._logs:
            block = log.next(now) if isinstance(log, GzipLog) else log.next(now, final=final)
            if isinstance(log, LiveLog) and log.restarted and self._tally.attempts:
                self.close()
                self._begin()
                return self._changed()
            if block is not None:
                self._tally.read(block, log.path)
                return self._changed()
            if log.more:
                break
        return self._changed() if before != [(log.source.problem, log.source.size) for log in self._logs] else False

    def _changed(self) -> bool:
        self._rev += 1
        self._report = None
        return True

    @property
    def report(self) -> HealthReport:
        """What is known now; the same object while nothing changed."""
        if self._report is None:
            bad = (row for log in self._logs for row in log.seen.bad)
            self._report = self._tally.report(self._rev, tuple(log.source for log in self._logs), tuple(bad), self._now)
        return self._report

    def close(self) -> None:
        """Give everything back."""
        for log in self._logs:
            log.close()
