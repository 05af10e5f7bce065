"""Log files that are read together in order of time: opened, walked from anywhere, and looked at again.

Files to lines; nothing here draws, counts, or waits. The order is that of `interleave` over the `timeline` of each.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest import interleave, logtail
from mens_console.ingest.mergestream import MergedLine, Nothing, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from mens_console.ingest.interleave import Cut, Run

MOST: Final = 64
"""Streams that are merged; further ones are left out, since each costs a descriptor and a look at every growth."""
_STEP: Final = 256
"""Lines read between two openings of the lock."""


class Mark(NamedTuple):
    """A cut, and how often each stream was started over until then."""

    cut: Cut
    starts: tuple[int, ...]


class Streams:
    """Files in order of time; `since` and `clock` are `Merged`'s. Reading is safe from any thread."""

    def __init__(
        self, paths: Sequence[Path], since: int | Sequence[int | None] | None, clock: Callable[[], float]
    ) -> None:
        self.paths = tuple(paths[:MOST])
        self.left_out = len(paths) - len(self.paths)
        self._clock = clock
        self._lock = threading.RLock()
        self._closed = False
        begin = [since] * len(self.paths) if since is None or isinstance(since, int) else since
        at_once = logtail.AT_ONCE // max(1, len(self.paths))
        self._streams = [
            Stream(path, i, at_once, first) for i, (path, first) in enumerate(zip(self.paths, begin, strict=False))
        ]
        for stream in self._streams:
            stream.open(clock())

    def close(self) -> None:
        """Give the descriptors back."""
        self._closed = True
        with self._lock:
            for stream in self._streams:
                stream.close()

    # What there is

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(stream.tail.size for stream in self._streams if stream.tail is not None)

    @property
    def progress(self) -> float:
        """Share of the bytes whose lines are counted."""
        size = self.size
        done = sum(stream.tail.progress * stream.tail.size for stream in self._streams if stream.tail is not None)
        return min(1.0, done / size) if size else 1.0

    @property
    def problems(self) -> tuple[str | None, ...]:
        """Why each stream cannot be read now."""
        return tuple(stream.problem for stream in self._streams)

    @property
    def undated(self) -> tuple[int, ...]:
        """The streams that tell no times: what was there before is left out, what comes is placed as it comes."""
        return tuple(i for i, one in enumerate(self._streams) if one.timeline is not None and not one.timeline.dated)

    @property
    def beginnings(self) -> list[int | None]:
        """Return from which byte on lines of a stream without times have a place; None for the others."""
        timelines = [stream.timeline for stream in self._streams]
        return [None if one is None or one.dated else one.since for one in timelines]

    @property
    def sequences(self) -> list[interleave.Blocks]:
        """The streams as `interleave` takes them."""
        return [stream.timeline or Nothing() for stream in self._streams]

    # Walking

    def walk(self, cut: Cut | None = None, stop: Cut | None = None) -> Iterator[MergedLine]:
        """Yield the lines between two cuts, by default all, numbered from 0."""
        number = 0
        with self._lock:
            cut = interleave.first(self.sequences) if cut is None else cut
        while not self._closed:
            with self._lock:
                runs, cut = interleave.forward(self.sequences, cut, _STEP)
                found = self._read((_before(run, stop) for run in runs), number)
            if not runs:
                return
            yield from found
            number += len(found)

    def walk_back(self, cut: Cut | None = None) -> Iterator[MergedLine]:
        """Yield the lines before a cut, by default all, the newest first, numbered downwards from -1."""
        number = 0
        with self._lock:
            cut = interleave.last(self.sequences) if cut is None else cut
        while not self._closed:
            with self._lock:
                runs, cut = interleave.backward(self.sequences, cut, _STEP)
                number -= length(runs)
                found = self._read(runs, number)
            if not runs:
                return
            yield from reversed(found)

    def cut_at(self, moment: float) -> Cut:
        """Return the place before the first line that is not before a moment, in seconds since the epoch."""
        with self._lock:
            return interleave.before(self.sequences, moment)

    def end(self) -> Mark:
        """Return the place after the newest whole lines: those that are still being written are not before it."""
        with self._lock:
            last = [
                interleave.behind(*pair) for pair in zip(self.sequences, interleave.last(self.sequences), strict=True)
            ]
            places = zip(last, self._streams, strict=True)
            cut = tuple((block, i - (i > 0 and stream.ends_open)) for (block, i), stream in places)
            return Mark(cut, tuple(stream.starts for stream in self._streams))

    def since(self, mark: Mark) -> tuple[list[MergedLine], Mark]:
        """Return the whole lines that came after a place that `end` told, and the place after them.

        Of a file that was started over all lines are new.
        """
        with self._lock:
            begin, end = interleave.first(self.sequences), self.end()
            same = [was == now for was, now in zip(mark.starts, end.starts, strict=True)]
            here = tuple(old if kept else new for kept, old, new in zip(same, mark.cut, begin, strict=True))
            return list(self.walk(here, end.cut)), end

    def _read(self, runs: Iterable[Run], number: int = 0) -> list[MergedLine]:
        """Return the lines of runs, numbered from `number` on."""
        found: list[MergedLine] = []
        for run in runs:
            found += self._streams[run.sequence].read(run, number + len(found))
        return found

    def text_at(self, stream: int, offset: int) -> str | None:
        """Return the line of a stream that begins at a byte (as a filter remembers it)."""
        with self._lock:
            tail = self._streams[stream].tail
            return None if tail is None or self._closed else next(iter(tail.file.read(offset, 1)), None)


def length(runs: Iterable[Run]) -> int:
    """Return how many members runs have."""
    return sum(run.stop - run.start for run in runs)


def _before(run: Run, stop: Cut | None) -> Run:
    """Return what of a run is before a cut."""
    if stop is None:
        return run
    block, i = stop[run.sequence]
    if run.block != block:
        return run if run.block < block else run._replace(stop=run.start)
    return run._replace(stop=max(run.start, min(run.stop, i)))
