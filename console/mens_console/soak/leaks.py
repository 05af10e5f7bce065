"""Whether what should stay level grows: Theil and Sen's slope, with an interval that admits that samples hang together.

Numbers in, `Leak` out; no I/O, no clock. Times are minutes of the soak, slopes are per hour.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mens_console.signals.human import some, span
from mens_console.soak.types import Leak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

UNITS: Final = {"rss": "bytes", "gpu_memory": "bytes", "kv_cache": "share"}
POINTS: Final = 240
"""More samples are taken together: medians of equal spans."""
LEAST: Final = 10
"""Points below which nothing is said."""
WARM_SHARE, WARM_LEAST, WARM_MOST = 0.1, 5.0, 60.0
"""What is left out of the beginning, where caches and pools fill: this share of it, within these minutes."""
GROWS: Final = 0.01
"""Share of the level (of a share: points) by which a sure slope moves it over the soak's length, if it is not level."""
UNSURE: Final = 0.1
"""The same for the interval's ends: where both stay below, it is level; else nobody knows."""
_FLOORS: Final = 6
"""Parts whose minima tell a floor that rises from teeth that start at the same place again."""
_FLOOR_SHARE: Final = 0.25
WORTH: Final = 20.0
"""Independent points that the points must be worth before a slope is believed, unless each part lies above the last."""
HORIZON_H: Final = 72.0
"""Over how long a slope is judged at least, however short the soak: what a server is to stand."""
_Z95: Final = 1.959963984540054


def leak(
    name: str, minutes: Numbers, values: Numbers, *, limit: float | None = None, planned_h: float = HORIZON_H
) -> Leak:
    """Return how a level grows that was sampled once in each of these minutes, NaN where it was not.

    The slope is the median of the slopes between any two points (Theil 1950, Sen 1968), the interval Sen's at 95 %,
    from the variance of Kendall's statistic; that is multiplied where the points' ranks about the slope are
    autocorrelated (Hamed and Rao 1998), because ten samples of one slow wave are no ten samples.
    """
    unit = UNITS.get(name, "")
    told = np.isfinite(values)
    x, y = minutes[told] / 60, values[told]
    last = float(y[-1]) if len(y) else None
    warm = _warm(x)
    x, y = x[x >= (x[0] if len(x) else 0.0) + warm], y[x >= (x[0] if len(x) else 0.0) + warm]
    n = len(y)
    x, y = _medians(x, y)
    if len(y) < LEAST:
        note = (
            f"{some(n, 'sample')} after the first {span(warm * 3600)}: at least {LEAST} are needed"
            if last is not None
            else ""
        )
        reached = 0.0 if _reached(limit, last) else None
        return Leak(name, unit, n, last, None, None, limit, reached, "nodata", reached, note)
    slope, interval = theil_sen(x, y)
    level = 1.0 if unit == "share" else float(np.median(np.abs(y))) or float(np.max(np.abs(y)))
    verdict, why = _verdict(x, y, slope, interval, level, max(planned_h, HORIZON_H))
    note = "; ".join(one for one in (f"the first {span(warm * 3600)} left out", why) if one)
    left, soonest = _to_limit(y, slope, interval[1], limit, last, verdict)
    return Leak(name, unit, n, last, slope, interval, limit, left, verdict, soonest, note)


def _warm(hours: Numbers) -> float:
    """Return the hours that are left out of the beginning."""
    took = 60 * float(hours[-1] - hours[0]) if len(hours) else 0.0
    return min(max(WARM_SHARE * took, WARM_LEAST), WARM_MOST) / 60


