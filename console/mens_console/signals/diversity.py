"""How varied generations are: entropy of the opening moves, and how many different anchors a draw of mentions holds.

Counts in, numbers out: every function takes how often each kind occurred, in any order, and gives the same number for
the same counts to the last bit. Entropies are in nats unless a base is given. No I/O, no clock.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

S1_BATCH: Final = 1000
"""Attempts in the batch that the bands of the anchor ratio were written for."""
_Z95: Final = 1.959963984540054


def _positive(counts: Iterable[int]) -> list[int]:
    found = [count for count in counts if count]
    if found and min(found) < 0:
        raise ValueError(f"a kind cannot occur {min(found)} times")
    return found


def entropy(counts: Iterable[int], base: float = math.e) -> float:
    """Return Shannon's entropy of the shares, -Σ p log p, of counts such as `Counter(…).values()`.

    In nats by default (`base` 2: bits). NaN where nothing was counted; ValueError for a negative count.
    """
    found = _positive(counts)
    n = sum(found)
    if not n:
        return math.nan
    # ln n - (1/n) Σ c ln c: one logarithm a kind; exact 0 for a single kind, and never a negative zero.
    nats = math.log(n) - math.fsum([c * math.log(c) for c in found]) / n if len(found) > 1 else 0.0
    return max(nats, 0.0) / (math.log(base) if base != math.e else 1.0)


def miller_madow(counts: Iterable[int], base: float = math.e) -> float:
    """Return the entropy with Miller and Madow's correction: + (kinds seen - 1) / 2n nats.

    The plain entropy of a sample is too low by about that much, the more so the smaller the sample (Miller 1955). NaN
    where nothing was counted.
    """
    found = _positive(counts)
    if not found:
        return math.nan
    return entropy(found, base) + (len(found) - 1) / (2 * sum(found)) / (math.log(base) if base != math.e else 1.0)


def entropy_interval(counts: Iterable[int], z: float = _Z95) -> tuple[float, float]:
    """Return the interval of the corrected entropy in nats, 95 % by default; (NaN, NaN) where nothing was counted.

    Normal, with the variance of the plain estimate to second order, (Σ p ln² p - H²) / n + (K - 1) / 2n² (Harris
    1975): the first term vanishes for equal shares, where the second alone is left. Never below 0.
    """
    found = _positive(counts)
    n = sum(found)
    if not n:
        return math.nan, math.nan
    plain = entropy(found)
    spread = math.fsum([c / n * math.log(c / n) ** 2 for c in found]) - plain * plain
    half = z * math.sqrt(max(spread, 0.0) / n + (len(found) - 1) / (2 * n * n))
    middle = plain + (len(found) - 1) / (2 * n)
    return max(middle - half, 0.0), middle + half


def effective(nats: float) -> float:
    """Return how many equally frequent kinds have this entropy: e^H."""
    return math.exp(nats)


def evenness(counts: Iterable[int]) -> float:
    """Return H / Hmax in [0, 1], Hmax the entropy if all kinds seen were equally frequent; NaN of fewer than two."""
    found = _positive(counts)
    return min(entropy(found) / math.log(len(found)), 1.0) if len(found) > 1 else math.nan


def rarefied(counts: Iterable[int], draw: int) -> float:
    """Return how many different kinds are expected among `draw` items taken from these without replacement.

    Hurlbert's rarefaction, exact: Σ (1 - C(n - c, draw) / C(n, draw)), the binomials by their logarithms. Unlike the
    number of kinds itself it does not grow with the size of the sample. NaN where there are fewer items than `draw`.
    """
    often = Counter(counts)  # kinds by how often they occurred: few different numbers, however many kinds
    n = sum(count * kinds for count, kinds in often.items())
    if often and min(often) < 0:
        raise ValueError(f"a kind cannot occur {min(often)} times")
    if draw < 1 or n < draw:
        return math.nan
    if n == draw:
        return float(often.total() - often[0])
    whole = math.lgamma(n + 1) - math.lgamma(n - draw + 1)
    parts = []
    for count, kinds in often.items():
        left = n - count
        missed = 0.0
        if left >= draw:
            missed = math.exp(math.lgamma(left + 1) - math.lgamma(left - draw + 1) - whole)
        parts.append(kinds * (1.0 - missed))
    return math.fsum(parts)


def heaps(kinds: float, mentions: float, fewer_kinds: float, fewer: float) -> float:
    """Return Heaps' exponent: kinds grow as mentions^β, from the kinds among all mentions and among `fewer` of them.

    NaN where the two are too near each other (less than a factor of 1.05) to tell.
    """
    if not (fewer >= 1 and mentions >= 1.05 * fewer and fewer_kinds > 0 and kinds > 0):
        return math.nan
    return min(max(math.log(kinds / fewer_kinds) / math.log(mentions / fewer), 0.0), 1.0)


def ratio_at(ratio: float, attempts: int, exponent: float, batch: int = S1_BATCH) -> float:
    """Return what the ratio different anchors / attempts would read in a batch of another size, by Heaps' law.

    With kinds growing as n^β, the ratio falls as n^(β-1). NaN where the exponent is, unless the batch has that size.
    """
    return ratio * (batch / attempts) ** (exponent - 1.0) if attempts else math.nan
