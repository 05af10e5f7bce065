"""Numbers to a line of eight block heights.

A pure function of numbers and a width; no widget, no colour.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS: Final = "▁▂▃▄▅▆▇█"
BAD: Final = "✖"
GAP: Final = " "


def spark(values: Sequence[float | None], width: int) -> str:
    """Return the newest part of `values` as exactly `width` characters, oldest left, padded on the left.

    More values than characters are binned evenly; a bin shows its mean, or ``✖`` if it holds a NaN or an infinity
    (a spark must never hide one). None is a gap. Heights span the finite range; a flat series sits in the middle.
    """
    if width <= 0:
        return ""
    bins = _bins(values, width)
    finite = [value for value in bins if value is not None and math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return "".join(_glyph(value, low, high) for value in bins).rjust(width, GAP)


def _bins(values: Sequence[float | None], width: int) -> list[float | None]:
    count = len(values)
    if count <= width:
        return list(values)
    out: list[float | None] = []
    for i in range(width):
        part = [v for v in values[i * count // width : (i + 1) * count // width] if v is not None]
        # Dividing before adding keeps the mean of huge values finite.
        out.append(math.fsum(v / len(part) for v in part) if all(map(math.isfinite, part)) else math.nan)
        if not part:
            out[-1] = None
    return out


def _glyph(value: float | None, low: float, high: float) -> str:
    if value is None:
        return GAP
    if not math.isfinite(value):
        return BAD
    if high <= low:
        return BLOCKS[3]
    # Halves first: high - low of two huge numbers may overflow.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return BLOCKS[min(7, int(share * 8))] if math.isfinite(share) else BLOCKS[3]
