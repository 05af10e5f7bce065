"""Collapse of the token entropy: its average against where the run itself began. Points in, observations out.

Steps and values decide; no clock, no I/O.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.signals.detectors import Detector
from mens_console.signals.human import number, percent
from mens_console.signals.rules import RULES
from mens_console.signals.series import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.alerts import Observation
    from mens_console.signals.rules import Rule

EARLY: Final = 20
"""Points whose median is where the run began."""
LEAST: Final = 10
"""Points before anything is said."""


class EntropyCollapse(Detector):
    """EMA of the token entropy (nats) under a share of its own early median: the rule ``entropy_collapse``."""

    __slots__ = ("_early", "baseline")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._early: list[tuple[int, float]] = []
        self.baseline = math.nan
        """Median of the first points, NaN before there are enough."""

    def update_many(
        self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float], emas: Sequence[float]
    ) -> list[Observation]:
        """Take entropies and their EMA in order (NaN is skipped) and return what there is to say about them."""
        rule, found = self._rules["entropy_collapse"], []
        for i, x in enumerate(values):
            if x - x != 0.0:
                continue
            if len(self._early) < EARLY:
                self._early.append((steps[i], x))
                self._measure()
            if not self.baseline > 0.0:
                continue
            share = emas[i] / self.baseline
            if share < rule.entry:
                text = f"token entropy {number(emas[i])} nats is {percent(share)} of where the run began"
                why = f"median of its first {len(self._early)} points: {number(self.baseline)} nats"
                found.append(self._breach(rule.id, (steps[i], walls[i], share), text, why))
            elif share > rule.exit:
                found += self._clear(rule.id, steps[i], walls[i])
        return found

    def _measure(self) -> None:
        enough = len(self._early) >= LEAST
        self.baseline = median(sorted(x for _, x in self._early)) if enough else math.nan

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`; where the run began stays, unless that was abandoned."""
        self._early = [point for point in self._early if point[0] < step]
        self._measure()
        return self._clear("entropy_collapse", step, wall)
