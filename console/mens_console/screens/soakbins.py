"""Minutes of a soak put together to the columns of a screen: requests added up, of percentiles the worst minute's.

Arrays in, arrays out, at a cost of the width once a report was taken in; no widget enters here.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from mens_console.load.histogram import Histogram
from mens_console.soak.sheets import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from mens_console.soak.types import Columns, Incident, Minute

    Floats = NDArray[np.float64]

ZOOMS: Final = ((1, 8), (1, 4), (1, 2), (1, 1), (2, 1), (5, 1), (10, 1), (15, 1), (30, 1), (60, 1), (120, 1), (240, 1))
"""Minutes a column, and cells a column, that the zoom goes through from near to far."""
_FITS: Final = (
    *((1, wide) for wide in range(8, 0, -1)),
    *((per, 1) for per in (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 36, 40, 45, 48, 60, 72, 90, 120, 180, 240, 480)),
)
"""The same where all is to be seen at once: more of them, so that the width is used."""
LEAST_ROWS: Final = 8
DECADE_ROWS: Final = 12
LOWEST_MS, HIGHEST_MS = 0.01, 120_000.0
"""What rows of heat made here span; what is beyond counts in the outermost."""


class Window(NamedTuple):
    """The part of a soak that is on screen: its first minute, minutes and cells a column, and how many columns."""

    left: int
    per: int
    wide: int
    columns: int

    @property
    def right(self) -> int:
        """The minute behind the last one."""
        return self.left + self.columns * self.per

    def column(self, minute: int) -> int | None:
        """Return the column in which a minute is, None where it is out of sight."""
        place = (minute - self.left) // self.per
        return place if 0 <= place < self.columns else None

    def minutes(self, column: int) -> range:
        """Return the minutes of a column."""
        return range(self.left + column * self.per, self.left + (column + 1) * self.per)


@dataclass(slots=True)
class Lens:
    """Where an operator looks: the zoom (None: all at once), the minute that is read and the first one in sight.

    None for a minute follows the newest.
    """

    zoom: tuple[int, int] | None = None
    cursor: int | None = None
    left: int | None = None

    def window(self, first: int, last: int, cells: int) -> Window:
        """Return what is in sight of the minutes from `first` to `last`, in so many cells; reveals the cursor."""
        per, wide = self.scale(first, last, cells)
        columns = max(cells // wide, 1)
        start, newest = first // per, last // per
        low = max(newest - columns + 1, start)
        left = low if self.left is None else max(start, min(self.left // per, low))
        at = self.read(first, last) // per
        left = at if at < left else max(left, at - columns + 1)
        self.left = None if left == low else left * per
        return Window(left * per, per, wide, columns)

    def scale(self, first: int, last: int, cells: int) -> tuple[int, int]:
        """Return minutes and cells a column: as chosen, else the nearest at which everything fits."""
        if self.zoom is not None:
            return self.zoom
        fits = ((per, wide) for per, wide in _FITS if (last // per - first // per + 1) * wide <= cells)
        return next(fits, _FITS[-1])

    def zoomed(self, steps: int, first: int, last: int, cells: int) -> None:
        """Go nearer (-1) or farther (1), around the minute that is read; no farther than where all is seen."""
        now, whole = self.scale(first, last, cells), Lens().scale(first, last, cells)
        beyond = [
            one for one in ZOOMS if (_minutes(one) < _minutes(now) if steps < 0 else _minutes(one) > _minutes(now))
        ]
        chosen = (beyond[-1] if steps < 0 else beyond[0]) if beyond else now
        self.zoom = None if _minutes(chosen) >= _minutes(whole) else chosen
        per, wide = self.scale(first, last, cells)
        self.left = max(self.read(first, last) - cells // wide * per // 2, 0)

    def read(self, first: int, last: int) -> int:
        """Return the minute that is read."""
        return last if self.cursor is None else min(max(self.cursor, first), last)

    def move(self, minutes: int, first: int, last: int) -> None:
        """Read so many minutes to the side; the newest one is followed."""
        there = min(max(self.read(first, last) + minutes, first), last)
        self.cursor = None if there == last else there


def _minutes(scale: tuple[int, int]) -> float:
    """Return the minutes of one cell."""
    return scale[0] / scale[1]


class Bins(NamedTuple):
    """What is drawn of each column: NaN where nothing was measured.

    `heat` is rows × columns of counts, NaN for none; `strips[name]` 3 × columns of p50, p95 and p99 of the worst
    minute; `failed` the largest share, `up` the smallest, `unobserved` seconds, `minutes` how many there are.
    """

    heat: Floats
    strips: dict[str, Floats]
    failed: Floats
    up: Floats
    unobserved: Floats
    minutes: NDArray[np.int64]
    levels: dict[str, Floats]


class Stack:
    """A report's columns, summed up once, so that a window of them costs its width."""

    def __init__(self, columns: Columns, heat: NDArray[Any] | None = None, edges: Floats | None = None) -> None:
        self.columns = columns
        counts = columns.heat if heat is None else heat
        self.edges = columns.heat_edges if edges is None else edges
        """Lower edges of the rows of heat, in ms."""
        self.counts = np.zeros((len(counts) + 1, counts.shape[1] if counts.ndim == 2 else 0), np.int64)
        if self.counts.size:
            np.cumsum(counts, axis=0, out=self.counts[1:])
        used = np.flatnonzero(self.counts[-1]) if self.counts.size else np.empty(0, np.int64)
        self.rows = _around(int(used[0]), int(used[-1]) + 1, self.counts.shape[1]) if len(used) else (0, 0)
        """First row that is shown, and the one behind the last: those that hold anything, but never just a few."""
        self.limits = {name: _limits(found) for name, found in columns.percentiles.items()}
        self.level_limits = {name: _limits(found) for name, found in columns.levels.items()}

    @property
    def span(self) -> tuple[int, int] | None:
        """Return the first and the last minute, None without any."""
        index = self.columns.index
        return (int(index[0]), int(index[-1])) if len(index) else None

    def bins(self, window: Window) -> Bins:
        """Put the minutes of a window together."""
        columns = self.columns
        edges = window.left + np.arange(window.columns + 1) * window.per
        borders = np.searchsorted(columns.index, edges)
        many = np.diff(borders)
        low, high = self.rows
        heat = (self.counts[borders[1:], low:high] - self.counts[borders[:-1], low:high]).T.astype(np.float64)
        heat[heat == 0] = np.nan
        return Bins(
            heat,
            {name: _most(found, borders).T for name, found in columns.percentiles.items()},
            _most(columns.failed, borders),
            -_most(-columns.up, borders),
            _sum(columns.unobserved_s, borders),
            many,
            {name: _most(found, borders) for name, found in columns.levels.items()},
        )


