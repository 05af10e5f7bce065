"""When requests are due: a pure function of the plan and the minute, so that a resumed soak goes on as it would have.

Nothing here knows what was sent.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from mens_console.soak.types import MINUTE

if TYPE_CHECKING:
    from mens_console.soak.types import Plan


def minutes(plan: Plan) -> int:
    """Return how many minutes the plan has, a last one that is not whole among them."""
    return max(math.ceil(plan.duration_s / MINUTE - 1e-9), 1)


def due(plan: Plan, minute: int) -> list[float]:
    """Return when the requests of a minute are due, ascending: seconds in the soak, rounded to microseconds.

    None is due at or after the plan's end. Request `j` of minute `m` has the id `[m, j]` wherever it is named.
    """
    begin = minute * MINUTE
    end = min(begin + MINUTE, plan.duration_s)
    if minute < 0 or begin >= end:
        return []
    return _constant(plan.rate, begin, end) if plan.arrivals == "constant" else _poisson(plan, minute, begin, end)


def _constant(rate: float, begin: float, end: float) -> list[float]:
    first, last = _first(rate, begin), _first(rate, end)
    return [round(number / rate, 6) for number in range(first, last)]


def _first(rate: float, t: float) -> int:
    """Return the number of the first request that is due at `t` or later, whichever way its quotient rounds."""
    number = max(math.ceil(t * rate) - 2, 0)
    while number / rate < t:
        number += 1
    return number


def _poisson(plan: Plan, minute: int, begin: float, end: float) -> list[float]:
    """Draw the gaps of one minute anew: a Poisson process remembers nothing, so each minute may begin afresh."""
    draw = Random(f"{plan.seed}/{minute}")  # noqa: S311 - arrivals, not secrets
    times, at = [], begin + draw.expovariate(plan.rate)
    while at < end:
        times.append(round(at, 6))
        at += draw.expovariate(plan.rate)
    return times
