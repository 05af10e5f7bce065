"""One run, several attempts: which rows are a resume from a checkpoint, and which only came out of order.

Decides from the order of steps (walls are carried along); no clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIRM_ROWS: Final = 3
"""Rows that must rise from a rewound step before it is called a resume."""


class RowKind(StrEnum):
    """What one row's step turned out to be."""

    ADVANCE = "advance"
    DUPLICATE = "duplicate"
    BEHIND = "behind"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Segment:
    """One attempt: its first and highest step, and when they were logged (seconds, NaN where unknown)."""

    start_step: int
    end_step: int
    start_wall: float = math.nan
    end_wall: float = math.nan


class SegmentTracker:
    """Segments of a run from the order of its steps.

    A step above the highest so far advances; the same step again is a duplicate (the last one wins). A step below is
    held: it is *jitter* if the run is back above its maximum at once (interleaved ranks), and a *resume* when three
    rows rise from it, or fewer if they carry on through the maximum at the run's own logging interval. A rewind to
    the row after a known checkpoint is a resume at once. So a resume is known at the
    latest two rows after its first row; `resumed_at` then names that row's step. `finish` decides what is still held.
    """

    __slots__ = (
        "_checkpoints",
        "_closed",
        "_end",
        "_held",
        "_interval",
        "_start",
        "duplicates",
        "jitter",
        "resumed_at",
    )

    def __init__(self) -> None:
        self._closed: list[Segment] = []
        self._start: tuple[int, float] | None = None
        self._end: tuple[int, float] = (0, math.nan)
        self._interval = 0
        self._held: list[tuple[int, float]] = []
        self._checkpoints: set[int] = set()
        self.duplicates = 0
        self.jitter = 0
        self.resumed_at: int | None = None

    def checkpoint(self, step: int) -> None:
        """Note that a checkpoint exists at `step`: a run may go on from there."""
        self._checkpoints.add(step)

    def update(self, step: int, wall: float = math.nan) -> RowKind:
        """Take the next row's step in. On ``RESUME`` a new segment began at `resumed_at`, up to two rows ago."""
        high = self._end[0]
        if self._start is None:
            self._start = self._end = (step, wall)
            return RowKind.ADVANCE
        if step > high:
            if self._held and self._carries_on(step):
                self._held.append((step, wall))
                return self._resume()
            self._drop_held()
            self._interval = step - high
            self._end = (step, wall)
            return RowKind.ADVANCE
        if (not self._held and step == high) or (self._held and step == self._held[-1][0]):
            self.duplicates += 1
            return RowKind.DUPLICATE
        if self._held and step < self._held[-1][0]:
            self._drop_held()
        self._held.append((step, wall))
        if len(self._held) >= CONFIRM_ROWS or self._surely(step):
            return self._resume()
        return RowKind.BEHIND

    def update_many(self, steps: Sequence[int], walls: Sequence[float]) -> list[tuple[int, int]]:
        """Take rows in; return (index of the row that decided, first step) of each resume that became certain."""
        resumes: list[tuple[int, int]] = []
        high = self._end[0]
        quick = self._start is not None and not self._held
        for i, step in enumerate(steps):
            if quick and step > high:
                self._interval = step - high
                self._end = (step, walls[i])
                high = step
                continue
            if self.update(step, walls[i]) is RowKind.RESUME and self.resumed_at is not None:
                resumes.append((i, self.resumed_at))
            high, quick = self._end[0], not self._held
        return resumes

    def _surely(self, step: int) -> bool:
        """Say whether the first held row by itself proves a resume."""
        if len(self._held) > 1 or self._end[0] - step <= self._interval:
            return False  # one interval behind is what a second rank looks like
        # Logging every k steps, the first row after checkpoint c is c + k, or c + 1 where the first step is logged.
        return step - self._interval in self._checkpoints or step - 1 in self._checkpoints

    def _carries_on(self, step: int) -> bool:
        """Say whether two or more held rows, and then `step`, rise at the run's own interval."""
        rising = [*(s for s, _ in self._held), step]
        return len(rising) >= CONFIRM_ROWS and all(b - a == self._interval for a, b in pairwise(rising))

    def _drop_held(self) -> None:
        self.jitter += len(self._held)
        self._held.clear()

    def _resume(self) -> RowKind:
        if self._start is not None:
            self._closed.append(Segment(self._start[0], self._end[0], self._start[1], self._end[1]))
        self._start, self._end = self._held[0], self._held[-1]
        self.resumed_at = self._start[0]
        self._held.clear()
        return RowKind.RESUME

    def finish(self) -> bool:
        """Decide what is still held, for no more rows will come: two rising rows are a resume. Return whether so."""
        if len(self._held) >= CONFIRM_ROWS - 1:
            self._resume()
            return True
        self._drop_held()
        return False

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the attempts so far, oldest first; held rows belong to none yet."""
        if self._start is None:
            return ()
        return (*self._closed, Segment(self._start[0], self._end[0], self._start[1], self._end[1]))


def segments_of(steps: Sequence[int], walls: Sequence[float]) -> tuple[Segment, ...]:
    """Return the segments of complete rows in the order they were written."""
    tracker = SegmentTracker()
    tracker.update_many(steps, walls)
    tracker.finish()
    return tracker.segments
