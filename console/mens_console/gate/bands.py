"""Band expressions of profiles, and where two bands leave a gap or lie over one another. Pure functions.

`>=115`, `>115`, `<=9`, `<100`, `==0`; `105..115` holds both of its ends; two comparisons are joined by a comma, as in
`>=5, <10`. What passes is asked first, so that `105..115` beside `>=115` means below 115.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import Final

from mens_console.gate.types import Band, Better

_NUMBER: Final = r"([+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?)"
_COMPARED: Final = re.compile(rf"\s*(>=|≥|>|<=|≤|<|==|=)\s*{_NUMBER}\s*")
_RANGE: Final = re.compile(rf"\s*{_NUMBER}\s*\.\.\s*{_NUMBER}\s*")
CURE: Final = "write a band such as >=115, <100, 105..115 or >=5, <10"


class BandError(ValueError):
    """The expression is no band; the message says why."""


def parse(text: str) -> Band:
    """Return the band that an expression means. Raises `BandError`."""
    if found := _RANGE.fullmatch(text):
        return _checked(Band(float(found[1]), float(found[2]), text=text.strip()))
    low, high = -math.inf, math.inf
    low_closed = high_closed = True
    seen: set[str] = set()
    for part in text.split(","):
        compared = _COMPARED.fullmatch(part)
        if compared is None:
            raise BandError(f"{part.strip()!r} is no condition" if part.strip() else "there is no condition")
        sign, value = compared[1], float(compared[2])
        sides = {"low", "high"} if "=" in sign[:1] else {"low"} if sign[0] in ">≥" else {"high"}
        if seen & sides:
            raise BandError("it says one side twice")
        seen |= sides
        closed = sign not in (">", "<")
        if "low" in sides:
            low, low_closed = value, closed
        if "high" in sides:
            high, high_closed = value, closed
    return _checked(Band(low, high, low_closed, high_closed, text.strip()))


def _checked(band: Band) -> Band:
    if band.low > band.high or (band.low == band.high and not (band.low_closed and band.high_closed)):
        raise BandError("no value lies in it")
    if not any(math.isfinite(end) for end in (band.low, band.high)):
        raise BandError("it has no finite end")
    return band


def faults(
    passes: Band,
    conditional: Band | None = None,
    fails: Band | None = None,
    *,
    better: Better = "higher",
    limits: tuple[float, float] = (-math.inf, math.inf),
    whole: bool = False,
    part: bool = False,
) -> list[str]:
    """Return how the bands of a criterion do not fit together, in words: gaps, overlaps, wrong sides.

    `limits` are the least and the largest value that there can be, such as 0 and 100 for a share in percent; `whole`
    values leave no gap between 1 and 2. Where nothing says `fails`, all that lies beyond the other bands does; a `part`
    of a criterion need not fail on its own.
    """
    sign = 1.0 if better == "higher" else -1.0
    worst, best = sorted(sign * limit for limit in limits)
    found = []
    bands = [("pass", _turned(passes, sign))]
    bands += [("conditional", _turned(conditional, sign))] if conditional is not None else []
    bands += [("fail", _turned(fails, sign))] if fails is not None else []
    top = bands[0][1]
    if top.low <= worst:
        found.append(f"pass holds however bad the value is, and {better} is better")
    elif top.high < best:
        found.append(f"gap: a value beyond {_said(top.high, sign)} is better, and does not pass")
    for (upper_name, upper), (name, lower) in itertools.pairwise(bands):
        found += _between(upper_name, upper, name, lower, sign, whole=whole)
    if conditional is not None and fails is None and not part and bands[-1][1].low <= worst:
        found.append("conditional holds however bad the value is: nothing fails")
    if fails is not None and bands[-1][1].low > worst:
        found.append(f"gap: a value worse than {_said(bands[-1][1].low, sign)} lies in no band")
    return found


def _turned(band: Band, sign: float) -> Band:
    """Return the band on an axis on which higher is better."""
    if sign > 0:
        return band
    return Band(-band.high, -band.low, band.high_closed, band.low_closed, band.text)


def _between(upper_name: str, upper: Band, name: str, lower: Band, sign: float, *, whole: bool) -> list[str]:
    """Compare a band with the next worse one."""
    if lower.high < upper.low:
        first = math.floor(lower.high) + 1 if lower.high_closed else math.ceil(lower.high)
        last = math.ceil(upper.low) - 1 if upper.low_closed else math.floor(upper.low)
        if whole and first > last:
            return []
        return [f"gap: between {name} and {upper_name}, from {_said(lower.high, sign)} to {_said(upper.low, sign)}"]
    if lower.high == upper.low:
        if not lower.high_closed and not upper.low_closed:
            return [f"gap: {_said(upper.low, sign)} itself lies neither in {upper_name} nor in {name}"]
        if name == "fail" and lower.high_closed and upper.low_closed:
            return [f"overlap: {_said(upper.low, sign)} lies in {upper_name} and in fail"]
        return []
    if lower.low >= upper.high:
        return [f"{name} lies on the better side of {upper_name}"]
    return [f"overlap: {name} and {upper_name} both hold {_said(upper.low, sign)} to {_said(lower.high, sign)}"]


def _said(value: float, sign: float) -> str:
    return f"{sign * value + 0.0:.12g}"
