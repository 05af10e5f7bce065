"""Several log streams as one, by time: lines by number from either end, growth, and where a moment is.

Files to lines; nothing here draws. The order is that of `interleave` over the `timeline` of each stream. Opening reads
the last blocks of each file and nothing else; lines are counted, and times of blocks looked at, on a thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest import interleave, logtail
from mens_console.ingest.logtail import hints
from mens_console.ingest.mergestream import MergedLine, Nothing, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from mens_console.ingest.interleave import Cut, Run

__all__ = ("MOST", "UNKNOWN_BASE", "Mark", "Merged", "MergedLine")

UNKNOWN_BASE: Final = 1 << 40
"""The number that the line after the newest has at first, while nobody knows how many there are."""
MOST: Final = 64
"""Streams that are merged; further ones are left out, since each costs a descriptor and a look at every growth."""
_ANCHORS: Final = 32
_STEP: Final = 256
"""Lines read between two openings of the lock."""
_FAR: Final = 20_000
"""Lines beyond which a place is searched for, instead of walked to."""


class Mark(NamedTuple):
    """A cut, and how often each stream was started over until then."""

    cut: Cut
    starts: tuple[int, ...]


class Merged:
    """Growing log files in order of time. `on_change` is called on a thread of its own when there is something new.

    A file that cannot be opened is tried again; `problems` says of each stream what is wrong with it, `undated` which
    tell no times; lines of those have a place from byte `since` on, by default those that are still to come. `clock`
    tells seconds since the epoch. Reading is safe from any thread. A file that starts over starts the numbers over
    (`generation`).
    """

    def __init__(
        self, paths: Sequence[Path], on_change: Callable[[], None] = lambda: None, *, watch: bool = True,
        clock: Callable[[], float] = time.time, since: int | Sequence[int | None] | None = None,
    ) -> None:  # fmt: skip
        self.paths = tuple(paths[:MOST])
        self.left_out = len(paths) - len(self.paths)
        self.generation = 0
        self._clock, self._on_change = clock, on_change
        self._lock = threading.RLock()
        self._wake, self._closed = threading.Event(), False
        begin = [since] * len(self.paths) if since is None or isinstance(since, int) else since
        at_once = logtail.AT_ONCE // max(1, len(self.paths))
        self._streams = [
            Stream(path, i, at_once, first) for i, (path, first) in enumerate(zip(self.paths, begin, strict=False))
        ]
        self._known = False
        self._end = self._turn = 0
        self._anchors: OrderedDict[int, tuple[Cut, float]] = OrderedDict()
        for stream in self._streams:
            stream.open(clock())
        self._begin()
        self._thread: threading.Thread | None = None
        if watch:
            self._thread = threading.Thread(target=self._loop, name="merged logs", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop looking and give the descriptors back."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)
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
    def line_count(self) -> int | None:
        """How many lines there are; None until they are counted."""
        with self._lock:
            return None if not self._known and not self._closed else self._end

    @property
    def sequences(self) -> list[interleave.Blocks]:
        """The streams as `interleave` takes them."""
        return [stream.timeline or Nothing() for stream in self._streams]

    # Lines

    def lines(self, start: int, n: int) -> list[MergedLine]:
        """Return up to `n` lines from line `start` on; a negative `start` counts from the end.

        Until the lines are counted, only negative starts are possible, and numbers only keep their distance. One from
        very far off is taken as counted from the beginning.
        """
        with self._lock:
            if self._closed or n <= 0:
                return []
            wanted = start if start >= 0 else self._end + start
            if start >= 0 and not self._known:
                return []
            if wanted < 0:
                n, wanted = n + wanted, 0
            if n <= 0 or (self._known and wanted >= self._end):
                return []
            number, cut = self._at(wanted)
            runs, after = interleave.forward(self.sequences, cut, n)
            found = self._read(runs, number)
            self._keep(number + len(found), after)
            return found

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
                number -= _length(runs)
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

    def place_of(self, moment: float) -> int | None:
        """Return the number of the first line that is not before a moment (seconds since the epoch).

        None where no stream tells times, and while lines are not counted.
        """
        with self._lock:
            if not self._known or self._closed or len(self.undated) == len(self._streams):
                return None
            return interleave.rank(self.sequences, interleave.before(self.sequences, moment))

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

    # Where a number is

    def _at(self, wanted: int) -> tuple[int, Cut]:
        """Return the place of a number, from the nearest place that is known; the end where there are fewer lines."""
        anchors = {number: cut for number, (cut, _) in self._anchors.items()}
        anchors[self._end] = interleave.last(self.sequences)
        anchors[0] = interleave.first(self.sequences)
        near = min(anchors, key=lambda number: abs(number - wanted))
        cut = anchors[near]
        if self._known and abs(near - wanted) > _FAR:
            cut = interleave.select(self.sequences, wanted)
        elif near > wanted:
            while near > wanted:
                runs, cut = interleave.backward(self.sequences, cut, min(near - wanted, 4096))
                near -= _length(runs)
                if not runs:
                    wanted = near
        else:
            while near < wanted:
                runs, cut = interleave.forward(self.sequences, cut, min(wanted - near, 4096))
                near += _length(runs)
                if not runs:
                    wanted = near
        self._keep(wanted, cut)
        return wanted, cut

    def _keep(self, number: int, cut: Cut) -> None:
        self._anchors[number] = (cut, interleave.boundary(self.sequences, cut))
        self._anchors.move_to_end(number)
        while len(self._anchors) > _ANCHORS:
            self._anchors.popitem(last=False)

    def _begin(self) -> None:
        """Start the numbers over."""
        self._anchors.clear()
        self._known = all(stream.complete for stream in self._streams)
        last = interleave.last(self.sequences)
        self._end = interleave.rank(self.sequences, last) if self._known else UNKNOWN_BASE
        self._tail_lines = [stream.newlines for stream in self._streams]

    # Growth

    def refresh(self) -> bool:
        """Look at the files now; say whether anything changed."""
        with self._lock:
            if self._closed:
                return False
            told = [stream.refresh(self._clock()) for stream in self._streams]
            if "new" in told:
                self.generation += 1
                self._begin()
            elif "grown" in told:
                self._grown([stream for stream, what in zip(self._streams, told, strict=True) if what == "grown"])
            return any(told)

    def _grown(self, grown: Sequence[Stream]) -> None:
        """Give numbers to what is new, and forget places that it comes before."""
        earliest = min((stream.newest_from for stream in grown), default=math.inf)
        for number in [number for number, (_, key) in self._anchors.items() if key > earliest]:
            del self._anchors[number]
        if self._known:
            for stream in grown:
                stream.count_all()
            self._end = interleave.rank(self.sequences, interleave.last(self.sequences))
        else:
            lines = [stream.newlines for stream in self._streams]
            self._end += sum(lines) - sum(self._tail_lines)
            self._tail_lines = lines

    def _count(self) -> bool:
        """Count some more of one file, each in its turn; say whether everything is counted."""
        with self._lock:
            left = [stream for stream in self._streams if not stream.complete]
            if left and not self._closed:
                self._turn += 1
                left[self._turn % len(left)].count()
            elif not self._known:
                self._begin()
            return self._known

    def _loop(self) -> None:
        stop = hints({path.parent for path in self.paths}, self._wake.set)
        told = 0.0
        while not self._closed:
            was = self._known
            known = self._count()
            changed = self.refresh() or known != was
            if changed or (not known and time.monotonic() - told > logtail.TELL_S):
                told = time.monotonic()
                self._on_change()
            # The short wait leaves the lock to whoever draws.
            if self._wake.wait(logtail.POLL_S if known else 0.001):
                self._wake.clear()
        if stop is not None:
            stop()


def _length(runs: Iterable[Run]) -> int:
    return sum(run.stop - run.start for run in runs)


def _before(run: Run, stop: Cut | None) -> Run:
    """Return what of a run is before a cut."""
    if stop is None:
        return run
    block, i = stop[run.sequence]
    if run.block != block:
        return run if run.block < block else run._replace(stop=run.start)
    return run._replace(stop=max(run.start, min(run.stop, i)))
