"""Many histograms at once: their quantiles, their sum, and where their counts lie, without a loop over buckets.

What `Histogram` does for one, done in columns of numpy; the answers are the same. Milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mens_console.load.histogram import Histogram, value
from mens_console.load.packed import PackedHistogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Whole = NDArray[np.int64]

LEVELS: Final = (0.5, 0.95, 0.99)
_WIDE: Final = 1 << 20
"""More than there are buckets between the least and the greatest latency."""


class Sheet:
    """The buckets of some histograms, one after the other: `owner` (whose), `keys`, `counts`, all as long."""

    __slots__ = ("counts", "histograms", "keys", "owner")

    def __init__(self, histograms: Sequence[Histogram]) -> None:
        self.histograms = histograms
        parts = [_arrays(one) for one in histograms]
        lengths = np.fromiter((len(keys) for keys, _ in parts), np.int64, len(parts))
        self.owner: Whole = np.repeat(np.arange(len(parts), dtype=np.int64), lengths)
        self.keys: Whole = _joined([keys for keys, _ in parts])
        self.counts: Whole = _joined([counts for _, counts in parts])

    def values(self) -> Numbers:
        """Return what each bucket stands for, in ms."""
        if not len(self.keys):
            return np.empty(0)
        low = int(self.keys.min())
        told = np.array([value(key) for key in range(low, int(self.keys.max()) + 1)])
        found: Numbers = told[self.keys - low]
        return found

    def quantiles(self, groups: Whole | None = None, levels: Sequence[float] = LEVELS) -> Numbers:
        """Return the quantiles of each histogram, or of the sum of those in a group: (groups, levels), NaN if empty.

        `groups` names the group of each histogram, from 0 on and ascending.
        """
        group = np.arange(len(self.histograms), dtype=np.int64) if groups is None else groups
        number = int(group[-1]) + 1 if len(group) else 0
        found = np.full((number, len(levels)), np.nan)
        if not len(self.keys):
            return found
        whose = group[self.owner]
        order = np.argsort(whose * _WIDE + self.keys, kind="stable")
        values, seen = self.values()[order], np.cumsum(self.counts[order])
        n = np.bincount(whose, weights=self.counts, minlength=number).astype(np.int64)
        before = np.cumsum(n) - n
        least, greatest = self._ends(group, number)
        full = n > 0
        for column, level in enumerate(levels):
            rank = np.maximum(np.ceil(level * n - 1e-9), 1)
            place = np.searchsorted(seen, (before + rank)[full], side="left")
            found[full, column] = np.clip(values[place], least[full], greatest[full])
        return found

    def _ends(self, group: Whole, number: int) -> tuple[Numbers, Numbers]:
        least, greatest = np.full(number, np.inf), np.full(number, -np.inf)
        np.minimum.at(least, group, np.array([one.least for one in self.histograms]))
        np.maximum.at(greatest, group, np.array([one.greatest for one in self.histograms]))
        return least, greatest

    def heat(self, edges: Numbers) -> Whole:
        """Return how many values of each histogram lie from an edge to the next: (histograms, edges).

        Below the first counts as the first, and beyond the last as the last. A bucket lies where its value does.
        """
        row = np.clip(np.searchsorted(edges, self.values(), side="right") - 1, 0, len(edges) - 1)
        size = len(self.histograms) * len(edges)
        counted = np.bincount(self.owner * len(edges) + row, weights=self.counts, minlength=size)
        return counted.astype(np.int64).reshape(len(self.histograms), len(edges))

    def sum(self) -> Histogram:
        """Return all of them as one."""
        made = Histogram()
        if len(self.keys):
            low = int(self.keys.min())
            counted = np.bincount(self.keys - low, weights=self.counts).astype(np.int64)
            held = np.flatnonzero(counted)
            made.counts.update(dict(zip((held + low).tolist(), counted[held].tolist(), strict=True)))
            made.n = int(self.counts.sum())
            made.total = float(np.sum([one.total for one in self.histograms]))
            made.least = min(one.least for one in self.histograms)
            made.greatest = max(one.greatest for one in self.histograms)
        return made


def _arrays(one: Histogram) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the keys of a histogram's buckets, and their counts."""
    if isinstance(one, PackedHistogram):
        return one.keys, one.numbers
    size = len(one.counts)
    return np.fromiter(one.counts, np.int64, size), np.fromiter(one.counts.values(), np.int64, size)


def _joined(parts: list[NDArray[Any]]) -> Whole:
    return np.concatenate(parts).astype(np.int64, copy=False) if parts else np.empty(0, np.int64)
