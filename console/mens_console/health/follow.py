"""Attempt logs followed as they grow: what is new is counted, whole batches are judged for good, a report is made.

A log's history is counted in worker processes where it is long, and remembered in the user's cache. One thread.
"""

from __future__ import annotations

import gc
import math
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from mens_console.health.backlog import WORTHWHILE, Backlog
from mens_console.health.checkpoint import load, place_of, save
from mens_console.health.gzipped import GzipLog
from mens_console.health.memory import keep_blocks
from mens_console.health.source import LiveLog, Place
from mens_console.health.tally import Options, Tally
from mens_console.ingest.safeopen import FdCache
from mens_console.signals.generation import BATCH_SIZE, USD_PER_1000_TOKENS, HealthReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mens_console.health.checkpoint import SavedRun
    from mens_console.health.fold import By
    from mens_console.health.rows import Block
    from mens_console.signals.generation import BatchFigures

_WORTH_KEEPING: Final = 4 << 20
"""New bytes that make a checkpoint worth writing."""
_SAVED_EVERY: Final = 1 << 30
"""Bytes after which workers' answers are kept, though there are more to come."""
_JUDGED_AT_ONCE: Final = 32
_BLOCKS_A_POLL: Final = 4
_PATIENCE: Final = 3
"""Failures of workers after which this process reads by itself."""
Log: TypeAlias = LiveLog | GzipLog