def _medians(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """Return at most `POINTS` points: medians of as many samples each, the newest of a number left over left out."""
    width = -(-len(y) // POINTS)
    if width <= 1:
        return x, y
    whole = len(y) // width * width
    return x[:whole].reshape(-1, width).mean(axis=1), np.median(y[:whole].reshape(-1, width), axis=1)


def theil_sen(x: Numbers, y: Numbers) -> tuple[float, tuple[float, float]]:
    """Return the slope of points in ascending x, and its 95 % interval, for `LEAST` points or more."""
    first, second = np.triu_indices(len(x), 1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    slope = float(np.median(slopes))
    n, pairs = len(y), len(slopes)
    variance = n * (n - 1) * (2 * n + 5) / 18 * inflation(y - slope * x)
    outer = max(math.floor((pairs - math.ceil(_Z95 * math.sqrt(variance))) / 2) - 1, 0)
    return slope, (float(slopes[outer]), float(slopes[pairs - 1 - outer]))


def inflation(left: Numbers) -> float:
    """Return by what the variance of Kendall's statistic is multiplied for what is left about a slope; at least 1.

    Hamed and Rao's 1 + 2/(n(n-1)(n-2)) · Σ (n-k)(n-k-1)(n-k-2) · r(k), r the autocorrelation of ranks. The sum ends at
    the first lag whose correlation is not beyond chance: later ones are noise, and negative ones would narrow it.
    """
    n = len(left)
    ranks = _ranks(left)
    ranks = ranks - ranks.mean()
    below = float(ranks @ ranks)
    if n < 3 or below <= 0:
        return 1.0
    total = 0.0
    for lag in range(1, n - 2):
        r = float(ranks[lag:] @ ranks[:-lag]) / below
        if r <= _Z95 / math.sqrt(n):
            break
        total += (n - lag) * (n - lag - 1) * (n - lag - 2) * r
    return 1 + 2 * total / (n * (n - 1) * (n - 2))


def _ranks(values: Numbers) -> Numbers:
    """Return ranks from 0, equal ones for equal values."""
    kinds, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(kinds) == 1:
        return np.zeros(len(values))
    ends = np.cumsum(counts)
    middle: Numbers = (ends - (counts + 1) / 2)[place]
    return middle


def _verdict(
    x: Numbers, y: Numbers, slope: float, interval: tuple[float, float], level: float, planned_h: float
) -> tuple[Literal["level", "growing", "shrinking", "undecided"], str]:
    """Judge the slope by what it comes to over the soak's length, as a share of the level; of a share, in points."""
    low, high = interval
    if level == 0:
        return "level", "it is zero throughout"
    over = planned_h / level
    if low <= 0 <= high:
        if max(-low, high) * over <= UNSURE:
            return "level", ""
        most = max(-low, high) * over
        told = f"{100 * most:.0f} %" if most < 10 else f"{most:.0f} times what there is"
        return "undecided", f"the interval holds 0, and up to {told} in {planned_h:g} h"
    if abs(slope) * over < GROWS:
        return "level", f"it moves by {abs(slope) * over:.2%} in {planned_h:g} h"
    rises, in_order = _floor(x, y, slope)
    if rises < _FLOOR_SHARE:
        return "undecided", "it falls back to where it was: collected, or started anew"
    worth = len(y) / inflation(y - slope * x)
    if worth < WORTH and not in_order:
        return "undecided", f"its waves are slow: {len(y)} points are worth {worth:.0f} independent ones"
    return ("growing", "") if slope > 0 else ("shrinking", "")


def _floor(x: Numbers, y: Numbers, slope: float) -> tuple[float, bool]:
    """Return the slope of the minima of equal parts as a share of the slope, and whether each lies above the last.

    Of a falling level the maxima are taken, downwards.
    """
    sign = 1.0 if slope > 0 else -1.0
    parts = np.array_split(np.arange(len(y)), _FLOORS)
    ends = np.array([np.min(sign * y[part]) for part in parts])
    middles = np.array([np.mean(x[part]) for part in parts])
    first, second = np.triu_indices(_FLOORS, 1)
    steepness = float(np.median((ends[second] - ends[first]) / (middles[second] - middles[first])))
    return steepness / abs(slope), bool((np.diff(ends) > 0).all())


def _reached(limit: float | None, last: float | None) -> bool:
    """Whether a level is at its limit, wherever it leads."""
    return limit is not None and last is not None and last >= limit


def _to_limit(
    y: Numbers, slope: float, high: float, limit: float | None, last: float | None, verdict: str
) -> tuple[float | None, float | None]:
    """Return the seconds until the limit at the slope and at the interval's end; None where it leads elsewhere."""
    if _reached(limit, last):
        return 0.0, 0.0
    if limit is None or last is None or verdict not in ("growing", "undecided"):
        return None, None
    room = max(limit - max(last, float(y[-1])), 0.0)
    left = room / slope * 3600 if verdict == "growing" and slope > 0 else None
    return left, room / high * 3600 if high > 0 else None
