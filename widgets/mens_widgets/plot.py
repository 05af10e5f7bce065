"""Bins to characters: smoothing, gaps, the value axis, and which ink wins a cell.

Arrays in, arrays out; no widget and no colour, only ink numbers that the chart turns into styles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from mens_widgets import braille, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mens_widgets.curve import Bins, Floats

GAP_FACTOR: Final = 8.0
"""A hole this many times wider than the series' usual spacing is a gap, not a line."""
FEW_FOR_PERCENTILES: Final = 10
SERIES_GLYPHS: Final = "●◆▲■✚★"
SPARSE: Final = 4
"""A series with points in fewer than one of so many columns shows each as its glyph: a dot alone is easily missed."""
TAG_EVERY: Final = 18
"""Columns between two letters of a tagged line."""
HUGE: Final = 1e300

NO_INK: Final = 0
BAD_INK: Final = 1
CLIP_INK: Final = 2
CURSOR_INK: Final = 3
REWOUND_INK: Final = 4
FIRST_INK: Final = 5
"""Series i draws its raw values in ink FIRST_INK + 2 × i and its line in the one after."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One curve's bins in view, ready to be drawn. `smooth` has the shape of the bins; NaN draws nothing."""

    bins: Bins
    smooth: Floats
    series: int
    """Which of the six inks; ignored where `rewound`."""
    rewound: bool = False
    tag: str = ""
    """A letter to be written along the line, so that it can be told from others without colour."""


class _Placed(NamedTuple):
    """A layer in pixel rows: the extremes and the line of each bin, and which bins are filled, joined, bad."""

    top: Floats
    bottom: Floats
    line: Floats
    joined: NDArray[np.bool_]
    filled: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    below: NDArray[np.bool_]
    ink: int


@dataclass(frozen=True, slots=True)
class Scale:
    """The value axis: `low` and `high` are values, or their decimal exponents where `log`."""

    low: float
    high: float
    log: bool = False

    def rows(self, values: Floats, height: int) -> Floats:
        """Return whole pixel rows, 0 at the top; NaN for what this axis cannot show. Rows may lie outside.

        Values may have any shape.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            placed = np.where(values > 0, np.log10(values), np.nan) if self.log else values
            share = (self.high - np.minimum(np.maximum(placed, -HUGE), HUGE)) / (self.high - self.low)
            rows: Floats = np.rint(np.minimum(np.maximum(share, -2.0), 3.0) * (height - 1))
        return rows

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """Return about `count` (share of the height from the top, label) pairs."""
        if self.log:
            places = ticks.log_ticks(self.low, self.high, count)
            labels = [ticks.format_value(10.0**place, 3) if -300 < place < 300 else "" for place in places]
        else:
            places = ticks.linear_ticks(self.low, self.high, count)
            labels = ticks.format_ticks(places)
        span = self.high - self.low
        return [((self.high - place) / span, label) for place, label in zip(places, labels, strict=True)]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn plot: code points and inks, both of shape (rows, columns), and what could not be shown."""

    glyphs: NDArray[np.uint32]
    inks: NDArray[np.int8]
    clipped: bool
    dropped: int
    """Non-positive points that a log axis left out (at least; a bin tells only its extremes)."""
    key: tuple[object, ...] = ()
    """Equal keys are equal pictures."""


def smooth(bins: Bins, level: float) -> Floats:
    """Return the bias-corrected exponential average after each bin, NaN where a bin is empty.

    With a = 1 - level, n points of mean m move the state to (1 - a)^n s + (1 - (1 - a)^n) m: exact at level 0 or
    where a bin's points are equal, and within their spread otherwise. Correction as in Kingma & Ba (2015), section 3.
    """
    if level <= 0:
        return bins.mean
    out = np.full(len(bins.n), np.nan)
    state = weight = 0.0
    populated = np.flatnonzero(bins.n)
    averaged = []
    keeps = np.power(level, bins.n[populated]).tolist()
    for mean, keep in zip(bins.mean[populated].tolist(), keeps, strict=True):
        state = keep * state + (1.0 - keep) * mean
        weight = keep * weight + (1.0 - keep)
        averaged.append(state / weight)
    out[populated] = averaged
    return out


