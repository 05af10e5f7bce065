"""The columns of imported minutes. A minute is drawn anew only where its counts changed.

Nobody probes in an import, and levels are not told, so those columns hold nothing. Milliseconds, requests a second.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mens_console.load.histogram import Histogram
from mens_console.soak.imports.tally import Tally
from mens_console.soak.types import LATENCIES, MINUTE, Columns, Minute

SHARES: Final = (0.5, 0.95, 0.99)
HEAT_EDGES: Final = np.geomspace(1.0, 65_536.0, 33)[:-1]
"""Lower edges of the rows of the heat map: each is √2 times the one before; the first also counts what is shorter."""


class Drawer:
    """Columns of a tally as it grows: arrays with room to spare, of which `draw` hands out copies."""

    def __init__(self) -> None:
        self._percentiles = {name: _nothing(0, len(SHARES)) for name in LATENCIES}
        self._heat = np.zeros((0, len(HEAT_EDGES)), dtype=np.int64)

    def draw(self, tally: Tally, span_s: float | None, *, scheduled: bool) -> Columns:
        """Return the columns of all minutes; the rates of the last one are over the part of it that was reached."""
        minutes = tally.minutes
        self._grow(len(minutes))
        for index in tally.changed:
            self._redraw(minutes[index])
        tally.changed.clear()
        lengths = _lengths(len(minutes), span_s)
        ended = np.array([one.ended for one in minutes], dtype=np.float64)
        failed = np.array([one.failures for one in minutes], dtype=np.float64)
        offered = np.array([one.due for one in minutes], dtype=np.float64) / lengths if scheduled else None
        nothing = np.full(len(minutes), np.nan)
        return Columns(
            index=np.arange(len(minutes), dtype=np.int64),
            offered=nothing if offered is None else offered,
            achieved=ended / lengths,
            failed=np.divide(failed, ended, out=nothing.copy(), where=ended > 0),
            up=nothing.copy(),
            unobserved_s=np.zeros(len(minutes)),
            percentiles={name: rows[: len(minutes)].copy() for name, rows in self._percentiles.items()},
            heat=self._heat[: len(minutes)].copy(),
            heat_edges=HEAT_EDGES,
            levels={},
        )

    def _grow(self, n: int) -> None:
        have = len(self._heat)
        if n <= have:
            return
        more = max(n, 2 * have, 64) - have
        self._heat = np.vstack([self._heat, np.zeros((more, len(HEAT_EDGES)), dtype=np.int64)])
        for name, rows in self._percentiles.items():
            self._percentiles[name] = np.vstack([rows, _nothing(more, len(SHARES))])

    def _redraw(self, minute: Minute) -> None:
        for name, histogram in minute.latencies.items():
            if histogram.n and name in self._percentiles:
                self._percentiles[name][minute.index] = [_number(histogram.quantile(one)) for one in SHARES]
        self._heat[minute.index] = _heat(minute.latencies["e2e"])


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _nothing(rows: int, width: int) -> NDArray[np.float64]:
    return np.full((rows, width), np.nan)


def _heat(histogram: Histogram) -> NDArray[np.int64]:
    row = np.zeros(len(HEAT_EDGES), dtype=np.int64)
    for value, count in histogram.buckets():
        row[max(int(np.searchsorted(HEAT_EDGES, value, side="right")) - 1, 0)] += count
    return row


def _lengths(n: int, span_s: float | None) -> NDArray[np.float64]:
    """Return the seconds of each minute: whole ones, but for the last as far as the load came."""
    lengths = np.full(n, MINUTE)
    if n and span_s is not None:
        lengths[-1] = min(max(span_s - (n - 1) * MINUTE, 1.0), MINUTE)
    return lengths
