"""How one model's figure differs from another's, with a 95 % interval: on the same items where they match, else not.

Pure arithmetic in closed form. Every difference is other - base.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.signals.intervals import Estimate, mean_interval, median_ranks
from mens_console.signals.patterns import wilson
from mens_console.signals.series import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL: Final = 0.05


def apart(base: Estimate, other: Estimate) -> Estimate:
    """Return the difference of two independent estimates, its interval by square-and-add of theirs.

    For shares with Wilson's intervals this is Newcombe's hybrid score interval (1998, method 10); for other estimates
    the same recovery of variances (Zou and Donner 2008). No interval where either has none.
    """
    difference = _minus(other.value, base.value)
    if base.interval is None or other.interval is None or math.isnan(difference):
        return Estimate(difference, None, min(base.worth, other.worth))
    down = math.hypot(_gap(other.value, other.interval[0]), _gap(base.interval[1], base.value))
    up = math.hypot(_gap(other.interval[1], other.value), _gap(base.value, base.interval[0]))
    if math.isinf(difference):
        return Estimate(difference, None, min(base.worth, other.worth))
    return Estimate(difference, (difference - down, difference + up), min(base.worth, other.worth))


def _gap(high: float, low: float) -> float:
    return 0.0 if high == low else high - low


def _minus(left: float, right: float) -> float:
    """Subtract; two infinite times are equally long, as far as anybody waited."""
    return 0.0 if math.isinf(left) and left == right else left - right


def paired_shares(both: int, only_base: int, only_other: int, neither: int) -> Estimate:
    """Return the difference of two shares over the same items, with Newcombe's paired interval (1998, method 10).

    The four counts say on how many items both passed, only one did, or none. It is the hybrid score interval with the
    correlation of the pairs, corrected for continuity.
    """
    n = both + only_base + only_other + neither
    if not n:
        return Estimate()
    base, other = (both + only_base) / n, (both + only_other) / n
    low_base, high_base = wilson(both + only_base, n)
    low_other, high_other = wilson(both + only_other, n)
    phi = _correlation(both, only_base, only_other, neither)
    difference = other - base
    down = _combined(other - low_other, high_base - base, phi)
    up = _combined(high_other - other, base - low_base, phi)
    return Estimate(difference, (max(difference - down, -1.0), min(difference + up, 1.0)), n)


def _combined(one: float, two: float, phi: float) -> float:
    return math.sqrt(max(one * one - 2 * phi * one * two + two * two, 0.0))


def _correlation(both: int, only_base: int, only_other: int, neither: int) -> float:
    """Return φ of the pairs, 0 where a margin is empty, its numerator moved towards 0 by n/2 where it is positive."""
    margins = (both + only_base) * (only_other + neither) * (both + only_other) * (only_base + neither)
    if not margins:
        return 0.0
    top = both * neither - only_base * only_other
    if top > 0:
        top_corrected = max(top - (both + only_base + only_other + neither) / 2, 0.0)
        return top_corrected / math.sqrt(margins)
    return top / math.sqrt(margins)


def mcnemar(only_base: int, only_other: int) -> float:
    """Return McNemar's exact two-sided p: how probable so uneven a split of the items that differ is by chance."""
    n, fewer = only_base + only_other, min(only_base, only_other)
    if not n:
        return 1.0
    if n > 1000:
        distance = max(abs(only_base - only_other) - 1.0, 0.0)  # continuity
        return math.erfc(distance / math.sqrt(2.0 * n))
    tail = sum(math.comb(n, i) for i in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << n))


def paired_means(base: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return the mean of the items' differences with Student's interval; none where all differ by the same."""
    return mean_interval([two - one for one, two in zip(base, other, strict=True)])


def paired_median(base: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return the median of the items' differences with its distribution-free interval. Infinite values may enter.

    An item that neither finished differs by 0: nothing tells them apart.
    """
    differences = sorted(_minus(two, one) for one, two in zip(base, other, strict=True))
    n = len(differences)
    if not n:
        return Estimate()
    low, high = differences[(n - 1) // 2], differences[n // 2]
    middle = low if low == high else (low + high) / 2
    ranks = median_ranks(n)
    return Estimate(middle, None if ranks is None else (differences[ranks[0] - 1], differences[ranks[1] - 1]), n)


def paired_ratios(
    base: tuple[Sequence[float], Sequence[float]], other: tuple[Sequence[float], Sequence[float]]
) -> Estimate:
    """Return the difference of two ratios of sums over the same items, the jackknife leaving an item out of both.

    Each argument holds tops and bottoms by item, in the same order.
    """
    n = len(base[0])
    sums = [(math.fsum(tops), math.fsum(bottoms)) for tops, bottoms in (base, other)]
    if not n or any(bottom <= 0 for _, bottom in sums):
        return Estimate(worth=n)
    (base_top, base_bottom), (other_top, other_bottom) = sums
    difference = other_top / other_bottom - base_top / base_bottom
    left_out = [
        (other_top - ot) / (other_bottom - ob) - (base_top - bt) / (base_bottom - bb)
        for bt, bb, ot, ob in zip(*base, *other, strict=True)
        if other_bottom - ob > 0 and base_bottom - bb > 0
    ]
    if n < 2 or len(left_out) < n:
        return Estimate(difference, None, n)
    middle = math.fsum(left_out) / n
    error = math.sqrt((n - 1) / n * math.fsum((value - middle) ** 2 for value in left_out))
    if not error:
        return Estimate(difference, None, n)
    half = t_quantile(0.95, n - 1) * error
    return Estimate(difference, (difference - half, difference + half), n)
