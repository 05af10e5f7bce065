"""What a sample lets one say: exact bounds of shares, rates, means and quantiles, and how many would decide.

Pure arithmetic. Every bound is one-sided at 95 % (`TAIL` beyond it), because a criterion asks on one side; a lower and
an upper one together are a 90 % interval. "95 % cannot be shown by 20" means this bound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.gate.distributions import (
    beta_quantile,
    beta_share,
    binomial_share,
    chi_square_quantile,
    student_quantile,
)
from mens_console.signals.differences import apart
from mens_console.signals.intervals import Estimate
from mens_console.signals.patterns import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Interval = tuple[float, float]
TAIL: Final = 0.05
Z: Final = 1.6448536269514722
"""The normal quantile that leaves `TAIL` above it."""
MOST: Final = 10**8
"""No sample larger than this is proposed; what would need more is not decided by counting."""


def clopper_pearson(successes: float, n: int, tail: float = TAIL) -> Interval:
    """Return the exact lower and upper bound of a share in [0, 1], each missed in at most `tail` of all samples.

    Clopper and Pearson 1934. `successes` may be no integer (a rounded percentage gives none back): then the lower
    bound takes the next integer below and the upper one that above. Raises ValueError outside 0 ≤ successes ≤ n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    nearest = round(successes)
    exact = abs(successes - nearest) <= 1e-9 * n
    low = nearest if exact else math.floor(successes)
    high = nearest if exact else math.ceil(successes)
    return (
        0.0 if low == 0 else tail ** (1 / n) if low == n else beta_quantile(tail, low, n - low + 1),
        1.0 if high == n else 1 - tail ** (1 / n) if high == 0 else beta_quantile(1 - tail, high + 1, n - high),
    )


def wilson_bounds(successes: float, n: float) -> Interval:
    """Return Wilson's score bounds of a share, one-sided at 95 % each; what differences of shares are made of."""
    return wilson(successes, n, Z)


def trials_for_share(share: float, edge: float) -> int | None:
    """Return the fewest trials at which `share` of them would put the exact bound beyond `edge`; None: none would.

    On whichever side of the edge the share lies. All of 299 show at least 99 %.
    """
    if share < edge:
        share, edge = 1 - share, 1 - edge
    if not edge < share <= 1:
        return None
    return _least(lambda n: beta_share(edge, share * n, n - share * n + 1) <= TAIL, 1)


def _least(enough: Callable[[int], bool], start: int) -> int | None:
    """Return the least n ≥ start that is enough, where all larger ones are; None beyond `MOST`."""
    high = start
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = max(high // 2, start - 1)  # not enough, or below the start
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def mtbf_lower_bound(hours: float, failures: int) -> float:
    """Return the 95 % lower bound of the mean time between failures in h: 2T/χ²(0.95; 2r+2), test ended by the clock.

    Failures come at a constant rate (Poisson). 72 h give 24.0 h without a failure and 15.2 h with one.
    """
    if failures < 0 or not hours > 0:
        raise ValueError(f"{failures} failures in {hours} h")
    return 2 * hours / chi_square_quantile(1 - TAIL, 2 * failures + 2)


def hours_for_mtbf(target: float, failures: int = 0) -> float:
    """Return how long a test with that many failures would last to show an MTBF of `target` h."""
    return target * chi_square_quantile(1 - TAIL, 2 * failures + 2) / 2


def poisson_bounds(events: int) -> Interval:
    """Return the exact lower and upper bound of the expected number of events where `events` were counted."""
    low = 0.0 if not events else chi_square_quantile(TAIL, 2 * events) / 2
    return low, chi_square_quantile(1 - TAIL, 2 * events + 2) / 2


def mean_bounds(samples: Sequence[float]) -> Interval | None:
    """Return Student's bounds of the mean of runs; None for fewer than two. Runs that are all equal have no width."""
    n = len(samples)
    if n < 2:
        return None
    mean = math.fsum(samples) / n
    half = student_quantile(1 - TAIL, n - 1) * deviation(samples) / math.sqrt(n)
    return mean - half, mean + half


def deviation(samples: Sequence[float]) -> float:
    """Return the standard deviation of two samples or more (n - 1)."""
    mean = math.fsum(samples) / len(samples)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in samples) / (len(samples) - 1))


def runs_for_mean(mean: float, spread: float, edge: float) -> int | None:
    """Return the fewest runs at which this mean and standard deviation would clear `edge`; None where none would."""
    gap = abs(mean - edge)
    if not gap > 0:
        return None
    return _least(lambda n: student_quantile(1 - TAIL, n - 1) * spread <= gap * math.sqrt(n), 2)


def quantile_ranks(n: int, q: float) -> tuple[int | None, int | None]:
    """Return the ranks (from 1) of the sorted values that bound the q-quantile from below and above, None: none does.

    Distribution-free: the r-th value is an upper bound where P(Binomial(n, q) ≤ r - 1) ≥ 95 %, and a lower one where
    P(Binomial(n, q) ≤ r - 1) ≤ 5 %. P99 has no upper one under 299 values.
    """
    upper = _first_rank(n, lambda rank: binomial_share(rank - 1, n, q) >= 1 - TAIL)
    above = _first_rank(n, lambda rank: binomial_share(rank - 1, n, q) > TAIL)
    lower = n if above is None else above - 1
    return lower or None, upper


def _first_rank(n: int, holds: Callable[[int], bool]) -> int | None:
    if n < 1 or not holds(n):
        return None
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def quantile_bounds(counts: Sequence[tuple[float, int]], q: float) -> Interval:
    """Return the bounds of the q-quantile of values with their counts; an end that no rank bounds is infinite.

    Quantities without a bound below have 0 as their own, which the caller knows.
    """
    ordered = sorted((value, count) for value, count in counts if count > 0)
    lower, upper = quantile_ranks(sum(count for _, count in ordered), q)
    return (
        -math.inf if lower is None else _at(ordered, lower),
        math.inf if upper is None else _at(ordered, upper),
    )


def _at(ordered: Sequence[tuple[float, int]], rank: int) -> float:
    seen = 0
    for value, count in ordered:
        seen += count
        if seen >= rank:
            return value
    raise ValueError(f"rank {rank} of {seen}")


def values_for_quantile(below: float, q: float) -> int | None:
    """Return the fewest values that would bound the q-quantile by an edge that `below` (a share) of them lie under.

    `below` of 1 asks for the fewest of all: 299 for P99, 59 for P95, 5 for the median.
    """
    return trials_for_share(below, q)


def difference_of_shares(base: tuple[float, float], other: tuple[float, float]) -> Estimate:
    """Return other - base of two independent shares, given as (successes, n), with Newcombe's bounds at 95 % a side."""
    one, two = (Estimate(successes / n, wilson_bounds(successes, n), n) for successes, n in (base, other))
    return apart(one, two)


def paired_difference(base: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return the mean of other - base over the same items, in the same order, with Student's bounds at 95 % a side.

    Raises ValueError where they are not equally many.
    """
    differences = [two - one for one, two in zip(base, other, strict=True)]
    if not differences:
        return Estimate()
    return Estimate(math.fsum(differences) / len(differences), mean_bounds(differences), len(differences))
