"""Rules of the form "this metric is above (or below) this value", the operator's own ones among them.

Points in, observations out; steps and values decide. No clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from mens_console.signals.byvalue import ByValue
from mens_console.signals.detectors import Detector
from mens_console.signals.human import number, plain
from mens_console.signals.rules import RULES, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mens_console.signals.alerts import Observation

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class MetricRule(ByValue):
    """A rule of the operator's own: the series `metric` above `above`, or below `below`, one of the two.

    It ends past `exit`, where nothing is said at the threshold itself. `for_points` and `for_s` (seconds) are how long
    it must last. Raises `ValueError` where it says both sides or none, or an exit on the wrong one.
    """

    id: str
    metric: str
    above: float | None = None
    below: float | None = None
    exit: float | None = None
    for_points: int = 1
    for_s: float = 0.0
    severity: Severity = Severity.WARNING
    recommendation: str = ""
    title: str | None = None

    def __post_init__(self) -> None:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"rule {self.id}: say either above or below, and not both")
        if (self.leave - self.limit) * (1.0 if self.side == "above" else -1.0) > 0.0:
            raise ValueError(f"rule {self.id}: exit {self.exit:g} lies on the side where the rule fires")

    @property
    def side(self) -> Side:
        """Return on which side of the threshold it fires."""
        return "above" if self.above is not None else "below"

    @property
    def limit(self) -> float:
        """Return the threshold from which it fires."""
        return self.above if self.above is not None else self.below if self.below is not None else math.nan

    @property
    def leave(self) -> float:
        """Return the threshold past which it ends."""
        return self.limit if self.exit is None else self.exit

    @property
    def rule(self) -> Rule:
        """Return it as a row of the table."""
        condition = f"{self.metric} {self.side} {number(self.limit)}"
        advice = self.recommendation or f"Look at {self.metric} around this step."
        return Rule(
            self.id, self.severity, self.title or condition, condition, self.metric, self.limit, self.leave, advice,
            (self.metric,), for_s=self.for_s, for_points=self.for_points,
        )  # fmt: skip


def with_custom(rules: Mapping[str, Rule], custom: Iterable[MetricRule]) -> Mapping[str, Rule]:
    """Return the table with the operator's own rules added; `ValueError` where two share an id."""
    table = dict(rules)
    for own in custom:
        if own.id in table:
            raise ValueError(f"rule {own.id}: there is a rule of that name already")
        table[own.id] = own.rule
    return MappingProxyType(table)


class Threshold(Detector):
    """One rule over one or several metrics, by the entry and exit of its row: it holds while any of them is beyond.

    A value of NaN says nothing. `reading` turns a logged value into the rule's unit.
    """

    __slots__ = ("_on", "_runs", "above", "reading", "rule")

    def __init__(
        self,
        entity: str,
        rule: str,
        side: Side,
        rules: Mapping[str, Rule] = RULES,
        *,
        reading: Callable[[str, float], float] | None = None,
    ) -> None:
        super().__init__(entity, rules)
        self.rule = rule
        self.above = side == "above"
        self.reading = reading
        self._runs: dict[str, int] = {}
        """Points in a row beyond the entry, by metric."""
        self._on: set[str] = set()
        """Metrics for which the condition holds."""

    def update_many(
        self, metric: str, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]
    ) -> list[Observation]:
        """Take points of one metric in order and return what there is to say about them."""
        rule = self._rules[self.rule]
        entry, leave, above, reading = rule.entry, rule.exit, self.above, self.reading
        run, found = self._runs.get(metric, 0), []
        for i, x in enumerate(values):
            value = x if reading is None else reading(metric, x)
            if value != value:
                continue
            if value > entry if above else value < entry:
                run += 1
                if run >= rule.for_points:
                    self._on.add(metric)
                    found.append(self._tell((steps[i], walls[i], value), metric, run))
                continue
            run = 0
            if metric in self._on and (value <= leave if above else value >= leave):
                self._on.discard(metric)
                if not self._on:
                    found += self._clear(self.rule, steps[i], walls[i])
        self._runs[metric] = run
        return found

    def _tell(self, point: tuple[int, float, float], metric: str, run: int) -> Observation:
        rule = self._rules[self.rule]
        side = "above" if self.above else "below"
        text = f"{plain(metric, 80)} is {number(point[2])}, {side} {number(rule.entry)}"
        severity = rule.severity
        if rule.critical is not None and (point[2] >= rule.critical if self.above else point[2] <= rule.critical):
            severity = Severity.CRITICAL
        return self._breach(self.rule, point, text, f"{run} in a row" if run > 1 else text, severity=severity)

    def rewind(self, step: int, wall: float) -> list[Observation]:
        """Begin again after a resume at `step`."""
        self._runs.clear()
        self._on.clear()
        return self._clear(self.rule, step, wall)


# ---------------------------------------------------------------------- the built-in ones

_ECE: Final = ("fixed_eval_ece", "eval_ece", "ece")
_VALID: Final = ("json_validity", "json_valid_rate", "json_valid", "valid_json", "valid_json_rate", "json_parse_rate")
_INVALID: Final = ("json_errors", "json_error_rate", "json_parse_errors", "invalid_json", "json_invalid")
_EVALUATIONS: Final = ("eval_", "eval/", "fixed_eval_", "fixed_eval/", "val_", "val/", "test_", "test/")


def json_metric(metric: str) -> Literal["valid", "invalid"] | None:
    """Say whether an evaluation's metric counts answers that parse as JSON, or that do not; None for any other."""
    name = metric.lower()
    if not name.startswith(_EVALUATIONS):
        return None
    if name.endswith(tuple(f"{mark}{word}" for word in _VALID for mark in "_/")):
        return "valid"
    return "invalid" if name.endswith(tuple(f"{mark}{word}" for word in _INVALID for mark in "_/")) else None


def json_errors(metric: str, value: float) -> float:
    """Return a JSON metric as errors, a count or a share; a validity above 1 is read as percent."""
    if json_metric(metric) == "invalid":
        return value
    return 1.0 - (value / 100.0 if value > 1.0 else value)


def builtin(entity: str, metric: str, rules: Mapping[str, Rule], known: dict[str, Threshold]) -> Threshold | None:
    """Return the threshold of the table that watches a metric, from `known` or new; None where none does."""
    rule, side = _rule_of(metric)
    if not rule:
        return None
    if rule not in known:
        reading = json_errors if rule == "eval_json_errors" else None
        known[rule] = Threshold(entity, rule, side, rules, reading=reading)
    return known[rule]


def watched(metric: str) -> bool:
    """Say whether a rule of the table is a threshold on this metric."""
    return bool(_rule_of(metric)[0])


def _rule_of(metric: str) -> tuple[str, Side]:
    if metric in _ECE:
        return "ece", "above"
    if metric == "soak/uptime":
        return "soak_uptime", "below"
    if metric == "soak/error_rate":
        return "soak_errors", "above"
    return ("eval_json_errors", "above") if json_metric(metric) else ("", "above")
