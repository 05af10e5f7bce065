"""Histograms in little memory, as they are read from files by the ten thousand.

A packed histogram reads as any other; counting into one is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mens_console.load.histogram import Histogram, value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FARTHEST: Final = 1 << 12
"""No latency that a clock tells is this many buckets from 1 ms."""


class PackedHistogram(Histogram):
    """Counts by bucket in two arrays."""

    __slots__ = ("keys", "numbers")

    def __init__(
        self, keys: NDArray[np.int64], numbers: NDArray[np.int64], total: float, least: float, greatest: float
    ) -> None:
        """Take buckets ascending beside their counts; raises ValueError where they are none."""
        if keys.size != numbers.size or not keys.size or numbers.min() < 1:
            raise ValueError("its buckets have no counts")
        if keys.size > 1 and int(np.diff(keys).min()) < 1:
            raise ValueError("its buckets are not ascending")
        if abs(int(keys[0])) > _FARTHEST or abs(int(keys[-1])) > _FARTHEST:
            raise ValueError("its buckets are too far apart")
        self.keys: NDArray[np.int16] = keys.astype(np.int16)
        self.numbers: NDArray[Any] = numbers.astype(np.int32) if int(numbers.max()) < 1 << 31 else numbers
        self.n, self.total, self.least, self.greatest = int(numbers.sum(dtype=np.int64)), total, least, greatest

    @property
    def counts(self) -> Counter[int]:  # type: ignore[override]
        """The counts by bucket, made anew each time."""
        return Counter(dict(zip(self.keys.tolist(), self.numbers.tolist(), strict=True)))

    def add(self, milliseconds: float) -> None:
        """Refuse: it was read, and is complete. Raises TypeError."""
        raise TypeError("a packed histogram is complete")

    def merge(self, other: Histogram) -> None:
        """Refuse, likewise. Raises TypeError."""
        raise TypeError("a packed histogram is complete")

    def quantile(self, q: float) -> float | None:
        """Return the least value that a share `q` in (0, 1] does not exceed, within `RELATIVE_ERROR`."""
        rank = max(np.ceil(q * self.n - 1e-9), 1)
        at = int(np.searchsorted(np.cumsum(self.numbers, dtype=np.int64), rank))
        return min(max(value(int(self.keys[min(at, self.keys.size - 1)])), self.least), self.greatest)

    @classmethod
    def of_row(cls, row: Any) -> Histogram:
        """Read what `Histogram.row` wrote; raises ValueError where it is nothing of the kind."""
        try:
            n = row["n"]
            if type(n) is int and n == 0:
                return Histogram()
            keys, numbers = np.array(row["k"]), np.array(row["c"])
            if (
                keys.dtype != np.int64
                or numbers.dtype != np.int64
                or abs(int(keys[0])) + abs(int(keys[-1])) > _FARTHEST
            ):
                raise ValueError("its buckets are no whole numbers")
            made = cls(keys.astype(np.int32), numbers, float(row["sum"]), float(row["min"]), float(row["max"]))
        except (KeyError, TypeError, IndexError, OverflowError) as error:
            raise ValueError(f"no histogram ({error!r})") from None
        if made.n != n:
            raise ValueError("its counts do not come to its n")
        if not 0 <= made.least <= made.greatest <= made.total * (1 + 1e-6) + 1e-3 < math.inf:
            raise ValueError("its least, greatest and sum do not agree")
        return made
