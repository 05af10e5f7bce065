"""Histograms in little memory, as they are read from files by the ten thousand.

A packed histogram reads as any other; counting into one is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mens_console.load.histogram import Histogram, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FARTHEST: Final = 1 << 12
"""No latency that a clock tells is this many buckets from 1 ms."""
_WIDE: Final = 1 << 31


class PackedHistogram(Histogram):
    """Counts by bucket in two arrays: `keys` ascending, beside their `numbers`. Made by `unpacked`."""

    __slots__ = ("keys", "numbers")

    keys: NDArray[np.int16]
    numbers: NDArray[Any]

    @property
    def counts(self) -> Counter[int]:
        """The counts by bucket, made anew each time."""
        return Counter(dict(zip(self.keys.tolist(), self.numbers.tolist(), strict=True)))

    @counts.setter
    def counts(self, counted: Counter[int]) -> None:
        """Hold what was counted, as it is when it is made."""
        keys = sorted(counted)
        self.keys, self.numbers = np.array(keys, np.int16), np.array([counted[one] for one in keys], np.int64)

    def add(self, milliseconds: float) -> None:
        """Refuse: it was read, and is complete. Raises TypeError."""
        raise TypeError("a packed histogram is complete")

    def merge(self, other: Histogram) -> None:
        """Refuse, likewise. Raises TypeError."""
        raise TypeError("a packed histogram is complete")

    def quantile(self, q: float) -> float | None:
        """Return the least value that a share `q` in (0, 1] does not exceed, within `RELATIVE_ERROR`."""
        if not self.n:
            return None
        rank = max(np.ceil(q * self.n - 1e-9), 1)
        at = int(np.searchsorted(np.cumsum(self.numbers, dtype=np.int64), rank))
        return min(max(value(int(self.keys[min(at, self.keys.size - 1)])), self.least), self.greatest)


def unpacked(rows: Sequence[Any]) -> list[Histogram]:
    """Read what `Histogram.row` wrote for each of some histograms, all at once; raises ValueError for anything else."""
    try:
        full = [row for row in rows if not (type(row["n"]) is int and row["n"] == 0)]
        made = iter(_unpacked(full) if full else [])
        return [next(made) if row["n"] else Histogram() for row in rows]
    except (KeyError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"no histogram ({error!r})") from None


def _unpacked(rows: list[Any]) -> list[Histogram]:
    sizes = [len(row["k"]) for row in rows]
    if sizes != [len(row["c"]) for row in rows] or min(sizes) < 1:
        raise ValueError("its buckets have no counts")
    keys = np.array([*chain.from_iterable(row["k"] for row in rows)])
    numbers = np.array([*chain.from_iterable(row["c"] for row in rows)])
    ends: NDArray[np.int64] = np.cumsum(np.array(sizes, np.int64))
    _check(keys, numbers, ends)
    sums = np.add.reduceat(numbers, np.concatenate(([0], ends[:-1]))).tolist()
    keys = keys.astype(np.int16)
    numbers = numbers.astype(np.int32) if max(sums) < _WIDE else numbers
    made: list[Histogram] = []
    begin = 0
    for row, end, n in zip(rows, ends.tolist(), sums, strict=True):
        made.append(_one(row, keys[begin:end], numbers[begin:end], n))
        begin = end
    return made


def _check(keys: NDArray[Any], numbers: NDArray[Any], ends: NDArray[np.int64]) -> None:
    """Refuse what are no ascending buckets with counts, in each of the parts that end there."""
    if keys.dtype != np.int64 or numbers.dtype != np.int64 or keys.ndim != 1 or numbers.ndim != 1:
        raise ValueError("its buckets are no whole numbers")
    if numbers.min() < 1 or numbers.max() > 1 << 48:
        raise ValueError("its counts are none")
    if keys.min() < -_FARTHEST or keys.max() > _FARTHEST:
        raise ValueError("its buckets are too far apart")
    back = keys[1:] <= keys[:-1]
    back[ends[:-1] - 1] = False
    if back.any():
        raise ValueError("its buckets are not ascending")


def _one(row: Any, keys: NDArray[np.int16], numbers: NDArray[Any], n: int) -> PackedHistogram:
    made = PackedHistogram.__new__(PackedHistogram)
    made.keys, made.numbers, made.n = keys, numbers, n
    made.total, made.least, made.greatest = float(row["sum"]), float(row["min"]), float(row["max"])
    if n != row["n"]:
        raise ValueError("its counts do not come to its n")
    if not 0 <= made.least <= made.greatest <= made.total * (1 + 1e-6) + 1e-3 < math.inf:
        raise ValueError("its least, greatest and sum do not agree")
    return made
