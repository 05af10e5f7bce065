"""Which way a metric is going: the slope over a recent window, with the interval that earns the word for it.

Sees finite points in order; no clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mens_console.signals.byvalue import ByValue
from mens_console.signals.series import Blocks, curvature_removed, fit_line, lag1, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

Direction = Literal["improving", "stable", "degrading", "unknown"]

MIN_CHANGE: Final = 0.005
"""Smallest change over the window, relative to its start, that is called a trend."""
MIN_BLOCKS: Final = 8
_BLOCK: Final = 8
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Trend(ByValue):
    """Slope per 1000 steps with its 95 % interval, over `n` points that span `window` steps.

    `change` is the fitted change over the window relative to the level at its start. All numbers are NaN and the
    direction ``unknown`` with fewer than eight blocks.
    """

    direction: Direction = "unknown"
    slope: float = math.nan
    low: float = math.nan
    high: float = math.nan
    change: float = math.nan
    n: int = 0
    window: int = 0


UNKNOWN: Final = Trend()


class TrendEstimator:
    """Trend of a metric over its last 512 points or fewer.

    The slope of an EMA is what is asked for, but neighbouring EMA points share 90 % of their weight and an interval
    computed from them would be several times too narrow. So the raw points are averaged in blocks of up to eight and
    a line is fitted through at most 64 block means: the same slope, and residuals that are nearly independent. A loss
    that falls ever more slowly bends, and a bend is not noise: the residuals are those of a parabola. What correlation
    they have left widens the interval by √((1+r)/(1-r)), r their lag-1 autocorrelation, and lowers the degrees of
    freedom alike.
    """

    __slots__ = ("_blocks", "falling_is_better")

    def __init__(self, *, falling_is_better: bool = True) -> None:
        self.falling_is_better = falling_is_better
        self._blocks = Blocks(largest=_BLOCK)

    def update(self, step: int, value: float) -> None:
        """Take one point in."""
        self.update_many((step,), (value,))

    def update_many(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Take points in order; values that are not finite are skipped."""
        self._blocks.update_many(steps, steps, values)

    def rewind(self, step: int) -> None:
        """Forget the points from `step` on, to the block."""
        self._blocks.rewind(step)

    @property
    def trend(self) -> Trend:
        """Fit the line and judge it."""
        blocks = self._blocks.full
        n = sum(block.n for block in blocks)
        if len(blocks) < MIN_BLOCKS:
            return Trend(n=n)
        xs = [block.x / block.n for block in blocks]
        return judge(xs, [block.y / block.n for block in blocks], n, falling_is_better=self.falling_is_better)


def judge(xs: Sequence[float], ys: Sequence[float], n: int, *, falling_is_better: bool) -> Trend:
    """Fit a line through (step, mean) points that stand for `n` raw points, and name its direction."""
    line = fit_line(xs, ys)
    if line is None:
        return Trend(n=n)
    residuals = curvature_removed(xs, ys, line)
    r = lag1(residuals)
    inflation = (1.0 + r) / (1.0 - r)
    df = max(len(xs) / inflation - 3.0, 1.0)
    noise = math.fsum(x * x for x in residuals) / (len(xs) - 3)
    half = t_quantile(_CONFIDENCE, df) * math.sqrt(noise / line.sxx * inflation)
    window = xs[-1] - xs[0]
    start = abs(line.intercept + line.slope * xs[0])
    change = line.slope * window / start if start > 0.0 else math.copysign(math.inf, line.slope)
    direction: Direction = "stable"
    if abs(change) > MIN_CHANGE and abs(line.slope) > half:
        direction = "improving" if (line.slope < 0.0) == falling_is_better else "degrading"
    k = 1000.0
    low, high = (line.slope - half) * k, (line.slope + half) * k
    return Trend(direction, line.slope * k, low, high, change, n, round(window))
