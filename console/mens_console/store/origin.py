"""Which file wrote rows of a line, how far it came, and whether a step that goes back is a resume or a repeat.

Knows the order of steps, times and last values of one file at a time; the line itself is `axis`'.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mens_console.ingest.records import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

RECENT = 16
"""Rows by whose steps a file is known to be written by several."""
_INTERLEAVED_AFTER = 2
"""Repeated steps among the latest `RECENT` rows that mark a source as several writers taking turns."""
CLOCK_SLACK_S = 2.0
"""How far apart two sources may stamp the same row…"""
_LAG_STEPS = 3
"""…and two files of one format: within so many steps of a fast run."""


@dataclass(slots=True)
class Origin:
    """How far one file has written on an axis, and which segment it is in."""

    first: int
    last_step: int
    peak: int
    segment: int = 0
    repeats: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))
    last_wall: float = NO_TIME
    pace: float = NO_TIME
    """Seconds a step took lately, by the file's own times."""
    last_row: tuple[float, ...] = ()

    @classmethod
    def at(cls, first: int) -> Origin:
        """Return a file of which nothing was read yet; its first row is at step `first`."""
        return cls(first, first - 1, first - 1)

    def join(self, other: Origin) -> None:
        """Take in how far `other` came: this one stands for all files of its format."""
        self.peak, self.segment = max(self.peak, other.peak), max(self.segment, other.segment)
        self.last_wall = float(np.fmax(self.last_wall, other.last_wall))
        self.pace = first_told(other.pace, self.pace)

    def lag(self) -> float:
        """Return by how many seconds a row written beside this file's may come after them: its pace, if it is known."""
        return min(_LAG_STEPS * self.pace, CLOCK_SLACK_S) if self.pace >= 0 else CLOCK_SLACK_S

    @property
    def takes_turns(self) -> bool:
        """Whether several writers give themselves away by repeating steps."""
        return sum(self.repeats) >= _INTERLEAVED_AFTER

    def repeats_at(self, step: int, wall: float, row: Callable[[], tuple[float, ...]]) -> bool:
        """Whether `step`, not above the last one, is a repeat or a turn of another writer, and not a resume.

        After a pause of several steps it is a resume. Where writers take turns a small step back means nothing. A file
        that never repeated a step, and later tells other values at its last one, was resumed just before it; where no
        time tells, it is one row written twice.
        """
        gap = wall - self.last_wall
        if gap > max(_LAG_STEPS * self.pace, CLOCK_SLACK_S):
            return step == self.last_step and row() == self.last_row
        if step < self.last_step:
            return self.takes_turns and self.peak - step <= RECENT
        is_steady = len(self.repeats) == RECENT and not any(self.repeats)
        return not (is_steady and gap > CLOCK_SLACK_S) or row() == self.last_row

    def _measure(self, steps: Ints, walls: Floats) -> None:
        """Take in the pace of rows of increasing steps."""
        made, took = int(steps[-1]) - int(steps[0]), float(walls[-1]) - float(walls[0])
        if made > 0 and took >= 0:
            self.pace = took / made

    def cut(
        self, steps: Ints, walls: Floats, values: Mapping[str, Floats], cuts: Collection[int]
    ) -> list[tuple[slice, bool]]:
        """Cut rows into parts of increasing steps; the flag says that a part begins with a resume.

        `cuts` are the steps at which others told of resumes that this file has not come to.
        """

        def row(i: int) -> tuple[float, ...]:
            return tuple(float(column[i]) for column in values.values())

        if steps[0] > self.last_step and (len(steps) == 1 or bool(np.all(np.diff(steps) > 0))):
            self.repeats.extend([False] * min(len(steps), RECENT))
            self._measure(steps, walls)
            self.last_step, self.last_row = int(steps[-1]), row(-1)
            self.peak = max(self.peak, self.last_step)
            return [(slice(0, len(steps)), False)]
        parts: list[tuple[slice, bool]] = []
        begin, rewind = 0, False
        for i, step in enumerate(steps.tolist()):
            repeat = False
            if step <= self.last_step:
                if i:
                    self.last_wall, self.last_row = float(walls[i - 1]), row(i - 1)
                repeat = self.repeats_at(step, float(walls[i]), partial(row, i))
                repeat = repeat and (self.takes_turns or not cuts or step < min(cuts))
                if i > begin:
                    parts.append((slice(begin, i), rewind))
                begin, rewind = i, not repeat
                if rewind:
                    self.peak = step
            elif i:
                self._measure(steps[i - 1 : i + 1], walls[i - 1 : i + 1])
            self.repeats.append(repeat)
            self.last_step = step
            self.peak = max(self.peak, step)
        parts.append((slice(begin, len(steps)), rewind))
        self.last_row = row(-1)
        return parts


def first_told(*walls: float) -> float:
    """Return the first of the times that is known."""
    return next((wall for wall in walls if math.isfinite(wall)), NO_TIME)


def follows_kin(kin: Origin, steps: Ints, stamp: float, arrived: float) -> bool:
    """Whether a file goes back over what its kin wrote before, and is not written beside them.

    `stamp` is the time of its first row, which is `arrived` where the file tells none, and `NO_TIME` where it was there
    before it was found. Where no times tell, a file that begins further in than the stride of its own rows, and goes
    beyond what there was, was begun by a resume.
    """
    first = int(steps[0])
    if first > kin.peak:
        return False
    if math.isfinite(stamp) and math.isfinite(kin.last_wall):
        is_fine = stamp % 1.0 != 0 and stamp != arrived
        return stamp > kin.last_wall + (kin.lag() if is_fine else CLOCK_SLACK_S)
    return len(steps) > 1 and first - kin.first > 2 * abs(int(steps[1]) - first) and int(steps[-1]) > kin.peak