class Follower:
    """Follows some logs, which are read one after the other in the order given, and as rows arrive from then on.

    `poll` reads about a megabyte at most; `wake` is called on another thread when workers have something for it.
    Where a log turns out to be another than it was (truncated, rewritten), everything is read anew. Raises
    `ValueError` for a batch size below 1, nothing for what files do: see the sources' `problem` in the report.
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
        wake: Callable[[], None] | None = None,
    ) -> None:
        self.options = Options(batch_size, usd_per_1000, by)
        self._paths = tuple(map(str, paths))
        # What workers hand over of personas is as much as what they read: counting it here costs less.
        self._cache, self._workers, self._wake = cache, 0 if by == "persona" else workers, wake
        if not all(map(_is_text, self._paths)):  # names that are no text can neither be told to workers nor kept
            self._cache, self._workers = None, 0
        self._fds = FdCache(16)
        self._rev = 0
        self._now = math.nan
        self._report: HealthReport | None = None
        self._backlog: tuple[LiveLog, Backlog, Place] | None = None
        self._failures = 0
        self._saved_at = 0
        keep_blocks()
        self._begin()
        self._recall()

    def _begin(self) -> None:
        self._recalled: tuple[deque[BatchFigures], list[SavedRun]] | None = None
        self._tally = Tally(self.options)
        self._logs: list[Log] = [
            GzipLog(path) if path.endswith(".gz") else LiveLog(path, self._fds) for path in self._paths
        ]

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        busy = self._backlog is not None or self._recalled is not None
        return busy or any(log.more for log in self._logs)

    @property
    def waiting(self) -> bool:
        """Whether workers are counting and have nothing to hand over yet."""
        return self._backlog is not None and not self._backlog[1].ready.is_set()

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes read, and bytes of all logs as far as they were looked at."""
        sources = [log.source for log in self._logs]
        return sum(source.done for source in sources), sum(source.size for source in sources)

    def poll(self, now: float, *, final: bool = False) -> bool:
        """Read what is new, about 1 MB at most; `now` in seconds since the epoch. True if something changed.

        With `final` nobody writes any more: a last line without a newline counts, too.
        """
        self._now = now
        if self._recalled is not None:
            return self._poll_recalled(*self._recalled)
        if self._backlog is not None:
            return self._poll_backlog(*self._backlog)
        before = self._looks()
        read = 0
        with _no_collection():
            while read < _BLOCKS_A_POLL and self._backlog is None and self._read_on(now, final=final):
                read += 1
        return (read > 0 or before != self._looks()) and self._changed()

    def _read_on(self, now: float, *, final: bool) -> bool:
        """Read the next block there is; False where there is none now."""
        for log in self._logs:
            block = self._next(log, now, final=final)
            if isinstance(log, LiveLog) and log.restarted and self._tally.attempts:
                self._begin_again()
                return True
            if block is not None:
                self._tally.read(block, log.path)
                self._offer_backlog(log)
                return True
            if log.more:
                break
        return False

    def _next(self, log: Log, now: float, *, final: bool) -> Block | None:
        block = log.next(now)
        if block is None and final and isinstance(log, LiveLog) and not log.more:
            if log is self._logs[-1]:
                self._save()  # a line that has no end yet is in no checkpoint
            block = log.next(now, final=True)
        return block

    def wait(self, seconds: float) -> None:
        """Wait until workers have something to hand over, at most so long; returns at once where there are none."""
        if self._backlog is not None:
            self._backlog[1].ready.wait(seconds)

    def _looks(self) -> list[tuple[str | None, int]]:
        return [(source.problem, source.size) for source in (log.source for log in self._logs)]

    # ------------------------------------------------------------------ the checkpoint

    def _recall(self) -> None:
        """Go on from the checkpoint, if there is one of these logs."""
        file = self._checkpoint()
        saved = None if file is None else load(file, self.options, self._logs)
        if saved is None:
            return
        self._tally.attempts = saved.attempts
        for run in saved.runs:
            self._tally.run(run.name)  # in the order in which they appeared, whether they have whole batches or not
        self._saved_at = self.progress[0]
        self._recalled = deque(batch for run in saved.runs for batch in run.batches), saved.runs

    def _poll_recalled(self, batches: deque[BatchFigures], runs: list[SavedRun]) -> bool:
        """Judge some of the batches of the checkpoint anew, for judgements are not kept."""
        for _ in range(min(len(batches), _JUDGED_AT_ONCE)):
            self._tally.remember(batches.popleft())
        if not batches:
            for run in runs:
                self._tally.resume(run.name, run.attempts, run.last_ts, run.open)
            self._recalled = None
        return self._changed()

    def _checkpoint(self) -> Path | None:
        if self._cache is None or self.options.by != "batch" or not self._paths:
            return None
        return place_of(self._cache, self._paths[0], self.options)

    def _save(self) -> None:
        """Keep what was counted, where that is worth it and all of it stands in whole lines of the logs."""
        done = self.progress[0]
        file = self._checkpoint() if done - self._saved_at >= _WORTH_KEEPING and self._recalled is None else None
        if file is not None and save(file, self.options, self._tally, self._logs):
            self._saved_at = done

    # ------------------------------------------------------------------ workers

    def _offer_backlog(self, log: Log) -> None:
        """Let workers count what waits of a log, where that is much."""
        if isinstance(log, GzipLog) or not self._workers or self._failures >= _PATIENCE or self._tally.crowded:
            return
        place = log.place()
        fd = self._fds.get(log.tail)
        if place is None or fd is None or log.tail.size - place.done < WORTHWHILE:
            return
        phases = self._tally.phases if self.options.by == "batch" else {}
        backlog = Backlog(
            log.path, fd, place.done, log.tail.size, self.options, phases, workers=self._workers, wake=self._wake
        )
        self._backlog = (log, backlog, place)

    def _poll_backlog(self, log: LiveLog, backlog: Backlog, place: Place) -> bool:
        done = backlog.poll()
        if done is not None and not self._tally.has_room(piece.name for piece in done.pieces):
            # Which rows belong to the runs beyond the bound is known only where rows are read one after the other.
            backlog.close()
            self._backlog, self._failures = None, _PATIENCE
            return self._changed()
        if done is not None:
            self._tally.take_pieces(done.pieces)
            log.seen.take(done.read, log.path, int(place.decoder["lines"]), self._now)
            log.go_on(place.after(backlog.fd, done.end, done.read.lines))
            log.tail.size = max(backlog.end, log.tail.size)
            log.note = backlog.problem
            place = log.place() or place
            self._backlog = (log, backlog, place)
            if self.progress[0] - self._saved_at >= _SAVED_EVERY:
                self._save()
            return self._changed()
        if not backlog.finished:
            return False
        if backlog.problem:
            self._failures += 1
            log.note = backlog.problem
        backlog.close()
        self._backlog = None
        self._save()
        return self._changed()

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
        """End the workers and give everything back."""
        if self._backlog is not None:
            self._backlog[1].close()
            self._backlog = None
        self._save()
        for log in self._logs:
            log.close()

    def _begin_again(self) -> None:
        if self._backlog is not None:
            self._backlog[1].close()
            self._backlog = None
        for log in self._logs:
            log.close()
        self._saved_at = 0
        self._begin()


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no garbage in cycles meanwhile: rows make none, and looking costs a tenth of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
