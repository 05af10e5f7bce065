"""What is measured now and then rather than at every step: evaluations, accuracy, and every metric with a threshold.

Points in by metric, observations and facts out; no clock, no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.signals.accuracy import FIXED_METRICS, Accuracy, FixedEval
from mens_console.signals.advice import EVALUATIONS, Bests
from mens_console.signals.metricrules import MetricRule, Threshold, builtin, watched
from mens_console.signals.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.alerts import Observation
    from mens_console.signals.rules import Rule

METRICS: Final = frozenset({"accuracy", *EVALUATIONS, *FIXED_METRICS})


def looks_at(metric: str) -> bool:
    """Say whether a metric is one of these, or has a threshold in the table of rules."""
    return metric in METRICS or watched(metric)


class Evaluations:
    """The best evaluations, the accuracy, the fixed evaluation, and the thresholds of the table and the operator."""

    def __init__(self, entity: str, rules: Mapping[str, Rule] = RULES, custom: Sequence[MetricRule] = ()) -> None:
        self.entity = entity
        self.accuracy = Accuracy()
        self.fixed = FixedEval()
        self.bests = {name: Bests() for name in EVALUATIONS}
        self._rules = rules
        self._thresholds: dict[str, Threshold] = {}
        """Those of the table, by rule."""
        self._own: dict[str, list[Threshold]] = {}
        """The operator's, by metric."""
        for own in custom:
            self._own.setdefault(own.metric, []).append(Threshold(entity, own.id, own.side, rules))

    def wants(self, metric: str) -> bool:
        """Say whether `observe` looks at a metric."""
        return metric in self._own or looks_at(metric)

    def observe(
        self, metric: str, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]
    ) -> list[Observation]:
        """Take points of one metric in order and return what there is to say about them."""
        if metric == "accuracy":
            self.accuracy.update_many(steps, values)
        if metric in FIXED_METRICS:
            self.fixed.update_many(metric, steps, values)
        if metric in self.bests:
            self.bests[metric].update_many(steps, values)
        found: list[Observation] = []
        threshold = builtin(self.entity, metric, self._rules, self._thresholds)
        for one in ([threshold] if threshold is not None else []) + self._own.get(metric, []):
            found += one.update_many(metric, steps, walls, values)
        return found

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`."""
        self.accuracy.rewind(step)
        self.fixed.rewind(step)
        for best in self.bests.values():
            best.rewind(step)
        thresholds = [*self._thresholds.values(), *(one for own in self._own.values() for one in own)]
        return [seen for one in thresholds for seen in one.rewind(step, wall)]
