"""One metric's result, and what the buckets and the weighted score come to. Nothing missing is renormalised away.

Shares enter as 0 to 1 and leave in percent; intervals are 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mens_console.evaluation.metrics import METRICS, TITLES, WEIGHTS, Bucket, Metric, required
from mens_console.signals.byvalue import ByValue
from mens_console.signals.intervals import mean_interval
from mens_console.signals.patterns import wilson

Verdict = str
"""`met`, `missed` or `UNDERFED`."""
MET, MISSED, UNDERFED = "met", "missed", "UNDERFED"
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Result(ByValue):
    """What one metric came to, in its unit. `value` is NaN where it could not be taken; `reason` says why.

    `ratio` is what was achieved of it (0 to 1), which a bucket's score is the mean of. A `reason` beside a value says
    what weakens it. `successes` of a rate that should be low are the cases that it counts.
    """

    metric: str
    value: float = math.nan
    n: int | None = None
    successes: int | None = None
    interval: Interval | None = None
    ratio: float = math.nan
    source: str = ""
    reason: str = ""

    @property
    def spec(self) -> Metric:
        """The metric."""
        return METRICS[self.metric]

    @property
    def verdict(self) -> Verdict:
        """Whether it meets its target; UNDERFED where there is no value."""
        if math.isnan(self.value):
            return UNDERFED
        return MET if self.spec.meets(self.value) else MISSED

    @property
    def blocks(self) -> bool:
        """Whether it keeps the evaluation from being good: required, and not met."""
        return self.spec.required and self.verdict != MET


def share(metric: str, successes: int, n: int, *, source: str = "", reason: str = "", nothing: str = "") -> Result:
    """Return a share of `n` trials; without any it has no value, and `nothing` says what there was none of."""
    if n <= 0:
        return Result(metric, n=0, source=source, reason=nothing or "there was nothing to count")
    low, high = wilson(successes, n)
    rate = successes / n
    achieved = rate if METRICS[metric].higher else 1 - rate
    return Result(metric, 100 * rate, n, successes, (100 * low, 100 * high), achieved, source, reason)


def surplus(steps: Sequence[tuple[int, int]], *, source: str, reason: str = "", nothing: str) -> Result:
    """Return the mean number of steps over gold of (predicted, gold) plans; a plan that is too short offsets none.

    Its ratio is one minus the share of redundant steps in all steps of the plans.
    """
    if not steps:
        return Result("plan_minimality", n=0, source=source, reason=nothing)
    over = [max(mine - gold, 0) for mine, gold in steps]
    taken = sum(max(mine, gold) for mine, gold in steps)
    interval = mean_interval(over).interval
    return Result("plan_minimality", sum(over) / len(over), len(over), None, interval,
                  1 - sum(over) / taken if taken else 1.0, source, reason)  # fmt: skip


def missing(metric: str, reason: str) -> Result:
    """Return a result without a value."""
    return Result(metric, reason=reason)


_SCORED: Final[tuple[Bucket, ...]] = tuple(WEIGHTS)


def buckets(results: Mapping[str, Result]) -> dict[Bucket, float]:
    """Return the score of each bucket in percent: the mean of its required ratios, NaN where one of them is missing."""
    return {bucket: _mean([_ratio(results, one) for one in required(bucket)]) for bucket in _SCORED}


def weighted(scores: Mapping[Bucket, float], results: Mapping[str, Result]) -> Result:
    """Return the weighted score, without a value where a bucket has none."""
    gone = [bucket for bucket in _SCORED if math.isnan(scores[bucket])]
    if gone:
        lacking = [one.title for bucket in gone for one in required(bucket) if math.isnan(_ratio(results, one))]
        names = " and ".join(TITLES[bucket] for bucket in gone)
        return missing("weighted_score", f"{names} lack{'s' if len(gone) == 1 else ''} {', '.join(lacking)}")
    value = sum(WEIGHTS[bucket] * scores[bucket] for bucket in _SCORED)
    return Result("weighted_score", value, None, None, None, value / 100, "the three buckets")


def _ratio(results: Mapping[str, Result], metric: Metric) -> float:
    found = results.get(metric.id)
    return math.nan if found is None or math.isnan(found.value) else found.ratio


def _mean(ratios: Sequence[float]) -> float:
    return 100 * math.fsum(ratios) / len(ratios)
