"""A whole series in a few blocks, for a cell of a table.

It loads no numpy until there is a series, because the fleet's first paint needs this module.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mens_widgets.sparkline import spark

if TYPE_CHECKING:
    from mens_console.store.series import SeriesView


def spark_of(series: SeriesView | None, width: int) -> str:
    """Return a whole series as one line of blocks; a column of nothing but bad values shows ``✖``."""
    if series is None or (bounds := series.bounds("step")) is None:
        return " " * width
    import numpy as np

    first, last = bounds
    if len(series.values) <= width:
        return spark(series.shown.tolist(), width)
    bins = series.bins(np.linspace(first, max(last, first + 1), width + 1), "step")
    pairs = zip(bins.mean.tolist(), bins.n.tolist(), bins.bad.tolist(), strict=True)
    return spark([mean if n else (math.nan if bad else None) for mean, n, bad in pairs], width)
