"""Trends of a figure from batch to batch: least squares as S1 has it, and Theil and Sen's slope with its interval.

Numbers in, slopes out; batches are one apart unless places are given. NaN are left out. No I/O, no clock.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mens_console.signals.generation import Slope
from mens_console.signals.series import median

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST: Final = 6
"""Batches below which a trend says nothing."""
_EXACT: Final = 40
"""Points up to which the law of Kendall's statistic is counted out; beyond it is as good as normal."""
_Z95: Final = 1.959963984540054


class LeastSquares:
    """S1's slope over any number of points, kept as five sums: adding one costs the same whatever came before."""

    __slots__ = ("_n", "_x", "_xx", "_xy", "_y")

    def __init__(self) -> None:
        self._n = 0
        self._x = self._xx = 0
        self._y = self._xy = 0.0

    def add(self, x: int, y: float) -> None:
        """Take one point in; NaN is left out."""
        if y == y:
            self._n += 1
            self._x += x
            self._xx += x * x
            self._y += y
            self._xy += x * y

    def slope(self, x: int = 0, y: float = math.nan) -> float:
        """Return the slope, as if (x, y) had been added too; NaN of fewer than two points."""
        more = y == y
        n, sx, sxx = self._n + more, self._x + x * more, self._xx + x * x * more
        below = n * sxx - sx * sx
        if not below:
            return math.nan
        sy, sxy = self._y + (y if more else 0.0), self._xy + (x * y if more else 0.0)
        return (n * sxy - sx * sy) / below


def theil_sen(ys: Sequence[float], xs: Sequence[int] | None = None) -> Slope:
    """Return the median of all slopes between two points, with Sen's 95 % interval (Sen 1968).

    The interval's ends are the pairwise slopes whose ranks Kendall's statistic leaves open; its confidence is at least
    95 % from six points on, and with fewer there is no interval. `slope` is the least-squares one. Ties narrow the
    truth of it a little; the ranks are those without ties, which are wider.
    """
    points = [(i if xs is None else xs[i], y) for i, y in enumerate(ys) if y == y]
    n = len(points)
    line = LeastSquares()
    for x, y in points:
        line.add(x, y)
    slopes = [(b - v) / (a - u) for i, (u, v) in enumerate(points) for a, b in points[i + 1 :]]
    slopes.sort()
    if not slopes:
        return Slope(n=n)
    interval = None
    if n >= LEAST:
        outer = max((len(slopes) - kendall_critical(n)) // 2 - 1, 0)
        interval = (slopes[outer], slopes[len(slopes) - 1 - outer])
    return Slope(line.slope(), median(slopes), interval, n)


@lru_cache(maxsize=512)
def kendall_critical(n: int) -> int:
    """Return the smallest C with P(|S| > C) ≤ 5 %, S Kendall's statistic of `n` points in random order.

    S is the number of rising pairs less that of falling ones. Exact up to 40 points, normal beyond.
    """
    pairs = n * (n - 1) // 2
    if n > _EXACT:
        return min(math.ceil(_Z95 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)), pairs)
    law = _inversions(n)
    total = math.factorial(n)
    tail = 0
    for falling in range(pairs // 2 + 1):  # S = pairs - 2 × falling, from the largest down
        if 2 * (tail + law[falling]) > 0.05 * total:
            return pairs - 2 * falling
        tail += law[falling]
    return pairs


def _inversions(n: int) -> list[int]:
    """Return how many orders of `n` things have 0, 1, 2 … pairs the wrong way round."""
    law = [1]
    for size in range(2, n + 1):
        fresh = [0] * (len(law) + size - 1)
        for already, ways in enumerate(law):
            for more in range(size):
                fresh[already + more] += ways
        law = fresh
    return law
