"""Non-inferiority: a value against that of a baseline which the profile pins by its digest. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.gate.bounds import bounds, contradiction, sample_size, scale
from mens_console.gate.choose import TOLD_DIFFERENTLY, ordered
from mens_console.gate.statistics import difference_of_shares
from mens_console.gate.wording import figure, quantity, short
from mens_console.signals.byvalue import ByValue
from mens_console.signals.differences import apart
from mens_console.signals.intervals import Estimate

if TYPE_CHECKING:
    from mens_console.gate.types import Baseline, Criterion, Item, Manifest, Metric

COMPARABLE: Final = ("eval_set", "measure")
"""Tags in which two values must agree, where either has them, to be compared at all."""


@dataclass(frozen=True, slots=True)
class Compared(ByValue):
    """By how much a value is worse than the baseline's (its unit; negative: better), with the bound above.

    `limit` is how much worse it may be; `upper` is None where nothing tells the spread.
    """

    worse_by: float
    upper: float | None
    limit: float
    text: str

    def enough(self, n: int | None) -> int | None:
        """Return about how many would bring the bound to the limit: a width shrinks as 1/√n."""
        room = self.limit - self.worse_by
        if not n or self.upper is None or not math.isfinite(self.upper) or not room > 0:
            return None
        return math.ceil(n * ((self.upper - self.worse_by) / room) ** 2)


def pinned_value(
    item: Item, metric: Metric, unit: str, criterion: Criterion, manifest: Manifest
) -> tuple[Item | None, str]:
    """Return the baseline's value that `item` is compared with, the best of several; or None with the reason."""
    baseline = criterion.baseline
    assert baseline is not None
    if not baseline.sha256:
        return None, f"the baseline {baseline.path} is not pinned by a digest"
    if baseline.margin is None or not 0 <= baseline.margin < math.inf:
        return None, f"the margin against the baseline is {baseline.margin}, which is none"
    if not any(one.sha256 == baseline.sha256 for one in manifest.files):
        return None, _absent(baseline, manifest)
    found = [
        one
        for one in ordered(manifest.items)
        if one.metric == metric.id
        and one.sha256 == baseline.sha256
        and all(one.tags.get(name) == value for name, value in criterion.where.items() if name != "role")
    ]
    if not found:
        return None, f"the baseline {baseline.path} says nothing of {metric.id}"
    base = (max if metric.better == "higher" else min)(found, key=lambda one: one.value)
    if problem := _unusable(base, item, metric, unit):
        return None, f"the baseline {short(base.path)}: {problem}"
    return base, ""


def _absent(baseline: Baseline, manifest: Manifest) -> str:
    name = baseline.path.rsplit("/", 1)[-1]
    changed = [one for one in manifest.files if name and one.path.rsplit("/", 1)[-1] == name]
    if changed:
        digests = ", ".join(sorted(one.sha256[:12] or "no digest" for one in changed))
        return f"the baseline {baseline.path} is not the one that was pinned ({baseline.sha256[:12]}): {digests}"
    return f"the pinned baseline {baseline.path} ({baseline.sha256[:12]}) is not among the evidence"


def _unusable(base: Item, item: Item, metric: Metric, unit: str) -> str:
    if not math.isfinite(base.value):
        return f"its value is {figure(base.value)}"
    if base.trouble and TOLD_DIFFERENTLY not in base.trouble:  # the best of what it tells is taken
        return base.trouble
    if base.unit != unit:
        return f"it is in {base.unit or 'no unit'}, the criterion in {unit or 'none'}"
    for name in COMPARABLE:
        one, two = base.tags.get(name, ""), item.tags.get(name, "")
        if one != two:
            return f"{name} {one or 'unknown'} is not compared with {two or 'unknown'}"
    return contradiction(base, metric)


def compare(item: Item, base: Item, metric: Metric, baseline: Baseline) -> Compared:
    """Return by how much `item` is worse than `base`, both usable values of `metric` in one unit."""
    difference = _difference(item, base, metric)
    higher = metric.better == "higher"
    worse_by = base.value - item.value if higher else item.value - base.value
    upper: float | None = None
    if difference.interval is not None:
        upper = -difference.interval[0] if higher else difference.interval[1]
        upper = max(upper, worse_by)
    margin = baseline.margin or 0.0
    limit = margin * abs(base.value) if baseline.relative else margin
    unit = "points" if item.unit == "%" else item.unit
    asked = f"{figure(100 * margin)} % of it" if baseline.relative else quantity(margin, unit)
    direction = "worse" if worse_by > 0 else "better" if worse_by < 0 else "no different"
    by = f" by {quantity(abs(worse_by), unit, (limit,))}" if worse_by else ""
    bound = "" if upper is None else f", 95 % bound {'none' if math.isinf(upper) else figure(upper, (limit,))} worse"
    pairs = ", task by task," if by_pairs(item, base) else ""
    against = f"against the baseline's {quantity(base.value, base.unit)}{pairs}"
    return Compared(worse_by, upper, limit, f"{against} is {direction}{by}{bound}; margin {asked}")


def by_pairs(item: Item, base: Item) -> bool:
    """Say whether an item was compared task by task with this very base: its model, its value, on the same tasks."""
    told = item.paired
    if told is None or (told.model, told.n, told.n) != (base.tags.get("model"), base.n, item.n):
        return False
    return math.isclose(told.value, base.value, rel_tol=1e-9, abs_tol=1e-9)


def _difference(item: Item, base: Item, metric: Metric) -> Estimate:
    """Return item - base with bounds at 95 % a side, as far as both tell their spread: by pairs where they were paired.

    The interval of pairs is a two-sided one at 95 %, which is the stricter.
    """
    if by_pairs(item, base):
        assert item.paired is not None
        return Estimate(item.value - base.value, item.paired.interval, item.paired.n)
    if metric.statistic == "share" and (whole := scale(metric)):
        sizes = sample_size(base, metric), sample_size(item, metric)
        if sizes[0] and sizes[1] and base.successes is not None and item.successes is not None:
            found = difference_of_shares((base.successes, sizes[0]), (item.successes, sizes[1]))
            ends = found.interval
            scaled = None if ends is None else (ends[0] * whole, ends[1] * whole)
            return Estimate(found.value * whole, scaled, found.worth)
    one, two = (Estimate(x.value, bounds(x, metric).interval) for x in (base, item))
    if any(x.interval is None or not all(map(math.isfinite, x.interval)) for x in (one, two)):
        return Estimate(item.value - base.value)
    return apart(one, two)
