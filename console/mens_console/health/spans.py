"""What a worker of a cluster does with a span of a log: survey it, count it, and merge what others counted.

A span is the lines that begin in a range of a log's bytes; a gzip log is one span. The first pass surveys the spans,
so that each learns how many attempts of every run came before it; the second counts with that. The fold is the one that
reads everywhere else. Pure functions of files: no state is kept, and nothing here knows of Spark.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from mens_console.health.figures import figures
from mens_console.health.fold import Counted, Group, counts, fold
from mens_console.health.gzipped import GzipLog
from mens_console.health.rows import LONGEST
from mens_console.health.source import SLICE, AttemptDecoder, Attempts, Seen
from mens_console.health.tally import Options
from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.signals.generation import BadRow, BatchFigures

if TYPE_CHECKING:
    from mens_console.health.rows import Block

CHANGED: Final = "was changed while it was read: try again, or copy it first"


class Span(NamedTuple):
    """The lines of `path` that begin in [`start`, `end`); `number` orders the spans, `log` the logs.

    `path` is how the log was named, which is what reports say of it, and `where` the absolute path to read it at.
    """

    number: int
    log: int
    path: str
    where: str
    start: int
    end: int
    size: int
    """Of the whole file, as it was when the reading began: what is appended later is not read."""


class Survey(NamedTuple):
    """What a span holds: attempts by run in order of appearance, lines, and what is bad or unknown about them.

    `bad` count their lines from the span's first. `problem` says why the span cannot be read, or not to its end.
    """

    counts: dict[str, int]
    lines: int
    rows: int
    bad_rows: int
    bad: tuple[BadRow, ...]
    unknown: dict[str, int]
    problem: str | None


class Work(NamedTuple):
    """A span to count: of each run in it, how many attempts came before, how many are here, and its batches' place.

    A batch's key is its index added to the place, so that keys order batches by run and index.
    """

    span: Span
    runs: Mapping[str, tuple[int, int, int]]


class Whole(NamedTuple):
    """A whole batch; the times (seconds) are those of its first and last attempts that have one."""

    batch: BatchFigures
    first_ts: float | None
    last_ts: float | None


Keyed: TypeAlias = tuple[int, tuple[int, Whole | Counted]]
"""A batch's key, the number of the span that it was counted in, and the count."""
Merged: TypeAlias = Whole | Counted


class ChangedError(RuntimeError):
    """A log changed between the two passes."""


def cut(logs: Iterable[tuple[int, str, int]], length: int) -> list[Span]:
    """Return the spans of logs (number, path, size), each of about `length` bytes; an empty log has one, too."""
    spans: list[Span] = []
    for log, path, size in logs:
        step = max(size, 1) if path.endswith(".gz") else length
        absolute = os.path.abspath(path)  # noqa: PTH100 (links stay)
        for start in range(0, max(size, 1), step):
            spans.append(Span(len(spans), log, path, absolute, start, min(start + step, size), size))
    return spans


def survey(span: Span) -> Survey:
    """Read a span and say what it holds; raises nothing for what files do."""
    seen, found = Seen(), dict[str, int]()
    reading = _Reading(span)
    for block in reading.blocks():
        seen.add(block, span.path, math.nan)
        for name, number in counts(block.rows).items():
            found[name] = found.get(name, 0) + number
    return Survey(found, reading.lines, seen.rows, seen.bad_rows, tuple(seen.bad), dict(seen.unknown), reading.problem)


def count_batches(work: Work, options: Options) -> Iterator[Keyed]:
    """Count the batches of a span: whole ones as figures, those that reach over its borders as counts.

    Raises `ChangedError` where it holds other attempts than it did.
    """
    span, size = work.span, options.batch_size
    place = {name: first for name, (_, _, first) in work.runs.items()}
    phases = {name: before for name, (before, _, _) in work.runs.items()}
    grown: dict[Group, Counted] = {}
    for block in _Reading(span).blocks():
        here = counts(block.rows)
        if not here.keys() <= phases.keys():
            raise ChangedError(f"{span.path} {CHANGED}")
        for counted in fold(block, span.path, phases, batch_size=size):
            group = counted.group
            if known := grown.pop(group, None):
                known.partial.merge(counted.partial)
                counted = known
            if counted.partial.n == size:
                yield place[group.name] + group.batch, (span.number, whole(counted, options))
            else:
                grown[group] = counted
        for name, number in here.items():
            phases[name] += number
    if any(phases[name] != before + number for name, (before, number, _) in work.runs.items()):
        raise ChangedError(f"{span.path} {CHANGED}")
    for group, counted in grown.items():
        yield place[group.name] + group.batch, (span.number, counted)


