"""A min/max pyramid over a growing column, so that drawing costs the panel's width and never the history's length.

Every level summarises `FAN` cells of the level below; spikes survive at every zoom because extremes are kept, not
averages alone. Non-finite values are counted and kept out of the extremes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FAN = 16


class Cells(NamedTuple):
    """Summaries of consecutive values: extremes, sum of the finite ones, and how many are not finite."""

    lo: Floats
    hi: Floats
    total: Floats
    bad: Ints

    def head(self, n: int) -> Cells:
        """Return the first `n` cells."""
        return Cells(self.lo[:n], self.hi[:n], self.total[:n], self.bad[:n])

    def tail(self, start: int) -> Cells:
        """Return the cells from `start` on."""
        return Cells(self.lo[start:], self.hi[start:], self.total[start:], self.bad[start:])

    def then(self, more: Cells) -> Cells:
        """Return these cells followed by `more`."""
        return Cells(
            np.concatenate([self.lo, more.lo]),
            np.concatenate([self.hi, more.hi]),
            np.concatenate([self.total, more.total]),
            np.concatenate([self.bad, more.bad]),
        )


class Pyramid:
    """Summaries of one column. Whole cells are kept when the column grows; only the ragged last one is redone."""

    __slots__ = ("_levels", "n")

    def __init__(self) -> None:
        self.n = 0
        self._levels: list[Cells] = []

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return sum(part.nbytes for level in self._levels for part in level)

    def extend(self, values: Floats) -> None:
        """Take in what `values` (the whole column) holds beyond the first `n`."""
        if len(values) == self.n:
            return
        level, size, whole = 0, len(values), self.n
        below = Cells(values[:0], values[:0], values[:0], np.zeros(0, np.int64))
        while size > FAN:
            whole //= FAN
            kept = self._levels[level].head(whole) if level < len(self._levels) else None
            if kept is None:
                whole = 0
            start = whole * FAN
            fresh = _fold(below.tail(start) if level else raw_cells(values[start:]))
            cells = fresh if kept is None else kept.then(fresh)
            if level < len(self._levels):
                self._levels[level] = cells
            else:
                self._levels.append(cells)
            below, size, level = cells, len(cells.lo), level + 1
        self.n = len(values)

    def reduce(self, values: Floats, borders: Ints) -> tuple[Cells, Ints]:
        """Summarise `values` between consecutive `borders` (indices, non-decreasing).

        Returns the cells, one for each of the `len(borders) - 1` intervals, and how many values each holds. Wide
        intervals are answered from the coarsest level with at least four cells in each, so a border may be off by a
        quarter of an interval; no value is ever lost or counted twice.
        """
        width, level, block = _width(borders), -1, 1
        while width >= 4 * block * FAN and level + 1 < len(self._levels):
            level, block = level + 1, block * FAN
        if level < 0:
            return reduce_raw(values, borders)
        cells = self._levels[level]
        stops = -(-borders // block)
        stops[0] = borders[0] // block
        counts = np.minimum(stops * block, self.n)
        return _reduce_cells(cells, stops), np.diff(counts)


def _width(borders: Ints) -> float:
    return (int(borders[-1]) - int(borders[0])) / max(1, len(borders) - 1)


def are_narrow(borders: Ints) -> bool:
    """Return whether intervals hold so few values on average that no pyramid is needed."""
    return _width(borders) < 4 * FAN


def reduce_raw(values: Floats, borders: Ints) -> tuple[Cells, Ints]:
    """Summarise `values` between consecutive `borders`, value by value; see `Pyramid.reduce`."""
    first = int(borders[0])
    return _reduce_cells(raw_cells(values[first : int(borders[-1])]), borders - first), np.diff(borders)


def raw_cells(part: Floats) -> Cells:
    """Treat single values as cells."""
    finite = np.isfinite(part)
    if finite.all():
        return Cells(part, part, part, np.zeros(len(part), np.int64))
    clean = np.where(finite, part, np.nan)
    return Cells(clean, clean, np.where(finite, part, 0.0), (~finite).astype(np.int64))


def _fold(cells: Cells) -> Cells:
    """Summarise every `FAN` cells, the last group possibly shorter."""
    starts = np.arange(0, len(cells.lo), FAN)
    if not len(starts):
        return cells
    return Cells(
        np.fmin.reduceat(cells.lo, starts),
        np.fmax.reduceat(cells.hi, starts),
        np.add.reduceat(cells.total, starts),
        np.add.reduceat(cells.bad, starts),
    )


def _reduce_cells(cells: Cells, borders: Ints) -> Cells:
    """Combine cells between borders; an empty interval reads NaN, sum 0."""
    spans = np.diff(borders)
    filled = np.flatnonzero(spans)
    lo, hi = np.full(len(spans), np.nan), np.full(len(spans), np.nan)
    total, bad = np.zeros(len(spans)), np.zeros(len(spans), np.int64)
    if len(filled):
        part = cells.head(int(borders[-1]))
        starts = borders[:-1][filled]
        lo[filled] = np.fmin.reduceat(part.lo, starts)
        hi[filled] = np.fmax.reduceat(part.hi, starts)
        total[filled] = np.add.reduceat(part.total, starts)
        if part.bad.any():
            bad[filled] = np.add.reduceat(part.bad, starts)
    return Cells(lo, hi, total, bad)
