"""Which tasks a model solves: right answers by task pattern and answer length, counted as they come.

The grid is `mens_console.signals.patterns`; how an answer is judged is the caller's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mens_console.signals.patterns import EDGES, PatternGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = 80


class PatternTracker:
    """Counts answers; at most 64 patterns, the rest under "other". `edges` are the upper ends of the length buckets."""

    def __init__(self, edges: Sequence[int] = EDGES) -> None:
        self.grid = PatternGrid(edges)
        self.n = 0
        """Answers counted."""

    def update(self, pattern: str, length: float, correct: bool) -> None:
        """Count one answer of `length` (in the caller's unit, tokens as a rule) to a task of `pattern`."""
        self.grid.update(str(pattern)[:_NAME], length, correct=bool(correct))
        self.n += 1

    def heatmap(self) -> dict[str, Any] | None:
        """Return `patterns`, `lengths`, `correct` and `n` (rows of patterns, columns of lengths); None of none."""
        if not self.n:
            return None
        correct, n = self.grid.counts
        return {"patterns": list(self.grid.patterns), "lengths": list(self.grid.lengths), "correct": correct, "n": n}
