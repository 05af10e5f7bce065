"""The bounds of one value of evidence: which its kind of figure allows, and how many would clear an edge.

A bound is one-sided at 95 %. What an item carries decides: trials give exact bounds of a share, runs Student's of a
mean, values with counts those of a quantile; failing these the producer's own interval, whose ends lie further out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.gate import statistics
from mens_console.gate.metrics import ENGINEERING
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from mens_console.gate.types import Band, Item, Metric

_ROUNDED: Final = 0.005
"""By how much a tool's rounding may part a value from the raw figures beside it, as a share of the value."""
_LARGEST: Final = 1e150
"""Beyond this a run's value is none: its square has no place in a float."""
_BUCKET: Final = 0.02
"""The same of a histogram, whose buckets are that wide at most."""
_DECIMAL: Final = 0.0005
"""The same of a percentage, which tools round to one decimal at most, as a share of the whole."""


@dataclass(frozen=True, slots=True)
class Bounds(ByValue):
    """Lower and upper bound (95 % each; infinite where none exists at this n), or None with the reason in `missing`."""

    interval: tuple[float, float] | None
    n: int | None
    missing: str = ""


def exact(metric: Metric) -> bool:
    """Say whether a figure decides as it is, whatever a criterion asks for.

    What was counted was counted, a bound is one already, and a program is measured whole, not sampled.
    """
    return metric.statistic in ("count", "bound") or metric.dimension == ENGINEERING


def sample_size(item: Item, metric: Metric) -> int | None:
    """Return what the value rests on: never more than the raw figures that came with it, where any did."""
    raw = 0
    if metric.statistic == "quantile":
        raw = sum(count for _, count in item.counts) or len(item.samples)
    elif metric.statistic == "mean":
        raw = len(item.samples)
    if not raw:
        return item.n
    return raw if item.n is None or metric.statistic == "mean" else min(raw, item.n)


def scale(metric: Metric) -> float:
    """Return how large a whole is in the metric's unit: 100 in percent, else 1."""
    return 100.0 if metric.unit in ("%", "points") else 1.0


def contradiction(item: Item, metric: Metric) -> str:
    """Say where an item contradicts itself, "" where it does not: a mean that its own runs do not have."""
    value = item.value
    if item.n is not None and item.n < 0:
        return f"its n is {item.n}"
    if any(not abs(one) <= _LARGEST for one in item.samples) or any(math.isnan(one) for one, _ in item.counts):
        return "among its own values are such that are no numbers"
    if metric.statistic == "share":
        return _share_contradiction(item, metric)
    if metric.statistic == "mean" and item.samples:
        mean = math.fsum(item.samples) / len(item.samples)
        if not math.isfinite(mean) or abs(mean - value) > _ROUNDED * max(abs(mean), abs(value)):
            return f"its {len(item.samples)} runs have a mean of {mean:.6g}, not {value:.6g}"
    if metric.statistic == "quantile" and (counts := _counts(item)):
        least, most = min(one for one, _ in counts), max(one for one, _ in counts)
        slack = _BUCKET * max(abs(least), abs(most))
        if not least - slack <= value <= most + slack:
            return f"its own values lie between {least:.6g} and {most:.6g}, and {value:.6g} does not"
    if item.interval is not None and not item.interval[0] <= value <= item.interval[1]:
        return f"its own interval {item.interval[0]:.6g} to {item.interval[1]:.6g} does not hold it"
    return ""


def _share_contradiction(item: Item, metric: Metric) -> str:
    whole = scale(metric)
    if metric.unit == "%" and not 0 <= item.value <= whole:
        return f"{item.value:.6g} % is no share"
    if item.successes is None or not item.n:
        return ""
    if not 0 <= item.successes <= item.n:
        return f"it counts {item.successes} of {item.n}"
    share = whole * item.successes / item.n
    if abs(share - item.value) > whole * _DECIMAL:
        return f"{item.successes} of {item.n} are {share:.6g} {metric.unit}, not {item.value:.6g}"
    return ""


def _counts(item: Item) -> tuple[tuple[float, int], ...]:
    """Return the values of an item with their counts, whichever way it tells them."""
    return tuple((value, count) for value, count in item.counts if count > 0) or tuple(Counter(item.samples).items())


def bounds(item: Item, metric: Metric) -> Bounds:
    """Return the bounds of an item's value, in its own unit."""
    n = sample_size(item, metric)
    if exact(metric):
        return Bounds(None, n)
    own: tuple[float, float] | None = None
    missing = "nothing tells its spread, and it decides on a bound"
    if metric.statistic == "share" and n:
        whole = scale(metric)
        successes = item.successes if item.successes is not None and n == item.n else item.value / whole * n
        if item.successes is not None or item.interval is None:
            low, high = statistics.clopper_pearson(min(max(successes, 0), n), n)
            own = (low * whole, high * whole)
    elif metric.statistic == "mean" and len(item.samples) > 1:
        own = statistics.mean_bounds(item.samples)
    elif metric.statistic == "quantile":
        own, missing = _quantile(item, metric, n)
    if own is None and item.interval is not None:
        own = item.interval
    if own is None and metric.statistic == "mean" and n == 1:
        own = (-math.inf, math.inf)
    return Bounds(own, n, "" if own is not None else missing)


def _quantile(item: Item, metric: Metric, n: int | None) -> tuple[tuple[float, float] | None, str]:
    counts = _counts(item)
    if counts:
        return statistics.quantile_bounds(counts, metric.quantile), ""
    least = statistics.values_for_quantile(1.0, metric.quantile)
    if n and least is not None and n < least:
        return (-math.inf, math.inf), ""  # whatever its producer says: no distribution is assumed
    return None, "neither its values nor a histogram of them is told, and it decides on a bound"


def needed(item: Item, metric: Metric, band: Band) -> int | None:
    """Return how many would have cleared the band's nearest end at this value; None where no number would, or unknown.

    It is counted as if what was seen went on: the same share, the same spread of runs.
    """
    ends = [end for end in (band.low, band.high) if math.isfinite(end)]
    proposals = [_needed(item, metric, end, below=end == band.high) for end in ends]
    if not band.holds(item.value):  # outside, one end is in the way
        ends = [min(ends, key=lambda end: abs(end - item.value))] if ends else []
        proposals = [_needed(item, metric, end, below=item.value < end) for end in ends]
    told = [one for one in proposals if one is not None]
    return max(told) if told and len(told) == len(proposals) else None


def _needed(item: Item, metric: Metric, end: float, *, below: bool) -> int | None:
    if metric.statistic == "share":
        whole = scale(metric)
        return statistics.trials_for_share(item.value / whole, end / whole)
    if metric.statistic == "mean" and len(item.samples) > 1:
        return statistics.runs_for_mean(item.value, statistics.deviation(item.samples), end)
    if metric.statistic == "quantile":
        counts = _counts(item)
        if not counts:
            return statistics.values_for_quantile(1.0, metric.quantile) if below else None
        under = sum(count for value, count in counts if value < end) / sum(count for _, count in counts)
        return statistics.trials_for_share(under, metric.quantile)
    return None
