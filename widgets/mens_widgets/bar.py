"""A fraction to a thin bar of eighth blocks.

A pure function of a number and a width; no widget, no colour.
"""

from __future__ import annotations

import math
from typing import Final

EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
TRACK: Final = "░"


def bar(fraction: float | None, width: int) -> str:
    """Return a bar of exactly `width` characters that is full at `fraction` 1.

    More than 1 ends in ``+``; None or a non-finite fraction gives an empty track of ``·`` (unknown is not zero).
    A bar is full only when the fraction is: 0.999 never rounds up to done.
    """
    if width <= 0:
        return ""
    if fraction is None or not math.isfinite(fraction):
        return "·" * width
    if fraction > 1:
        return "█" * (width - 1) + "+"
    eighths = math.floor(max(fraction, 0.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    filled = "█" * whole + (EIGHTHS[rest] if rest else "")
    return filled + TRACK * (width - len(filled))
