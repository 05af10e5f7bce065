"""Several log streams as one, by time: lines by number from either end, growth, and where a moment is.

Files to lines; nothing here draws. The order is that of `interleave` over the `timeline` of each stream. Opening reads
the last blocks of each file and nothing else; lines are counted, and times of blocks looked at, on a thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from mens_console.ingest import interleave, logtail
from mens_console.ingest.logtail import hints
from mens_console.ingest.mergedwalk import MOST, Mark, Streams, length
from mens_console.ingest.mergestream import MergedLine, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mens_console.ingest.interleave import Cut

__all__ = ("MOST", "UNKNOWN_BASE", "Mark", "Merged", "MergedLine")

UNKNOWN_BASE: Final = 1 << 40
"""The number that the line after the newest has at first, while nobody knows how many there are."""
_ANCHORS: Final = 32
_FAR: Final = 20_000
"""Lines beyond which a place is searched for, instead of walked to."""


class Merged(Streams):
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
        super().__init__(paths, since, clock)
        self.generation = 0
        self._on_change = on_change
        self._wake = threading.Event()
        self._known = False
        self._end = self._turn = 0
        self._anchors: OrderedDict[int, tuple[Cut, float]] = OrderedDict()
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
        super().close()

    # Lines by number

    @property
    def line_count(self) -> int | None:
        """How many lines there are; None until they are counted."""
        with self._lock:
            return None if not self._known and not self._closed else self._end

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

    def place_of(self, moment: float) -> int | None:
        """Return the number of the first line that is not before a moment (seconds since the epoch).

        None where no stream tells times, and while lines are not counted.
        """
        with self._lock:
            if not self._known or self._closed or len(self.undated) == len(self._streams):
                return None
            return interleave.rank(self.sequences, interleave.before(self.sequences, moment))

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
                near -= length(runs)
                if not runs:
                    wanted = near
        else:
            while near < wanted:
                runs, cut = interleave.forward(self.sequences, cut, min(wanted - near, 4096))
                near += length(runs)
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
