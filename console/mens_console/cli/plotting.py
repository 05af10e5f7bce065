"""Charts for a plain terminal: the one place that knows plotext.

Series are reduced to the columns of the chart first: drawing costs the width, never the length of the history.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.cells import cell_len, set_cell_size

from mens_console.ingest.text import safe_text
from mens_console.signals.human import count, duration, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mens_console.store.series import AxisKind, SeriesView

    Floats = NDArray[np.float64]

_DOTS_A_COLUMN: Final = 2
"""A braille cell is two dots wide."""
_TICKS: Final = 5
_CURVE: Final = "cyan"
_RANGE: Final = "gray"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is drawn of one series: x and y of the line, broken before the indices in `breaks`, and its extremes."""

    xs: Floats
    ys: Floats
    breaks: tuple[int, ...]
    range_xs: Floats
    range_ys: Floats
    dropped: int
    """Values that are not finite, or not positive on a logarithmic axis."""


def trace(series: SeriesView, axis: AxisKind, columns: int, *, log: bool = False) -> Trace:
    """Reduce a series to about two points a column.

    A series with fewer points is drawn as it is. Otherwise the line is the mean of each bin and the extremes are
    dots, so that a spike shows. The line breaks where values are not finite, and never bridges them.
    """
    bounds, xs = series.bounds(axis), series.axis_values(axis)
    if bounds is None or xs is None:
        none = np.zeros(0)
        return Trace(none, none, (), none, none, 0)
    bins = columns * _DOTS_A_COLUMN
    if len(series.values) <= bins:
        points, values = np.asarray(xs, np.float64), np.asarray(series.shown, np.float64)
        good = _drawable(values, log=log)
        holes = ~good
        spread_xs = spread_ys = np.zeros(0)
        dropped = int(holes.sum())
    else:
        edges = np.linspace(bounds[0], bounds[1], bins + 1)
        cells = series.bins(edges, axis)
        points, values = (edges[:-1] + edges[1:]) / 2, cells.mean
        good = _drawable(values, log=log)
        # An empty bin between two logged values is no hole: its neighbours are joined.
        holes = ((cells.bad > 0) & (cells.n == 0)) | ((cells.n > 0) & ~good)
        spread = _drawable(cells.lo, log=log) & (cells.n > 1)
        spread_xs = np.concatenate([points[spread], points[spread]])
        spread_ys = np.concatenate([cells.lo[spread], cells.hi[spread]])
        dropped = int(cells.bad.sum()) + int(((cells.n > 0) & ~good).sum())
    kept = np.flatnonzero(good)
    holes_before = np.concatenate([[0], np.cumsum(holes)])
    crossed = np.flatnonzero(holes_before[kept[1:]] > holes_before[kept[:-1]]) + 1
    return Trace(points[kept], values[kept], tuple(int(i) for i in crossed), spread_xs, spread_ys, dropped)


def _drawable(values: Floats, *, log: bool) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.isfinite(values) & (values > 0) if log else np.isfinite(values)


def charts(
    panels: Sequence[tuple[str, SeriesView]], *, axis: AxisKind, width: int, height: int, log: bool, colour: bool
) -> str:
    """Return one chart below the other, each a heading and `height` rows in all, as text; plain without `colour`."""
    import plotext

    plotext.terminal.limit(width=False, height=False)
    lines: list[str] = []
    for name, series in panels:
        drawn = trace(series, axis, width, log=log)
        lines.append(_heading(name, series, drawn, width, log=log))
        if not len(drawn.xs):
            lines.append("  no value can be drawn")
            continue
        figure = plotext.figure.clear()
        figure.theme("default" if colour else "colorless")
        figure.canvas("default")
        figure.plot_size(width, height - 1)
        _draw(plotext, figure, drawn, axis, log=log)
        text: str = figure.build().string(colorless=not colour)
        lines += [line.rstrip() for line in text.strip("\n").split("\n")]
    plotext.figure.clear()
    return "\n".join(lines)


def _heading(name: str, series: SeriesView, drawn: Trace, width: int, *, log: bool) -> str:
    """Return name, newest value and counts on one line of at most `width` columns."""
    last = float(series.shown[-1]) if len(series.shown) else series.last
    notes = [safe_text(name), f"last {number(last)}", f"{count(series.points)} points"]
    if drawn.dropped:
        notes.append(f"{drawn.dropped} {'not positive or ' if log else ''}not finite, left out")
    text = " · ".join(notes)
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


_NO_SPAN: Final = 1e-300
"""Below this a span has no fifth part among the floats."""


def _draw(plotext: Any, panel: Any, drawn: Trace, axis: AxisKind, *, log: bool) -> None:
    if len(drawn.range_xs):
        spread = panel.signal(
            drawn.range_xs.tolist(), drawn.range_ys.tolist(), marker=plotext.marker("braille", pixel=_RANGE)
        )
        panel.draw(spread)
    curve = panel.signal(drawn.xs.tolist(), drawn.ys.tolist(), marker=plotext.marker("braille", pixel=_CURVE))
    curve.lines()
    for index in drawn.breaks:
        curve.line(index, active=False)
    panel.draw(curve)
    ruler = panel.ruler("y")
    if log:
        ruler.scale("log")
    low, high = float(drawn.xs[0]), float(drawn.xs[-1])
    at = ticks(low, high)
    panel.ruler("x").ticks(at, [tick_text(x, axis, high - low) for x in at])


def ticks(low: float, high: float) -> list[float]:
    """Return about five round positions in [low, high]; the one there is where the span is as good as empty."""
    span = high - low
    if span < _NO_SPAN:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= _TICKS)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(x: float, axis: AxisKind, span: float) -> str:
    """Return how a position reads: a step, a duration, or a local time of day (with the date beyond a day)."""
    if axis == "step":
        return f"{x:.0f}" if abs(x) < 100_000 else count(x)
    if axis == "relative":
        return duration(x)
    return time.strftime("%m-%d %H:%M" if span > 86_400 else "%H:%M:%S", time.localtime(x))
