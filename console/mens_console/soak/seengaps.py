"""The gaps between tokens that somebody saw: those of chunks that came in one read with the one before are none.

Where these are many, percentiles with them would tell less than was waited; the benchmark does the same. Pure.
"""

from __future__ import annotations

from typing import Final

from mens_console.load.histogram import Histogram, key, value
from mens_console.signals.human import percent

MOST_AT_ONCE: Final = 0.05
"""Share of the gaps up to which those of nothing stay among them."""
_NOTHING: Final = key(0.0)


def seen(gaps: Histogram) -> tuple[Histogram, str]:
    """Return the gaps that percentiles are taken of, and what to say of those that were left out; "" where none was."""
    at_once = gaps.counts.get(_NOTHING, 0)
    if at_once <= MOST_AT_ONCE * gaps.n:
        return gaps, ""
    made = Histogram()
    made.counts.update({bucket: count for bucket, count in gaps.counts.items() if bucket != _NOTHING})
    made.n = gaps.n - at_once
    if made.n:
        made.total, made.least, made.greatest = gaps.total, value(min(made.counts)), gaps.greatest
    return made, (
        f"{percent(at_once / gaps.n)} of the chunks came in one read with the one before (something gathers them, or "
        "this box was busy): such gaps of 0 are in no percentile of all raw gaps, but in those of single minutes"
    )
