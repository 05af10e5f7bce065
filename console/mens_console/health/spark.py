"""Attempt logs that outgrow one machine, counted on Spark by the same fold, in two passes over ranges of their bytes.

Workers need Python with numpy, msgspec and orjson, and see the logs under the same paths; our modules are sent to them.
"""

from __future__ import annotations

import math
import time
import zlib
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.health.cluster import SparkError, Told, explained, require, started
from mens_console.health.rows import SAMPLES
from mens_console.health.spans import (
    CHANGED,
    Span,
    Survey,
    Whole,
    Work,
    count_batches,
    count_groups,
    cut,
    merge_batches,
    merge_groups,
    survey,
)
from mens_console.health.tally import Options, Tally
from mens_console.ingest.safeopen import explain
from mens_console.signals.generation import LogSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mens_console.health.cluster import Progress
    from mens_console.health.fold import Counted
    from mens_console.health.spans import Merged
    from mens_console.signals.generation import BadRow, HealthReport


SPAN: Final = 64 << 20
"""Bytes of a log that one task reads."""
LEAST_SPAN: Final = 1 << 20


def aggregate(
    paths: Sequence[Path | str],
    options: Options,
    *,
    conf: Mapping[str, str] | None = None,
    span: int | None = None,
    progress: Progress = lambda done, total: None,
    at: float | None = None,
) -> HealthReport:
    """Read the logs once, one after the other, and return the report that reading them here would give.

    `conf` are settings of Spark that count before its own files; `span` are the bytes of a task (where it is not
    given, 64 MB at most). `progress` is told bytes done and in all; `at` is when this is (seconds since
    the epoch, default now). Raises `SparkError`.
    """
    require()
    sized = [(str(path), *_size(str(path))) for path in paths]
    with started(conf or {}) as context:
        total = sum(size for _, size, _ in sized)
        length = span or max(LEAST_SPAN, min(SPAN, -(-total // (4 * context.defaultParallelism))))
        spans = cut([(i, path, size) for i, (path, size, problem) in enumerate(sized) if problem is None], length)
        job = _Job(context, spans, options, total, progress)
        surveys = job.survey()
        tally = Tally(options)
        for merged in job.batches(surveys) if options.by == "batch" else job.groups():
            if isinstance(merged, Whole):
                tally.take_figures(*merged)
            else:
                tally.take(merged)
    at = time.time() if at is None else at
    sources, bad = _sources(sized, spans, surveys, at)
    return tally.report(1, sources, bad, at)


def _size(path: str) -> tuple[int, str | None]:
    """Return the bytes of a log, and why it cannot be read."""
    try:
        status = Path(path).stat()
    except OSError as error:
        return 0, f"{path}: {explain(error)}"
    return status.st_size, None


class _Job:
    """The two passes over some spans."""

    def __init__(self, context: Any, spans: Sequence[Span], options: Options, total: int, progress: Progress) -> None:
        self._context = context
        self._spans = spans
        self._options = options
        self._told = Told(context, len(spans), total, progress)

    def survey(self) -> list[Survey]:
        """Return what each span holds."""
        if not self._spans:
            return []
        with explained(), self._told.during(0):
            found = self._context.parallelize(self._spans, len(self._spans)).map(survey).collect()
        surveys: list[Survey] = list(found)
        for span, one in zip(self._spans, surveys, strict=True):
            if one.problem is not None and one.problem.endswith(CHANGED):
                raise SparkError(f"{span.path} {CHANGED}")
        return surveys

    def batches(self, surveys: Sequence[Survey]) -> Iterator[Merged]:
        """Yield the batches run by run, in order; the last one of a run as a count where it is incomplete."""
        works, number = _plan(self._spans, surveys, self._options.batch_size)
        if not number:
            return
        options, parts = self._options, min(len(works), number)
        counted = self._context.parallelize(works, len(works)).mapPartitions(partial(_count_all, options=options))
        placed = counted.partitionBy(parts, partial(_part_of, parts=parts, number=number))
        yield from self._stream(placed.mapPartitions(partial(merge_batches, options=options)))

    def groups(self) -> Iterator[Counted]:
        """Yield the count of every group, in the order in which they begin."""
        if not self._spans:
            return
        options, parts = self._options, len(self._spans)
        spread = self._context.parallelize(self._spans, parts).mapPartitions(partial(_group_all, options=options))
        merged = spread.partitionBy(parts, _hash).mapPartitions(merge_groups)
        place = {span.path: span.log for span in reversed(self._spans)}
        yield from sorted(self._stream(merged), key=lambda counted: _first(counted, place))

    def _stream(self, rdd: Any) -> Iterator[Any]:
        """Yield what an RDD holds, a partition at a time: the driver never holds more than two of them."""
        with explained(), self._told.during(1):
            yield from rdd.toLocalIterator(prefetchPartitions=True)


def _first(counted: Counted, place: Mapping[str, int]) -> tuple[int, int]:
    path, offset = counted.partial.first or ("", 0)
    return place.get(path, len(place)), offset


def _plan(spans: Sequence[Span], surveys: Sequence[Survey], batch_size: int) -> tuple[list[Work], int]:
    """Return the spans with what came before each, and how many batches there are in all.

    A run's batches have consecutive keys, and runs follow each other as they first appear.
    """
    attempts: dict[str, int] = {}
    for one in surveys:
        for name, number in one.counts.items():
            attempts[name] = attempts.get(name, 0) + number
    place, number = {}, 0
    for name, total in attempts.items():
        place[name] = number
        number += -(-total // batch_size)
    works = []
    before = dict.fromkeys(attempts, 0)
    for span, one in zip(spans, surveys, strict=True):
        if one.counts:
            works.append(Work(span, {name: (before[name], here, place[name]) for name, here in one.counts.items()}))
        for name, here in one.counts.items():
            before[name] += here
    return works, number


def _count_all(works: Iterable[Work], options: Options) -> Iterator[Any]:
    return chain.from_iterable(count_batches(work, options) for work in works)


def _group_all(spans: Iterable[Span], options: Options) -> Iterator[Any]:
    return chain.from_iterable(count_groups(span, options) for span in spans)


def _part_of(key: int, *, parts: int, number: int) -> int:
    """Return the partition of a batch: consecutive keys, equally many each, however skewed the runs are."""
    return key * parts // number


def _hash(name: str) -> int:
    """Return the same number on every machine, which Python's own hash of a string is not."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


def _sources(
    sized: Sequence[tuple[str, int, str | None]], spans: Sequence[Span], surveys: Sequence[Survey], at: float
) -> tuple[tuple[LogSource, ...], tuple[BadRow, ...]]:
    """Return how far each log was read, and the newest of its bad lines, numbered from the log's first line."""
    sources: list[LogSource] = []
    bad: list[BadRow] = []
    for log, (path, size, problem) in enumerate(sized):
        newest: deque[BadRow] = deque(maxlen=SAMPLES)
        unknown: dict[str, int] = {}
        lines = rows = bad_rows = done = 0
        for span, one in zip(spans, surveys, strict=True):
            if span.log != log:
                continue
            newest.extend(replace(row, line=None if row.line is None else row.line + lines) for row in one.bad)
            lines, rows, bad_rows = lines + one.lines, rows + one.rows, bad_rows + one.bad_rows
            done += 0 if one.problem else span.end - span.start
            problem = problem or one.problem
            for name, number in one.unknown.items():
                unknown[name] = unknown.get(name, 0) + number
        updated = at if rows or bad_rows else math.nan
        sources.append(LogSource(path, size, done, rows, bad_rows, unknown, problem, updated))
        bad.extend(newest)
    return tuple(sources), tuple(bad)