def _around(low: int, high: int, of: int) -> tuple[int, int]:
    """Widen a range of rows to `LEAST_ROWS`, so that what hardly varies is not blown up."""
    missing = LEAST_ROWS - (high - low)
    if missing > 0:
        low, high = max(low - missing // 2, 0), min(high + missing - missing // 2, of)
    return low, high


def _most(values: Floats, borders: NDArray[np.intp]) -> Floats:
    """Return the largest value between each border and the next, NaN where there is none."""
    out = np.full((len(borders) - 1, *values.shape[1:]), np.nan)
    filled = borders[1:] > borders[:-1]
    if filled.any():
        first, last = int(borders[0]), int(borders[-1])
        out[filled] = np.fmax.reduceat(values[first:last], borders[:-1][filled] - first, axis=0)
    return out


def _sum(values: Floats, borders: NDArray[np.intp]) -> Floats:
    totals = np.concatenate(([0.0], np.nancumsum(values)))
    found: Floats = totals[borders[1:]] - totals[borders[:-1]]
    return found


def _limits(values: Floats) -> tuple[float, float] | None:
    """Return the smallest and the largest value above zero, None where there is none."""
    known = values[np.isfinite(values) & (values > 0)]
    return (float(known.min()), float(known.max())) if known.size else None


def grouped(heat: Floats, lines: int) -> tuple[Floats, NDArray[np.intp]]:
    """Put rows of counts together to at most so many lines, or stretch them to fill these; the lowest rows first.

    Returns with it which row each line begins with.
    """
    if not len(heat):
        return heat, np.empty(0, np.intp)
    if len(heat) <= lines:
        source = np.arange(lines) * len(heat) // lines
        return heat[source], source
    starts = np.unique(np.arange(lines) * len(heat) // lines)
    sums = np.add.reduceat(np.nan_to_num(heat), starts, axis=0)
    sums[sums == 0] = np.nan
    return sums, starts


def struck(incidents: Iterable[Incident], now_s: float, window: Window) -> NDArray[np.bool_]:
    """Return in which columns an incident was open."""
    found = np.zeros(window.columns, bool)
    for one in incidents:
        end = now_s if one.closed is None else one.closed
        first = (int(one.opened // 60) - window.left) // window.per
        last = (int(end // 60) - window.left) // window.per
        if last >= 0 and first < window.columns:
            found[max(first, 0) : last + 1] = True
    return found


# ---------------------------------------------------------------------- heat of other latencies

EDGES: Final = LOWEST_MS * 10 ** (
    np.arange(math.ceil(DECADE_ROWS * math.log10(HIGHEST_MS / LOWEST_MS)), dtype=np.float64) / DECADE_ROWS
)
"""Lower edges of the rows of heat that is made here, in ms."""


class Heats:
    """Heat of one latency of one soak: closed minutes are counted once. One thread at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._closed = np.zeros((0, len(EDGES)), np.int64)
        self._last: Minute | None = None

    def of(self, minutes: Sequence[Minute]) -> NDArray[np.int64]:
        """Return minutes × rows of counts."""
        done = len(self._closed)
        if done and (done > len(minutes) or minutes[done - 1] is not self._last):
            done, self._closed = 0, self._closed[:0]  # the soak was read anew
        still = next((i for i in range(done, len(minutes)) if not minutes[i].closed), len(minutes))
        if still > done:
            self._closed = np.concatenate([self._closed, self._counted(minutes[done:still])])
            self._last = minutes[still - 1]
        return np.concatenate([self._closed, self._counted(minutes[still:])]) if still < len(minutes) else self._closed

    def _counted(self, minutes: Sequence[Minute]) -> NDArray[np.int64]:
        return Sheet([frozen(minute.latencies.get(self._name)) for minute in minutes]).heat(EDGES)


def frozen(histogram: Histogram | None) -> Histogram:
    """Return a copy, made at one blow: the newest minute may still be counted on another thread."""
    out = Histogram()
    if histogram is not None and histogram.n:
        out.counts = Counter(dict(histogram.counts))
        out.n, out.total, out.least, out.greatest = histogram.n, histogram.total, histogram.least, histogram.greatest
    return out
