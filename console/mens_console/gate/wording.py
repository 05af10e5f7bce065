"""How values, bands and samples read in a verdict's sentence. Pure functions from values to short plain text."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from mens_console.signals.human import duration, step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.gate.types import Band, Profile

_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_LARGE: Final = 1e15
_FULL: Final = 17
"""Significant digits that tell any two floats apart."""


def figure(value: float, edges: Iterable[float] = ()) -> str:
    """Format a value in four digits, or as many as keep it on its side of every edge: 99.8999 is not 99.9."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    told = [edge for edge in edges if math.isfinite(edge)]
    for digits in range(4, _FULL):
        shown = float(f"{value:.{digits}g}")
        if all(_side(shown, edge) == _side(value, edge) for edge in told):
            break
    else:
        digits = _FULL
    if value == int(value) and abs(value) < 1e9:
        return step(int(value))
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < _LARGE else text


def _side(value: float, edge: float) -> int:
    return (value > edge) - (value < edge)


def quantity(value: float, unit: str, edges: Iterable[float] = ()) -> str:
    """Format a value with its unit: `121.4 tokens/s`, `99.95 %`."""
    return f"{figure(value, edges)} {unit}".rstrip()


def condition(band: Band) -> str:
    """Return what a band asks for, as the profile words it where it does: `≥ 115`, `105..115`."""
    if band.text:
        return band.text
    low, high = figure(band.low), figure(band.high)
    if math.isinf(band.low) and math.isinf(band.high):
        return "any value"
    if math.isinf(band.high):
        return f"{'≥' if band.low_closed else '>'} {low}"
    if math.isinf(band.low):
        return f"{'≤' if band.high_closed else '<'} {high}"
    return f"{low} {'≤' if band.low_closed else '<'} … {'≤' if band.high_closed else '<'} {high}"


def edges(*bands: Band | None) -> tuple[float, ...]:
    """Return the finite ends of the bands."""
    ends = (end for band in bands if band is not None for end in (band.low, band.high))
    return tuple(end for end in ends if math.isfinite(end))


def numbers(*texts: str | None) -> tuple[float, ...]:
    """Return the numbers in conditions such as `>=115`, so that a value is told on its side of them."""
    return tuple(float(one) for text in texts if text for one in _NUMBER.findall(text))


def sample(n: int | None) -> str:
    """Return `n=5`, or that nobody says."""
    return "n not told" if n is None else f"n={step(n)}"


def bounds(interval: tuple[float, float] | None, ends: Iterable[float] = ()) -> str:
    """Return `95 % bounds 118.9 and 123.9`; an end that does not exist reads `none`."""
    if interval is None:
        return ""
    told = tuple(ends)
    low, high = ("none" if math.isinf(end) else figure(end, told) for end in interval)
    return f"95 % bounds {low} and {high}"


def age(seconds: float) -> str:
    """Return how old something is."""
    return duration(max(seconds, 0.0))


def short(path: str) -> str:
    """Return a path's last two names, which a sentence has room for; evidence keeps the whole."""
    names = path.rsplit("/", 2)
    return "/".join(names[-2:]) if len(names) > 2 and names[0] else path


def summary(profile: Profile) -> str:
    """Return what a profile asks for, in a line."""
    deciding = sum(one.decides for one in profile.criteria)
    parts = [f"{deciding} criteria decide"]
    if manual := sum(one.manual for one in profile.criteria):
        parts[0] += f" ({manual} marked by a person)"
    if explaining := len(profile.criteria) - deciding:
        parts.append(f"{explaining} explain")
    parts.append("CONDITIONAL passes with owner and date" if profile.conditional_passes else "CONDITIONAL blocks")
    parts.append(f"{profile.approvals} approval" + "s" * (profile.approvals != 1))
    if profile.unsigned:
        parts.append("may go unsigned")
    if profile.template:
        parts.append("a template to copy and fill in")
    return ", ".join(parts)
