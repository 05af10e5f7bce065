"""Accuracy over the last points, and the newest evaluation on a fixed set: facts for panels, no alerts.

Finite values only; no clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.signals.byvalue import ByValue
from mens_console.signals.series import Recent
from mens_console.signals.trend import MIN_BLOCKS, Direction, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT: Final = 20
LONG: Final = 50
_LEAST_EVALUATIONS: Final = 5
_KEPT: Final = 64
_FIXED: Final = "fixed_eval_"
FIXED_METRICS: Final = frozenset(f"{_FIXED}{name}" for name in ("em", "ce", "ece", "ece_expected", "n"))


@dataclass(frozen=True, slots=True)
class AccuracyFact(ByValue):
    """Mean accuracy (a ratio) over the last min(20, n) and min(50, n) points, and which way those last 50 go."""

    last20: float
    last50: float
    trend: Direction
    n: int


class Accuracy(Recent):
    """The last 50 accuracies."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(LONG)

    @property
    def fact(self) -> AccuracyFact | None:
        """Return the means and the trend, None before the first point; no trend is told of fewer than eight points."""
        values = self.values
        if not values:
            return None
        short = values[-SHORT:]
        trend: Direction = "unknown"
        if len(values) >= MIN_BLOCKS:
            steps = [float(step) for step, _ in self.points]
            trend = judge(steps, values, len(values), falling_is_better=False).direction
        return AccuracyFact(math.fsum(short) / len(short), math.fsum(values) / len(values), trend, len(values))


@dataclass(frozen=True, slots=True)
class FixedEvalFact(ByValue):
    """The newest evaluation on the fixed set, made at `step` with `n` items (None where unsaid).

    Exact match is a ratio, cross-entropy in nats, ECE a ratio, and `ece_expected` what a perfectly calibrated model
    would score at that n; NaN where the evaluation did not measure it. `trend` is of the cross-entropy, or of the
    exact match where there is none, over the last evaluations; ``unknown`` under five.
    """

    em: float
    ce: float
    ece: float
    ece_expected: float
    n: int | None
    trend: Direction
    step: int


class FixedEval:
    """The evaluations on the fixed set, metric by metric."""

    __slots__ = ("_series",)

    def __init__(self) -> None:
        self._series: dict[str, Recent] = {name: Recent(_KEPT) for name in sorted(FIXED_METRICS)}

    def update_many(self, metric: str, steps: Sequence[int], values: Sequence[float]) -> None:
        """Take points of one of `FIXED_METRICS` in order."""
        self._series[metric].update_many(steps, values)

    def rewind(self, step: int) -> None:
        """Forget what was measured from `step` on."""
        for series in self._series.values():
            series.rewind(step)

    @property
    def fact(self) -> FixedEvalFact | None:
        """Return the newest evaluation, None before the first; what it did not measure is NaN, never an older one's."""
        newest = max((s.points[-1][0] for s in self._series.values() if s.points), default=None)
        if newest is None:
            return None

        def at(name: str) -> float:
            points = self._series[_FIXED + name].points
            return points[-1][1] if points and points[-1][0] == newest else math.nan

        n = at("n")
        return FixedEvalFact(
            at("em"), at("ce"), at("ece"), at("ece_expected"), int(n) if n == n else None, self._trend(), newest
        )

    def _trend(self) -> Direction:
        for name, falling in (("ce", True), ("em", False)):
            points = self._series[_FIXED + name].points
            if len(points) >= _LEAST_EVALUATIONS:
                steps = [float(step) for step, _ in points]
                return judge(steps, [x for _, x in points], len(points), falling_is_better=falling).direction
        return "unknown"
