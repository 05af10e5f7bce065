"""Percentiles as a tool told them, where they cannot be computed anew, with what they are percentiles of.

Each stands under its own name, so that raw gaps and means per request, or answers and failures, are never mixed.
Milliseconds throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from mens_console.gate.readers.numbers import count, number

MEANINGS: Final = {
    "ttft": "from sending to the first token, of successes",
    "itl": "between tokens, raw gaps of successes",
    "itl_mean": "between tokens, one mean a request: its tail says nothing of single gaps",
    "e2e": "from sending to the last token, of successes",
    "response": "response times of all requests, those that failed too",
    "first_byte": "from sending to the first byte, of all requests, those that failed too",
}
"""What the percentiles under each name of `Analysis.extra["told"]` are percentiles of."""
_FIGURES: Final = ("mean", "min", "p50", "p90", "p95", "p99", "max")


def told(name: str, figures: Mapping[str, Any], *, n: Any = None, times: float = 1.0) -> dict[str, Any] | None:
    """Return the figures of one of `MEANINGS` in ms, those that are numbers; None where none is.

    `times` brings the tool's unit to milliseconds; `n` is what the tool says that they rest on.
    """
    found = {key: number(figures.get(key)) * times for key in _FIGURES}
    kept: dict[str, Any] = {key: value for key, value in found.items() if math.isfinite(value) and value >= 0}
    if not kept or disorder(kept):
        return None
    return kept | {"n": count(n), "unit": "ms", "meaning": MEANINGS[name]}


def disorder(figures: Mapping[str, Any]) -> str:
    """Return why figures cannot be true: a lower percentile lies above a higher one; "" where none does."""
    known = [(key, number(figures.get(key))) for key in _FIGURES if key != "mean"]
    known = [(key, value) for key, value in known if math.isfinite(value)]
    for (low, below), (high, above) in pairwise(known):
        if below > above:
            return f"its {low} ({below:g}) lies above its {high} ({above:g})"
    return ""
