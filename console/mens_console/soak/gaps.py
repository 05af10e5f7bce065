"""Gaps between tokens on their way into a histogram: a hundred a request, so they are counted many at once.

What comes of it is what `Histogram.add` gives for each of them. Milliseconds, of two decimals as a row has them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.load.histogram import key

if TYPE_CHECKING:
    from mens_console.load.histogram import Histogram

_MOST: Final = 1 << 17
"""Gaps that wait at most before they are counted: some megabytes."""
_SPAN: Final = 1 << 16
"""Hundredths of a millisecond below which gaps are counted by their value; there are few beyond, each by itself."""
_key = lru_cache(maxsize=1 << 17)(key)


class Gaps:
    """Those of one minute that wait; `settle` brings them into its histogram."""

    __slots__ = ("_histogram", "_waiting")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._waiting: list[float] = []

    def add(self, values: list[float]) -> None:
        """Take those of a request; number, sum and ends of the histogram count them at once, its buckets later."""
        if not values:
            return
        histogram = self._histogram
        histogram.n += len(values)
        histogram.total += sum(values)
        histogram.least = min(histogram.least, min(values))
        histogram.greatest = max(histogram.greatest, max(values))
        self._waiting += values
        if len(self._waiting) > _MOST:
            self.settle()

    def settle(self) -> None:
        """Count what waits."""
        if not self._waiting:
            return
        values = np.array(self._waiting)
        self._waiting = []
        hundredths = np.rint(np.minimum(values * 100, _SPAN)).astype(np.int64)
        plain = (hundredths < _SPAN) & (hundredths / 100 == values)
        times = np.bincount(hundredths[plain])
        counts = self._histogram.counts
        for place in np.flatnonzero(times).tolist():
            counts[_key(place / 100)] += int(times[place])
        for value in values[~plain].tolist():
            counts[_key(value)] += 1
