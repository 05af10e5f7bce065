"""95 % intervals of what KPIs are made of: shares of clustered trials, medians, means, ratios of sums, pass@k.

Pure arithmetic, deterministic (nothing is resampled at random); differences between two models are `differences`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mens_console.signals.byvalue import ByValue
from mens_console.signals.patterns import wilson
from mens_console.signals.series import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

Interval = tuple[float, float]
_Z: Final = 1.959963984540054
LEAST_FOR_MEDIAN: Final = 6
"""Under six values not even the smallest and the largest enclose the median 95 times in 100 (1 - 2 · 0.5⁵ = 0.94)."""
_EXACT_TO: Final = 2000
"""Values up to which the ranks are counted exactly; beyond, the normal approximation is within one rank of them."""


@dataclass(frozen=True, slots=True)
class Estimate(ByValue):
    """A figure, its 95 % interval (None where none can be given), and how many independent trials it is worth."""

    value: float = math.nan
    interval: Interval | None = None
    worth: float = 0.0


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the unbiased estimate of pass@k from `c` passes in `n` samples (Chen et al. 2021); NaN where n < k.

    It is 1 - C(n-c, k) / C(n, k): the probability that a draw of k of the samples, none twice, holds a pass.
    """
    if not 0 <= c <= n or k < 1:
        raise ValueError(f"pass@{k} of {c} passes in {n} samples")
    if n < k:
        return math.nan
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def clustered_share(shares: Sequence[float], trials: int) -> Estimate:
    """Return the mean of per-task shares in [0, 1] that rest on `trials` trials in all; every task weighs the same.

    The interval is Wilson's at the number of independent trials that the tasks are worth: p(1-p) over the squared
    standard error between tasks (Dean and Pagano 2015), scaled by (z/t)² because that error is itself estimated. It is
    never taken for more than `trials`; where all tasks agree, which says nothing of the spread, it is the tasks'
    number. One trial a task gives Wilson's interval exactly.
    """
    tasks = len(shares)
    if not tasks:
        return Estimate()
    mean = math.fsum(shares) / tasks
    mean = min(max(mean, 0.0), 1.0)
    worth = float(tasks)
    if trials > tasks > 1:
        spread = math.fsum((share - mean) ** 2 for share in shares) / (tasks - 1) / tasks
        if spread > 0 and 0 < mean < 1:
            worth = mean * (1 - mean) / spread * (_Z / t_quantile(0.95, tasks - 1)) ** 2
            worth = min(max(worth, 1.0), float(trials))
    return Estimate(mean, wilson(mean * worth, worth), worth)


def mean_interval(values: Sequence[float]) -> Estimate:
    """Return the mean with Student's interval; none for a single value, or where all are equal."""
    n = len(values)
    if not n:
        return Estimate()
    mean = math.fsum(values) / n
    if n < 2:
        return Estimate(mean, None, n)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    if not deviation:
        return Estimate(mean, None, n)
    half = t_quantile(0.95, n - 1) * deviation / math.sqrt(n)
    return Estimate(mean, (mean - half, mean + half), n)


@lru_cache(maxsize=256)
def median_ranks(n: int) -> tuple[int, int] | None:
    """Return the ranks (from 1) of the sorted values that enclose the median in ≥ 95 of 100; None under six values.

    They are the largest l with P(Binomial(n, ½) < l) ≤ 0.025, and n + 1 - l: no distribution is assumed.
    """
    if n < LEAST_FOR_MEDIAN:
        return None
    if n > _EXACT_TO:
        low = math.floor(n / 2 - _Z * math.sqrt(n) / 2)
        return low, n + 1 - low
    subsets, below = 1, 0
    for rank in range(n // 2 + 1):
        below += subsets
        if below * 40 > 1 << n:
            return rank, n + 1 - rank
        subsets = subsets * (n - rank) // (rank + 1)
    raise AssertionError("half of all subsets are more than one in forty")


def median(values: Sequence[float]) -> Estimate:
    """Return the median with its distribution-free interval. A value may be infinite: longer than was waited for.

    The median of an even number is the mean of the two in the middle, infinite as soon as the upper one is.
    """
    ordered = sorted(values)
    n = len(ordered)
    if not n:
        return Estimate()
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    ranks = median_ranks(n)
    return Estimate(middle, None if ranks is None else (ordered[ranks[0] - 1], ordered[ranks[1] - 1]), n)


def ratio_of_sums(tops: Sequence[float], bottoms: Sequence[float]) -> Estimate:
    """Return Σ top / Σ bottom with the jackknife's interval over the pairs (Student's t, n - 1 degrees of freedom)."""
    n, top, bottom = len(tops), math.fsum(tops), math.fsum(bottoms)
    if not n or bottom <= 0:
        return Estimate(worth=n)
    ratio = top / bottom
    left_out = [(top - t) / (bottom - b) for t, b in zip(tops, bottoms, strict=True) if bottom - b > 0]
    if n < 2 or len(left_out) < n:
        return Estimate(ratio, None, n)
    middle = math.fsum(left_out) / n
    error = math.sqrt((n - 1) / n * math.fsum((value - middle) ** 2 for value in left_out))
    if not error:
        return Estimate(ratio, None, n)
    half = t_quantile(0.95, n - 1) * error
    return Estimate(ratio, (max(ratio - half, 0.0), ratio + half), n)