def count_groups(span: Span, options: Options) -> Iterator[tuple[str, tuple[int, Counted]]]:
    """Count the attempts of a span by persona, run or tier: the group's name, the span's number and the count."""
    grown: dict[str, Counted] = {}
    for block in _Reading(span).blocks():
        for counted in fold(block, span.path, {}, batch_size=options.batch_size, by=options.by):
            if known := grown.get(counted.group.name):
                known.partial.merge(counted.partial)
            else:
                grown[counted.group.name] = counted
    for name, counted in grown.items():
        yield name, (span.number, counted)


def merge_batches(keyed: Iterable[Keyed], options: Options) -> Iterator[Merged]:
    """Merge the counts of each batch in the order of the spans; yield the batches in the order of their keys."""
    for _, same in groupby(sorted(keyed, key=_order), key=itemgetter(0)):
        first, *others = (item for _, (_, item) in same)
        if isinstance(first, Whole):
            yield first
            continue
        merged = _merged([first, *others])
        yield whole(merged, options) if merged.partial.n == options.batch_size else merged


def merge_groups(keyed: Iterable[tuple[str, tuple[int, Counted]]]) -> Iterator[Counted]:
    """Merge the counts of each group in the order of the spans."""
    for _, same in groupby(sorted(keyed, key=_order), key=itemgetter(0)):
        yield _merged([counted for _, (_, counted) in same])


def whole(counted: Counted, options: Options) -> Whole:
    """Return the figures of a batch that is complete."""
    (name, index), partial = counted
    batch = figures(partial, name, index, batch_size=options.batch_size, usd_per_1000=options.usd_per_1000)
    return Whole(batch, partial.first_ts, partial.last_ts)


def _merged(parts: Sequence[Whole | Counted]) -> Counted:
    first = parts[0]
    if not isinstance(first, Counted):
        raise TypeError("a whole batch is merged with nothing")
    for part in parts[1:]:
        if not isinstance(part, Counted):
            raise TypeError("a whole batch is merged with nothing")
        first.partial.merge(part.partial)
    return first


def _order(item: tuple[int | str, tuple[int, Whole | Counted]]) -> tuple[int | str, int]:
    return item[0], item[1][0]


class _Reading:
    """Reads one span; `lines` and `problem` are known at its end."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.lines = 0
        self.problem: str | None = None

    def blocks(self) -> Iterator[Block]:
        return self._unpacked() if self.span.path.endswith(".gz") else self._plain()

    def _unpacked(self) -> Iterator[Block]:
        log = GzipLog(self.span.where)
        try:
            while log.more:
                if block := log.next(math.nan):
                    yield block
        finally:
            log.close()
        if log.problem is not None:
            self.problem = self.span.path + log.problem.removeprefix(self.span.where)

    def _plain(self) -> Iterator[Block]:
        span = self.span
        try:
            fd, _ = open_regular(span.where, follow=True)
        except OSError as error:
            self.problem = f"{span.path}: a worker of Spark cannot open {span.where}: {explain(error)}"
            return
        try:
            yield from self._lines(fd)
        except OSError as error:
            self.problem = f"{span.path}: {explain(error)}"
        finally:
            os.close(fd)

    def _lines(self, fd: int) -> Iterator[Block]:
        span = self.span
        at, end = (_line_start(fd, offset, span.size) for offset in (span.start, span.end))
        decoder = AttemptDecoder()
        decoder.offset = at
        rest = b""
        while at < end:
            data = read_at(fd, at, min(SLICE, end - at))
            if not data:
                self.problem = f"{span.path} {CHANGED}"
                return
            at += len(data)
            rest += data
            used, batch = decoder.feed(rest, math.nan, final=at >= end and len(rest) < LONGEST)
            rest = rest[used:]
            if isinstance(batch, Attempts) and batch.block is not None:
                yield batch.block
        self.lines = decoder.lines


def _line_start(fd: int, offset: int, size: int) -> int:
    """Return where the first line begins that does not begin before `offset`; `size` where there is none."""
    if offset <= 0:
        return 0
    at = offset - 1
    while at < size:
        data = read_at(fd, at, min(SLICE, size - at))
        if not data:
            break
        if (newline := data.find(b"\n")) >= 0:
            return at + newline + 1
        at += len(data)
    return size
