"""How fast a run goes: steps or tokens per second, now, on average over 50 updates, and which way.

Reported rates, or rates from a growing total and wall times; no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mens_console.signals.byvalue import ByValue
from mens_console.signals.series import Recent
from mens_console.signals.trend import MIN_BLOCKS, UNKNOWN, Trend, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW: Final = 50
_NOW: Final = 5


@dataclass(frozen=True, slots=True)
class Throughput(ByValue):
    """Rates per second: `current`, `average` over the last `n` ≤ 50 updates, NaN while unknown; and the trend."""

    current: float = math.nan
    average: float = math.nan
    trend: Trend = UNKNOWN
    n: int = 0


class ReportedRate(Recent):
    """A rate that the producer reports itself. Zero and less is kept out: it means 'not measured yet'."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(WINDOW, above=0.0)

    @property
    def throughput(self) -> Throughput:
        """Return the rates as of the last report."""
        rates = self.values
        if not rates:
            return Throughput()
        steps = [float(step) for step, _ in self.points]
        trend = judge(steps, rates, len(rates), falling_is_better=False) if len(rates) >= MIN_BLOCKS else UNKNOWN
        return Throughput(rates[-1], math.fsum(rates) / len(rates), trend, len(rates))


class CountedRate:
    """A rate from a total that grows (the step, or tokens seen) and the wall times of its rows.

    Rows that share a wall time came in one burst of a buffered writer: together they are one update. A row whose
    total or wall is behind (an interleaved rank) is passed over; after a resume `rewind` starts anew, so that down
    time never counts.
    """

    __slots__ = ("_points",)

    def __init__(self, window: int = WINDOW) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=window + 1)

    def update_many(self, walls: Sequence[float], totals: Sequence[float]) -> None:
        """Take (wall seconds, total) rows in order; rows without a wall time or total are skipped."""
        points = self._points
        last_wall, last_total = self.last
        for wall, total in zip(walls, totals, strict=True):
            if total >= last_total:
                if wall > last_wall:
                    points.append((wall, total))
                elif wall == last_wall:
                    points[-1] = (wall, total)
                else:
                    continue
                last_wall, last_total = wall, total

    @property
    def last(self) -> tuple[float, float]:
        """Return the newest (wall, total), minus infinity before the first."""
        return self._points[-1] if self._points else (-math.inf, -math.inf)

    def rewind(self) -> None:
        """Start anew: what comes next is another attempt."""
        self._points.clear()

    @property
    def rates(self) -> Throughput:
        """Return the rates as of the last row, without their trend: `current` over the last five updates."""
        points = self._points
        n = len(points) - 1
        if n < 1:
            return Throughput()
        base = points[max(n - _NOW, 0)]
        current = (points[-1][1] - base[1]) / (points[-1][0] - base[0])
        average = (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])
        return Throughput(current, average, UNKNOWN, n)

    @property
    def throughput(self) -> Throughput:
        """Return the rates and their trend as of the last row; single gaps are noise, so five updates are now."""
        found = self.rates
        if found.n < MIN_BLOCKS:
            return found
        points = self._points
        totals = [total for _, total in points]
        rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
        return replace(found, trend=judge(totals[1:], rates, found.n, falling_is_better=False))
