"""Detectors over gauges of a run: gradient norm, learning rate, throughput. Points in, observations out.

They decide on steps and values only and carry wall times along; no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from mens_console.signals.detectors import Detector
from mens_console.signals.human import number, percent, rate
from mens_console.signals.rules import RULES, Severity
from mens_console.signals.series import Blocks, median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.alerts import Observation
    from mens_console.signals.rules import Rule

_PEAK_PASSED: Final = 0.99
_WARMUP_FLAT: Final = 50
_NEVER_POSITIVE: Final = 20
_END: Final = 0.99
_RATES: Final = 50
_RATE_EVERY: Final = 10


class Gradients(Detector):
    """Gradient norm out of bounds: the rules ``grad_exploding`` and ``grad_vanishing``. NaN is another rule's."""

    __slots__ = ("_low",)

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._low = 0

    def update_many(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> list[Observation]:
        """Take gradient norms in order and return what there is to say about them."""
        low, high = self._rules["grad_vanishing"].entry, self._rules["grad_exploding"].entry
        found: list[Observation] = []
        for i, x in enumerate(values):
            if low <= x <= high and not self._active:
                self._low = 0
            elif x - x == 0.0:
                found += self._judge(steps[i], walls[i], x)
        return found

    def _judge(self, step: int, wall: float, x: float) -> list[Observation]:
        found: list[Observation] = []
        rule = self._rules["grad_exploding"]
        if x > rule.entry:
            found.append(self._breach(rule.id, (step, wall, x), f"gradient norm {number(x)}"))
        elif x < rule.exit:
            found += self._clear(rule.id, step, wall)
        rule = self._rules["grad_vanishing"]
        self._low = self._low + 1 if x < rule.entry else 0
        if self._low >= rule.for_points:
            critical = rule.critical is not None and x < rule.critical
            found.append(
                self._breach(
                    rule.id,
                    (step, wall, x),
                    f"gradient norm {number(x)} for {self._low} points",
                    severity=Severity.CRITICAL if critical else rule.severity,
                    threshold=rule.critical if critical else rule.entry,
                )
            )
        elif x > rule.exit:
            found += self._clear(rule.id, step, wall)
        return found

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`."""
        self._low = 0
        return [o for rule in sorted(self._active) for o in self._clear(rule, step, wall)]


class LearningRate(Detector):
    """Faults of the schedule: ``lr_zero`` and ``lr_jump``.

    The warm-up is over once the rate fell 1 % below its peak, or did not rise for 50 points. `total_steps` is set by
    whoever knows it: a schedule that ends at 0 is no fault in the last 1 % of the run.
    """

    __slots__ = ("_flat", "_peak", "_previous", "_zero", "total_steps", "warm")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self.total_steps: int | None = None
        self.warm = False
        self._peak = 0.0
        self._flat = 0
        self._zero = 0
        self._previous = math.inf

    def update_many(self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]) -> list[Observation]:
        """Take learning rates in order and return what there is to say about them."""
        found: list[Observation] = []
        for i, x in enumerate(values):
            if 0.0 < x <= self._previous and self.warm and not self._active:
                self._previous, self._zero = x, 0  # constant or decaying, the common case
                continue
            if 0.0 <= x < math.inf:
                found += self._jump(steps[i], walls[i], x)
                found += self._none(steps[i], walls[i], x)
                self._previous = x
        return found

    def _jump(self, step: int, wall: float, x: float) -> list[Observation]:
        rule, before = self._rules["lr_jump"], self._previous
        if self.warm:
            if x > rule.entry * before:
                ratio = x / before if before > 0.0 else math.inf
                text = f"learning rate rose from {number(before)} to {number(x)} after the warm-up"
                return [self._breach(rule.id, (step, wall, ratio), text)]
            return self._clear(rule.id, step, wall)
        self._flat = 0 if x > self._peak else self._flat + 1
        self._peak = max(self._peak, x)
        self.warm = self._peak > 0.0 and (x < _PEAK_PASSED * self._peak or self._flat >= _WARMUP_FLAT)
        return []

    def _none(self, step: int, wall: float, x: float) -> list[Observation]:
        rule = self._rules["lr_zero"]
        if x > 0.0:
            self._zero = 0
            return self._clear(rule.id, step, wall)
        self._zero += 1
        needed = rule.for_points if self._peak > 0.0 else _NEVER_POSITIVE
        ending = self.total_steps is not None and step >= _END * self.total_steps
        if self._zero < needed or ending:
            return []
        return [self._breach(rule.id, (step, wall, float(self._zero)), f"learning rate 0 for {self._zero} points")]

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`; a fresh warm-up is then no fault."""
        self.warm, self._peak, self._flat, self._zero, self._previous = False, 0.0, 0, 0, math.inf
        return [o for rule in sorted(self._active) for o in self._clear(rule, step, wall)]


class Slowing(Detector):
    """Throughput now, the median of the last 50 updates, against the run's usual, the median of all such medians.

    Medians, for a pause or a burst makes single rates meaningless.
    """

    __slots__ = ("_medians", "_n", "_recent", "now", "usual")

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._medians = Blocks()
        self._recent: deque[float] = deque(maxlen=_RATES)
        self._n = 0
        self.now = math.nan
        self.usual = math.nan

    def update_many(self, steps: Sequence[int], walls: Sequence[float], rates: Sequence[float]) -> list[Observation]:
        """Take rates per second in order; those that are not finite and positive are skipped."""
        found: list[Observation] = []
        recent, n = self._recent, self._n
        for i, x in enumerate(rates):
            if 0.0 < x < math.inf:
                recent.append(x)
                n += 1
                if not n % _RATE_EVERY and len(recent) == _RATES:
                    found += self._judge(steps[i], walls[i], store=not n % _RATES)
        self._n = n
        return found

    def _judge(self, step: int, wall: float, *, store: bool) -> list[Observation]:
        rule = self._rules["throughput_degrading"]
        now = self.now = median(sorted(self._recent))
        if store:
            self._medians.add(step, 0.0, now)
            self.usual = median(sorted(block.y / block.n for block in self._medians.full))
        share = now / self.usual
        if share < rule.entry:
            text = f"throughput {rate(now)} is {percent(share)} of the usual {rate(self.usual)}"
            return [self._breach(rule.id, (step, wall, share), text)]
        return self._clear(rule.id, step, wall) if share > rule.exit else []

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Keep what is usual and forget what is recent: a resumed run first warms up again."""
        self._recent.clear()
        self.now = math.nan
        return self._clear("throughput_degrading", step, wall)
