"""Tools the estimators share: a stream in at most 64 blocks, a straight line through points, Student's t.

Pure arithmetic on finite numbers; no domain, no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPACITY: Final = 64
_Z: Final = {0.90: 1.6448536269514722, 0.95: 1.959963984540054}


class Block(NamedTuple):
    """Sums over consecutive points: how many, Σx, Σy, and the step of the last."""

    n: int
    x: float
    y: float
    last: int


class Blocks:
    """A stream of (x, y) points summed in blocks of equal size, 32 to 64 of them, whatever its length.

    Sixty-four full blocks are merged pairwise into thirty-two of twice the size; from `largest` points a block on the
    oldest is dropped instead, and the blocks become a window of 63 to 64 × `largest` points. The open block is not
    shown. Which points share a block depends on their number only, never on how they came in.
    """

    __slots__ = ("_n", "_x", "_y", "full", "largest", "size")

    def __init__(self, largest: int | None = None) -> None:
        self.largest = largest
        self.size = 1
        self.full: list[Block] = []
        self._n, self._x, self._y = 0, 0.0, 0.0

    def update_many(self, steps: Sequence[int], xs: Sequence[float], ys: Sequence[float]) -> None:
        """Take points in order; a point whose y is not finite is skipped."""
        n, sx, sy, size = self._n, self._x, self._y, self.size
        for step, x, y in zip(steps, xs, ys, strict=True):
            if y - y != 0.0:
                continue
            n += 1
            sx += x
            sy += y
            if n >= size:
                self._close(Block(n, sx, sy, step))
                n, sx, sy, size = 0, 0.0, 0.0, self.size
        self._n, self._x, self._y = n, sx, sy

    def add(self, step: int, x: float, y: float) -> None:
        """Take one finite point in."""
        self._n += 1
        self._x += x
        self._y += y
        if self._n >= self.size:
            self._close(Block(self._n, self._x, self._y, step))
            self._n, self._x, self._y = 0, 0.0, 0.0

    def _close(self, block: Block) -> None:
        full = self.full
        full.append(block)
        if len(full) < CAPACITY:
            return
        if self.largest is not None and self.size >= self.largest:
            del full[0]
            return
        pairs = zip(full[::2], full[1::2], strict=True)
        self.full = [Block(a.n + b.n, a.x + b.x, a.y + b.y, b.last) for a, b in pairs]
        self.size *= 2

    def rewind(self, step: int) -> None:
        """Drop the blocks that reach `step` or beyond, and the open one."""
        while self.full and self.full[-1].last >= step:
            self.full.pop()
        self._n, self._x, self._y = 0, 0.0, 0.0


class Recent:
    """The last `size` points whose value is finite and above `above`, as (step, value), oldest first."""

    __slots__ = ("above", "points", "size")

    def __init__(self, size: int, above: float = -math.inf) -> None:
        self.size = size
        self.above = above
        self.points: deque[tuple[int, float]] = deque(maxlen=size)

    def update_many(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Take points in order; of a long chunk only the end that fills the window is read."""
        newest: list[tuple[int, float]] = []
        above = self.above
        for i in range(len(values) - 1, -1, -1):
            x = values[i]
            if above < x < math.inf:
                newest.append((steps[i], x))
                if len(newest) == self.size:
                    break
        self.points.extend(reversed(newest))

    def rewind(self, step: int) -> None:
        """Forget the points from `step` on: they belong to a branch that was abandoned."""
        self.points = deque((p for p in self.points if p[0] < step), maxlen=self.size)

    @property
    def values(self) -> list[float]:
        """Return the values, oldest first."""
        return [value for _, value in self.points]


class Line(NamedTuple):
    """Least-squares line: `y ≈ intercept + slope·x`, residual variance `s2` (divisor n-2), Σ(x-x̄)², x̄, n."""

    slope: float
    intercept: float
    s2: float
    sxx: float
    x_mean: float
    n: int

    @property
    def stderr(self) -> float:
        """Return the standard error of the slope for independent residuals."""
        return math.sqrt(self.s2 / self.sxx)


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> Line | None:
    """Fit a line by ordinary least squares; None for fewer than three points or a single x."""
    n = len(xs)
    if n < 3:
        return None
    x_mean, y_mean = math.fsum(xs) / n, math.fsum(ys) / n
    sxx = math.fsum((x - x_mean) ** 2 for x in xs)
    if not sxx > 0.0 or not math.isfinite(sxx):
        return None
    slope = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / sxx
    intercept = y_mean - slope * x_mean
    rss = math.fsum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Line(slope, intercept, rss / (n - 2), sxx, x_mean, n)


def curvature_removed(xs: Sequence[float], ys: Sequence[float], line: Line) -> list[float]:
    """Return the residuals of the line and a parabola orthogonal to it: what is left when a bend is no noise."""
    rest = [y - line.intercept - line.slope * x for x, y in zip(xs, ys, strict=True)]
    squares = [(x - line.x_mean) ** 2 for x in xs]
    bend = fit_line(xs, squares)
    if bend is None:
        return rest
    bow = [q - bend.intercept - bend.slope * x for x, q in zip(xs, squares, strict=True)]
    power = math.fsum(q * q for q in bow)
    if not power > 0.0:
        return rest
    share = math.fsum(q * r for q, r in zip(bow, rest, strict=True)) / power
    return [r - share * q for q, r in zip(bow, rest, strict=True)]


def lag1(residuals: Sequence[float]) -> float:
    """Return the lag-1 autocorrelation of regression residuals, corrected for its bias, within [0, 0.9].

    Residuals of a curve of k parameters through n points estimate r too low by about (k+4r)/n (Kendall 1954), k is 3
    here; negative correlation would only narrow an interval and is read as none.
    """
    n = len(residuals)
    power = math.fsum(r * r for r in residuals)
    if n < 3 or not power > 0.0:
        return 0.0
    r = math.fsum(a * b for a, b in pairwise(residuals)) / power
    return min(max(r + (3.0 + 4.0 * r) / n, 0.0), 0.9)


def t_quantile(confidence: float, df: float) -> float:
    """Return the two-sided Student t quantile for `confidence` 0.90 or 0.95 and `df` ≥ 1 degrees of freedom.

    Exact for one and two degrees, else the Cornish-Fisher series (Abramowitz & Stegun 26.7.5), within 1 % from
    three degrees up.
    """
    z = _Z[confidence]
    if df < 2.0:
        return math.tan(math.pi * confidence / 2.0)
    if df < 3.0:
        return confidence * math.sqrt(2.0 / (1.0 - confidence * confidence))
    z2 = z * z
    g1 = (z2 + 1) * z / 4
    g2 = ((5 * z2 + 16) * z2 + 3) * z / 96
    g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) * z / 384
    g4 = ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) * z / 92160
    return z + g1 / df + g2 / df**2 + g3 / df**3 + g4 / df**4


def quantile(ordered: Sequence[float], p: float) -> float:
    """Return the p-quantile of sorted values by linear interpolation (Hyndman & Fan type 7), NaN of none."""
    if not ordered:
        return math.nan
    place = p * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(ordered: Sequence[float]) -> float:
    """Return the median of sorted values, NaN of none."""
    n = len(ordered)
    if not n:
        return math.nan
    return ordered[n // 2] if n % 2 else 0.5 * (ordered[n // 2 - 1] + ordered[n // 2])