def joined(bins: Bins) -> NDArray[np.bool_]:
    """Return, per column, whether its points continue those of the populated column before it.

    Neighbouring columns always do, unless the data says otherwise. The usual spacing, in columns, is the median over
    steps between populated columns of width / points; a step wider than `GAP_FACTOR` times that is a gap.
    """
    out = np.zeros(len(bins.n), dtype=np.bool_)
    populated = np.flatnonzero(bins.n + bins.bad)
    if len(populated) > 1:
        out[populated[1:]] = True if _together(populated) else _near(bins, populated)
        # A bad point interrupts the line: no value joins its two sides.
        out[populated[1:]] &= (bins.n[populated[1:]] > 0) & (bins.n[populated[:-1]] > 0)
    if bins.cut is not None:
        out &= ~bins.cut
    return out


def _together(populated: NDArray[np.intp]) -> bool:
    return int(populated[-1]) - int(populated[0]) == len(populated) - 1


def _near(bins: Bins, populated: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which populated columns but the first are no gap away from the one before."""
    width = np.diff(populated)
    points = (bins.n + bins.bad)[populated]
    ordered = np.sort(width / ((points[1:] + points[:-1]) / 2))
    usual = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    near: NDArray[np.bool_] = (width == 1) | (width <= GAP_FACTOR * usual)
    return near


def scale_for(layers: Sequence[Layer], height: int, *, log: bool, clip: bool) -> Scale:
    """Return the value axis over every finite value in view (rewound ones only if there is nothing else).

    With `clip` it spans the 1st percentile of the columns' minima to the 99th of their maxima. Its ends lie on
    quarters of a tick, so that it stands still while values move a little; a flat series gets room on both sides.
    """
    shown = [layer for layer in layers if not layer.rewound and layer.bins.n.any()] or list(layers)
    parts = [part for layer in shown for part in _extremes(layer.bins, log)]
    lows, highs = np.concatenate(parts[0::2] or [np.empty(0)]), np.concatenate(parts[1::2] or [np.empty(0)])
    if len(lows) == 0:
        return Scale(0.0, 1.0, log)
    if clip and len(lows) >= FEW_FOR_PERCENTILES:
        low, high = float(np.percentile(lows, 1)), float(np.percentile(highs, 99))
    else:
        low, high = float(lows.min()), float(highs.max())
    low, high = max(low, -HUGE), min(high, HUGE)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.5 if log else (abs(high) * 0.1 or 1.0)
        return Scale(low - room, high + room, log)
    quarter = ticks.nice_step(high - low, max(2, height // 3)) / 4
    return Scale(math.floor(low / quarter) * quarter, math.ceil(high / quarter) * quarter, log)


def _extremes(bins: Bins, log: bool) -> tuple[Floats, Floats]:
    lows, highs = bins.lo[bins.n > 0], bins.hi[bins.n > 0]
    if log:
        # Of a column that reaches below zero only its top is known to be on the axis.
        lows, highs = np.where(lows > 0, lows, highs)[highs > 0], highs[highs > 0]
        lows, highs = np.log10(lows), np.log10(highs)
    return lows, highs


def paint(layers: Sequence[Layer], scale: Scale, rows: int, columns: int, known: Picture | None = None) -> Picture:
    """Draw the layers, each over (2 × columns) bins, into rows × columns characters; `known` if that is the same.

    Later layers cover earlier ones, and a line covers raw values, cell by cell: a cell has one colour. A sparse
    series' points are glyphs. Above stands ``✖`` where a column holds a bad value; ``↑`` and ``↓`` show where values
    lie outside the axis.
    """
    height = rows * 4
    placed = [_place(layer, scale, height) for layer in layers]
    dropped = sum(_dropped(layer.bins) for layer in layers) if scale.log else 0
    # A new row seldom moves a pixel of a long history, and comparing is much cheaper than drawing.
    key = (
        rows,
        columns,
        dropped,
        *(layer.tag for layer in layers),
        *(part if isinstance(part, int) else part.tobytes() for one in placed for part in one),
    )
    if known is not None and known.key == key:
        return known
    codes = np.zeros((rows, columns), dtype=np.uint8)
    inks = np.zeros((rows, columns), dtype=np.int8)
    over, under, bad = (np.zeros(columns, dtype=np.bool_) for _ in range(3))
    for one in placed:
        for grid, pen in zip(_grids(one, height), (one.ink, _line_ink(one.ink)), strict=True):
            dots = braille.pack(grid)
            hit = dots > 0
            codes[hit], inks[hit] = dots[hit], pen
        over |= _by_cell(one.top < 0)
        under |= _by_cell(one.below)
        bad |= _by_cell(one.bad)
    glyphs = np.where(codes > 0, codes.astype(np.uint32) + braille.BASE, ord(" "))
    for one, layer in zip(placed, layers, strict=True):
        _mark_points(one, glyphs, inks, layer.tag)
        if layer.tag:
            _tag_line(one, layer.tag, glyphs, inks)
    for row, where, char, pen in ((0, over, "↑", CLIP_INK), (-1, under, "↓", CLIP_INK), (0, bad, "✖", BAD_INK)):
        glyphs[row, where], inks[row, where] = ord(char), pen
    return Picture(glyphs, inks, bool(over.any() or under.any()), dropped, key)


def _place(layer: Layer, scale: Scale, height: int) -> _Placed:
    bins, lows = layer.bins, layer.bins.lo
    if scale.log:
        # A column that reaches below zero is drawn down to the axis' lower end, as far as it can be shown.
        lows = np.where(lows > 0, lows, np.where(bins.hi > 0, np.fmin(bins.hi, 10.0**scale.low), np.nan))
    top, bottom, line = scale.rows(np.array((bins.hi, lows, layer.smooth)), height)
    below = bottom > height - 1
    if scale.log:
        below &= bins.lo > 0
    # Two points are two dots; three and more fill the column between their extremes.
    rest = (bins.n > 2, bins.bad > 0, below)
    if layer.rewound:
        return _Placed(top, bottom, np.full(len(top), np.nan), np.zeros(len(top), np.bool_), *rest, REWOUND_INK)
    return _Placed(top, bottom, line, joined(bins), *rest, FIRST_INK + 2 * layer.series)


def _dropped(bins: Bins) -> int:
    return int(bins.n[bins.hi <= 0].sum()) + int(((bins.lo <= 0) & (bins.hi > 0)).sum())


def _line_ink(ink: int) -> int:
    return ink if ink == REWOUND_INK else ink + 1


def _by_cell(columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return columns[0::2] | columns[1::2]


def _grids(one: _Placed, height: int) -> tuple[braille.Grid, braille.Grid]:
    raw = braille.spans(np.where(one.filled, one.top, np.nan), one.bottom, height)
    raw |= braille.dots(one.top, height) | braille.dots(one.bottom, height)
    return raw, braille.polyline(one.line, one.joined, height)


def _mark_points(one: _Placed, glyphs: NDArray[np.uint32], inks: NDArray[np.int8], tag: str) -> None:
    """Put a glyph (its tag where it has one) at each point of a sparse series that is on the axis."""
    rows, columns = glyphs.shape
    points = np.flatnonzero(np.isfinite(one.line))
    if len(points) * SPARSE > columns:
        return
    points = points[(one.line[points] >= 0) & (one.line[points] < rows * 4)]
    at = one.line[points].astype(np.intp) // 4, points // 2
    glyphs[at], inks[at] = ord(tag or SERIES_GLYPHS[(one.ink - FIRST_INK) // 2]), _line_ink(one.ink)


def _tag_line(one: _Placed, tag: str, glyphs: NDArray[np.uint32], inks: NDArray[np.int8]) -> None:
    """Write the tag along the line, every so many columns and at its end; each series begins at another place."""
    line = np.where((one.line >= 0) & (one.line < len(glyphs) * 4), one.line, np.nan)
    cells = np.flatnonzero(np.isfinite(line)) // 2
    if not len(cells):
        return
    phase = (one.ink - FIRST_INK) // 2 * TAG_EVERY // len(SERIES_GLYPHS)
    chosen = np.unique(np.append(cells[cells % TAG_EVERY == phase], cells[-1]))
    heights = np.fmin(line[0::2][chosen], line[1::2][chosen])
    at = heights.astype(np.intp) // 4, chosen
    glyphs[at], inks[at] = ord(tag), _line_ink(one.ink)
