"""What many measurements come to: percentiles of raw values with their exact counts, means with their spread. Pure."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PLACES: Final = 3
"""Decimals of a millisecond: a microsecond is below what a clock across a socket resolves."""


def counted(seconds: Iterable[float]) -> Counter[float]:
    """Return how often each duration occurred, in milliseconds to the microsecond."""
    return Counter(round(1000.0 * one, _PLACES) for one in seconds)


def latency(counts: Mapping[float, int]) -> dict[str, Any]:
    """Return the block `Latency` of counted milliseconds: all null, with n = 0, where there are none."""
    n = sum(counts.values())
    if not n:
        return {"n": 0, "p50": None, "p95": None, "p99": None, "counts": []}
    values = sorted(counts)
    mean = math.fsum(value * counts[value] for value in values) / n
    squares = math.fsum(counts[value] * (value - mean) ** 2 for value in values)
    return {
        "n": n,
        "p50": quantile(counts, 0.50),
        "p95": quantile(counts, 0.95),
        "p99": quantile(counts, 0.99),
        "mean": round(mean, _PLACES),
        "sd": round(math.sqrt(squares / (n - 1)), _PLACES) if n > 1 else None,
        "max": values[-1],
        "counts": [[value, counts[value]] for value in values],
        "relative_error": 0.0,
    }


def quantile(counts: Mapping[float, int], share: float) -> float | None:
    """Return the smallest value that at least `share` of all do not exceed; None of none."""
    wanted = max(math.ceil(share * sum(counts.values()) - 1e-9), 1)
    reached = 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= wanted:
            return value
    return None


def mean_and_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the mean (None of nothing) and the sample standard deviation (None below two)."""
    return (fmean(values) if values else None), (stdev(values) if len(values) > 1 else None)
