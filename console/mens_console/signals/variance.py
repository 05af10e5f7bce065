"""Mean and variance: exact running moments that merge, and the variance of the last points.

Finite values only, others are skipped. No clock, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, sqrt
from typing import TYPE_CHECKING, Final

from mens_console.signals.series import Recent

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW: Final = 100
"""Points behind the loss variance."""


@dataclass(slots=True)
class Moments:
    """Count, mean and sum of squared deviations (Welford 1962); `merge` after Chan, Golub & LeVeque 1983."""

    n: int = 0
    mean: float = float("nan")
    m2: float = 0.0

    @property
    def var(self) -> float:
        """Return the sample variance (divisor n-1), NaN for fewer than two values."""
        return self.m2 / (self.n - 1) if self.n > 1 else float("nan")

    @property
    def std(self) -> float:
        """Return the sample standard deviation, NaN for fewer than two values."""
        return sqrt(self.var)

    def update(self, value: float) -> None:
        """Take one value in."""
        self.update_many((value,))

    def update_many(self, values: Iterable[float]) -> None:
        """Take values in order; those that are not finite are skipped."""
        n, m2 = self.n, self.m2
        mean = self.mean if n else 0.0
        for x in values:
            if x - x != 0.0:
                continue
            n += 1
            delta = x - mean
            mean += delta / n
            m2 += delta * (x - mean)
        if n:
            self.n, self.mean, self.m2 = n, mean, m2

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both samples together."""
        if not other.n:
            return Moments(self.n, self.mean, self.m2)
        if not self.n:
            return Moments(other.n, other.mean, other.m2)
        n = self.n + other.n
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.n / n)
        return Moments(n, mean, self.m2 + other.m2 + delta * delta * (self.n / n) * other.n)


class WindowVariance(Recent):
    """Mean and variance of the last finite values, summed anew when asked, so that no error can build up."""

    __slots__ = ()

    def __init__(self, window: int = WINDOW) -> None:
        if window < 2:
            raise ValueError(f"a variance window needs two values, not {window!r}")
        super().__init__(window)

    @property
    def moments(self) -> Moments:
        """Return the moments of the window."""
        values = self.values
        if not values:
            return Moments()
        mean = fsum(values) / len(values)
        return Moments(len(values), mean, fsum((x - mean) ** 2 for x in values))
