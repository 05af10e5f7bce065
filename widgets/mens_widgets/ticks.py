"""Where an axis is labelled and how a number is written on it.

Pure functions of numbers; no widget, no clock (the time zone is given).
"""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import tzinfo

SI: Final = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
FINER: Final = 4
"""Steps that are tried for two ticks: each is the next smaller nice one, and the third is within half of the span."""
TIME_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR, 7200, 10800, 21600, 43200, DAY)


def nice_step(span: float, count: int) -> float:
    """Return the smallest 1, 2 or 5 × 10^k with which `span` needs at most about `count` steps."""
    rough = span / max(count, 1)
    if not (rough > 0 and math.isfinite(rough)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    if power == 0.0:
        return rough
    return next((nice * power for nice in (1, 2, 5) if nice * power >= rough * (1 - 1e-9)), 10 * power)


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Return multiples of a nice step within [low, high], about `count` of them, and two at least: one is no scale."""
    step, first, last = nice_step(high - low, count), 0, 0
    for _ in range(FINER):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last > first:
            break
        step = nice_step(0.4 * step, 1)
    if not first < last <= first + 4 * count + 4:  # the step drowns in the magnitude of the values: none is round
        return [low, high] if low < high else [low]
    return [i * step for i in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Return powers of ten, as exponents, within the exponents [low, high]; 1-2-5 steps where those are too few."""
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    if last - first >= 1:
        stride = max(1, math.ceil((last - first + 1) / max(count, 1)))
        return [float(e) for e in range(first, last + 1, stride)]
    return [
        e
        for decade in range(math.floor(low) - 1, math.ceil(high) + 1)
        for nice in (1, 2, 5)
        if low - 1e-9 <= (e := decade + math.log10(nice)) <= high + 1e-9
    ] or [low, high]


def time_ticks(low: float, high: float, count: int, offset: float = 0.0) -> list[float]:
    """Return times in [low, high] s, on round seconds, minutes, hours or days of a zone `offset` s from UTC."""
    rough = (high - low) / max(count, 1)
    if rough < 1:
        return linear_ticks(low, high, count)
    step = next((s for s in TIME_STEPS if s >= rough), DAY * math.ceil(rough / DAY))
    first, last = math.ceil((low + offset) / step), math.floor((high + offset) / step)
    return [i * step - offset for i in range(first, last + 1)]


def format_value(value: float, digits: int = 4) -> str:
    """Return a number in at most `digits` significant digits: plain, with an SI suffix from 10 000, or as 2.5e-5."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size = abs(value)
    if size == 0:
        return "0"
    if 1e4 <= size < 1e18:
        group = min(int(math.log10(size)) // 3, 5)
        return f"{_plain(value / 1000.0**group, digits)}{SI[group]}"
    return _plain(value, digits) if 1e-3 <= size < 1e18 else _scientific(value, max(digits - 2, 1))


def _plain(value: float, digits: int) -> str:
    """Return a number without an exponent, however few digits are asked for."""
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float, decimals: int) -> str:
    """Return 2e-5 rather than 2.0e-05: a gutter is six characters wide."""
    mantissa, _, exponent = f"{value:.{decimals}e}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def format_ticks(ticks: list[float]) -> list[str]:
    """Return the labels of one axis: as few digits as still tell neighbours apart, the same SI unit for all."""
    biggest = max((abs(tick) for tick in ticks), default=0.0)
    if biggest == 0:
        return ["0" for _ in ticks]
    gaps = [abs(b - a) for a, b in pairwise(ticks) if a != b]
    gap = min(gaps, default=biggest)
    if biggest >= 1e18 or biggest < 1e-3:
        digits = max(0, min(12, math.floor(math.log10(biggest) + 1e-9) - math.floor(math.log10(gap) + 1e-9)))
        return ["0" if tick == 0 else _scientific(tick, digits) for tick in ticks]
    group = min(int(math.log10(biggest)) // 3, 5) if biggest >= 1e4 else 0
    unit = 1000.0**group
    decimals = max(0, min(12, -math.floor(math.log10(gap / unit) + 1e-9)))
    return [f"{tick / unit:.{decimals}f}{SI[group] if tick else ''}" for tick in ticks]


def format_duration(seconds: float) -> str:
    """Return a span of time in its two largest units: 0s, 45s, 12m30s, 3h05m, 2d04h."""
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    if not math.isfinite(rest):
        return "—"
    if rest < MINUTE:
        return f"{sign}{rest:.3g}s" if rest else "0s"
    whole = round(rest)
    if whole < HOUR:
        return f"{sign}{whole // MINUTE}m" + (f"{whole % MINUTE:02d}s" if whole % MINUTE else "")
    if whole < DAY:
        return f"{sign}{whole // HOUR}h" + (f"{whole % HOUR // MINUTE:02d}m" if whole % HOUR // MINUTE else "")
    return f"{sign}{whole // DAY}d" + (f"{whole % DAY // HOUR:02d}h" if whole % DAY // HOUR else "")


def format_clock(at: float, span: float, zone: tzinfo | None = None) -> str:
    """Return the time of day of `at` (seconds since the epoch), with the date where `span` covers more than a day."""
    try:
        moment = datetime.fromtimestamp(at, zone)
    except (ValueError, OverflowError, OSError):
        return format_value(at)
    if span > 2 * DAY:
        return moment.strftime("%m-%d %H:%M")
    return moment.strftime("%H:%M:%S" if span < HOUR else "%H:%M")


def zone_offset(at: float, zone: tzinfo | None = None) -> float:
    """Return the zone's distance from UTC in seconds at that time (of the machine's own zone for None)."""
    try:
        offset = datetime.fromtimestamp(at, zone).astimezone(zone).utcoffset()
    except (ValueError, OverflowError, OSError):
        offset = None
    return offset.total_seconds() if offset else 0.0
