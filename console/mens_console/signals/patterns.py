"""Accuracy by task pattern and answer length: counts in a grid, with the interval that their number earns.

Counts only, which add up; no parsing of answers, no clock, no I/O.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Sequence

EDGES: Final = (8, 16, 32, 64, 128, 256)
"""Upper edges of the length buckets, inclusive, in whatever unit the caller counts (tokens, as a rule)."""
MAX_PATTERNS: Final = 64
OTHER: Final = "other"
"""Where the patterns beyond the first 64 are counted."""
_Z95: Final = 1.959963984540054


def wilson(hits: float, n: float, z: float = _Z95) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927), 95 % by default; (NaN, NaN) without trials.

    Trials that are not independent enter as the number of independent ones they are worth, which may be no integer.
    """
    if n <= 0:
        return math.nan, math.nan
    share, z2 = hits / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Of none or all an end is exact: rounding must not leave it a hair off.
    return max(middle - half, 0.0) if hits > 0 else 0.0, min(middle + half, 1.0) if hits < n else 1.0


def bucket_names(edges: Sequence[int] = EDGES) -> tuple[str, ...]:
    """Return what the buckets are called: ``≤8``, ``9-16``, …, ``>256``."""
    between = [f"{low + 1}-{high}" if low + 1 < high else str(high) for low, high in pairwise(edges)]
    return (f"≤{edges[0]}", *between, f">{edges[-1]}")


@dataclass(frozen=True, slots=True)
class Cell(ByValue):
    """One cell of the grid: right answers, answers, and the 95 % interval of their share; NaN where none was seen."""

    correct: int
    n: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        """Return the share of right answers, NaN of none."""
        return self.correct / self.n if self.n else math.nan


class PatternGrid:
    """Counts of right answers by pattern (rows, in order of appearance) and length bucket (columns).

    Raises ValueError for edges that do not rise.
    """

    __slots__ = ("_rows", "edges")

    def __init__(self, edges: Sequence[int] = EDGES) -> None:
        if not edges or any(a >= b for a, b in pairwise(edges)):
            raise ValueError(f"length edges must rise: {tuple(edges)!r}")
        self.edges = tuple(edges)
        self._rows: dict[str, tuple[list[int], list[int]]] = {}

    def update(self, pattern: str, length: float, *, correct: bool, times: int = 1) -> None:
        """Count an answer of `length` to a task of `pattern`; a NaN length raises ValueError."""
        if length != length:
            raise ValueError("an answer's length is not NaN")
        self._add(pattern, bisect_left(self.edges, length), int(correct) * times, times)

    def _add(self, pattern: str, column: int, correct: int, n: int) -> None:
        row = self._rows.get(pattern)
        if row is None:
            if pattern != OTHER and len(self._rows) - (OTHER in self._rows) >= MAX_PATTERNS:
                self._add(OTHER, column, correct, n)
                return
            zeros = [0] * (len(self.edges) + 1)
            row = self._rows[pattern] = (zeros, list(zeros))
        row[0][column] += correct
        row[1][column] += n

    def merge(self, other: PatternGrid) -> None:
        """Add the counts of another grid; ValueError when its edges are others."""
        if other.edges != self.edges:
            raise ValueError(f"grids of other edges do not add up: {self.edges} and {other.edges}")
        for pattern, (correct, n) in other._rows.items():
            for column, (hits, trials) in enumerate(zip(correct, n, strict=True)):
                self._add(pattern, column, hits, trials)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return the patterns in the order of the rows."""
        return tuple(self._rows)

    @property
    def lengths(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return bucket_names(self.edges)

    @property
    def counts(self) -> tuple[list[list[int]], list[list[int]]]:
        """Return (right answers, answers) as new lists of rows."""
        return [list(row[0]) for row in self._rows.values()], [list(row[1]) for row in self._rows.values()]

    def cell(self, pattern: str, column: int) -> Cell:
        """Return one cell; KeyError for a pattern never seen."""
        correct, n = (part[column] for part in self._rows[pattern])
        return Cell(correct, n, *wilson(correct, n))
