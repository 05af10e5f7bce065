"""Pictures of a soak for its report: latencies through time as a heatmap and as strips, in SVG and in block letters.

Minutes are taken together where there are more than columns: their histograms are added up, so that a percentile of a
column is that of all its answers, and never a mean of percentiles.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

import numpy as np

from mens_console.gate.rendering import Drawing
from mens_console.load.histogram import Histogram
from mens_console.soak.columns import EDGES
from mens_console.soak.sheets import Sheet
from mens_console.soak.types import MINUTE
from mens_console.soak.wording import LATENCIES, ms, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mens_console.soak.types import Analysis, Incident, Minute

    Numbers = NDArray[np.float64]
    Whole = NDArray[np.int64]

COLUMNS: Final = 240
LETTERS: Final = 50
"""Columns of what is drawn in block letters."""
_TALL: Final = 12
"""Rows of the heatmap in block letters, at most."""
STRIPS: Final = ("ttft", "itl", "e2e")
_LEFT, _TOP, _WIDE = 64, 14, 720
_WIDTH: Final = _LEFT + _WIDE + 8
_HIGH: Final = 90
_SHADES: Final = ("#cfe3f7", "#9cc7ee", "#5fa3dd", "#2d7cc0", "#185a96", "#0b3763")
_LINES: Final = (("p50", "#2d7cc0", 0), ("p95", "#d98a1f", 1), ("p99", "#c23b3b", 2))
_BAD, _BLIND, _INK = "#c23b3b", "#9aa3ad", "currentColor"
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_DENSE: Final = " ░▒▓█"
_RANGE: Final = 1.25
"""Greatest / least that a strip shows at least: less is noise, and would fill it all the same."""


def drawings(found: Analysis) -> list[Drawing]:
    """Return the pictures of what was measured; none of what was not."""
    minutes = found.minutes
    if not minutes:
        return []
    made = []
    heat = _heat(found, minutes)
    if heat is not None:
        made.append(heat)
    for name in STRIPS:
        strip = _strip(name, minutes)
        if strip is not None:
            made.append(strip)
    return made


def groups(minutes: Sequence[Minute], columns: int) -> tuple[Whole, int]:
    """Return the column of each minute, from 0 on, and how many minutes a column takes."""
    index = np.array([one.index for one in minutes], np.int64)
    width = -(-(int(index[-1]) + 1 - int(index[0])) // columns)
    return (index - index[0]) // width, width


def _sheet(name: str, minutes: Sequence[Minute]) -> Sheet:
    empty = Histogram()
    return Sheet([one.latencies.get(name, empty) for one in minutes])


# -------------------------------------------------------------------- the heatmap


def _heat(found: Analysis, minutes: Sequence[Minute]) -> Drawing | None:
    column, width = groups(minutes, COLUMNS)
    counted = np.zeros((int(column[-1]) + 1, len(EDGES)), np.int64)
    np.add.at(counted, column, _sheet("e2e", minutes).heat(EDGES))
    used = np.flatnonzero(counted.any(axis=0))
    if not len(used):
        return None
    low, high = int(used[0]), int(used[-1])
    counted = counted[:, low : high + 1]
    row_high = max(min(_HIGH // counted.shape[1], 14), 5)
    height = _TOP + counted.shape[1] * row_high + 22
    svg = _svg(height, "end-to-end latencies through time")
    for shade, path in _shades(counted, row_high):
        ElementTree.SubElement(svg, "path", d=path, fill=shade)
    for row in range(0, counted.shape[1], max(14 // row_high, 1)):
        y = _TOP + (counted.shape[1] - row) * row_high
        _label(svg, _LEFT - 6, y, ms(float(EDGES[low + row])), "end")
    _marks(svg, found.incidents, minutes)
    _axis(svg, minutes, height)
    title = (
        f"End to end: answers by latency (rows, ten a decade) and time (columns of {_minutes(width)}); darker is more, "
        "by the logarithm; red above: incidents, grey: not observed"
    )
    return Drawing(title, svg, _dense(minutes))


def _dense(minutes: Sequence[Minute]) -> list[str]:
    """Return the heatmap in block letters, the slowest answers on top."""
    column, width = groups(minutes, LETTERS)
    counted = np.zeros((int(column[-1]) + 1, len(EDGES)), np.int64)
    np.add.at(counted, column, _sheet("e2e", minutes).heat(EDGES))
    used = np.flatnonzero(counted.any(axis=0))
    low, thick = int(used[0]), -(-(int(used[-1]) + 1 - int(used[0])) // _TALL)
    rows = [counted[:, at : at + thick].sum(axis=1) for at in range(low, int(used[-1]) + 1, thick)]
    most = math.log1p(max(int(row.max()) for row in rows))
    lines = []
    for number, row in enumerate(rows):
        level = _level(row, most, len(_DENSE) - 1)
        lines.append(f"{ms(float(EDGES[low + number * thick])):>8} {''.join(_DENSE[one] for one in level)}")
    return [*lines[::-1], f"one character is {_minutes(width)}"]


def _shades(counted: Whole, high: int) -> list[tuple[str, str]]:
    """Return a path of the cells of each shade, a rectangle a cell, from pale to dark."""
    most, wide = math.log1p(int(counted.max())), _WIDE / len(counted)
    level = _level(counted, most, len(_SHADES))
    made = []
    for number, shade in enumerate(_SHADES, 1):
        columns, rows = np.nonzero(level == number)
        tops = _TOP + (counted.shape[1] - 1 - rows) * high
        cells = zip((_LEFT + columns * wide).tolist(), tops.tolist(), strict=True)
        path = "".join(f"M{x:.4g} {y}h{wide:.4g}v{high}h-{wide:.4g}z" for x, y in cells)
        if path:
            made.append((shade, path))
    return made


def _level(counted: Whole, most: float, levels: int) -> Whole:
    """Return 0 for nothing, then 1 to `levels` by the logarithm of the counts; `most` is that of the greatest."""
    found: Whole = np.minimum(np.ceil(np.log1p(counted) / most * levels), levels).astype(np.int64)
    return found


def _marks(svg: ElementTree.Element, incidents: Sequence[Incident], minutes: Sequence[Minute]) -> None:
    """Draw incidents, and what was not observed, above the columns."""
    first, last = minutes[0].index * MINUTE, (minutes[-1].index + 1) * MINUTE
    scale = _WIDE / (last - first)
    for minute in minutes:
        if minute.unobserved_s >= MINUTE / 2:
            x = _LEFT + (minute.index * MINUTE - first) * scale
            _rect(svg, x, 2, max(MINUTE * scale, 0.4), 4, _BLIND)
    for one in incidents:
        until = last if one.closed is None else one.closed
        _rect(svg, _LEFT + (one.opened - first) * scale, 7, max((until - one.opened) * scale, 1.5), 5, _BAD)


# --------------------------------------------------------------------- the strips


def _strip(name: str, minutes: Sequence[Minute]) -> Drawing | None:
    column, width = groups(minutes, COLUMNS)
    told = _sheet(name, minutes).quantiles(column)
    known = told[np.isfinite(told) & (told > 0)]
    if not len(known):
        return None
    low, high = math.log(float(known.min()) * 0.95), math.log(float(known.max()) * 1.05)
    height = _TOP + _HIGH + 22
    svg = _svg(height, f"{LATENCIES[name]}: percentiles through time")
    for label, ink, which in _LINES:
        path = _path(told[:, which], low, high)
        ElementTree.SubElement(
            svg, "path", {"d": path, "fill": "none", "stroke": ink, "stroke-width": "1.2", "class": label}
        )
        _label(svg, _WIDTH - 8 - 40 * (2 - which), 9, label, "end", ink)
    for share in (0.0, 0.5, 1.0):
        _label(svg, _LEFT - 6, _TOP + _HIGH * (1 - share) + 4, ms(math.exp(low + share * (high - low))), "end")
    _axis(svg, minutes, height)
    title = f"{LATENCIES[name]}: p50, p95 and p99 of all answers in columns of {_minutes(width)} (log scale)"
    return Drawing(title[0].upper() + title[1:], svg, _letters(name, minutes))


def _path(values: Numbers, low: float, high: float) -> str:
    """Return a line through the values; where there is none, it is broken."""
    said, drawn, wide = [], False, _WIDE / len(values)
    for column, value in enumerate(values.tolist()):
        if not value > 0:
            drawn = False
            continue
        y = _TOP + _HIGH * (1 - (math.log(value) - low) / (high - low))
        said.append(f"{'L' if drawn else 'M'}{_LEFT + (column + 0.5) * wide:.1f} {y:.1f}")
        if not drawn:
            said.append("h0.1")  # a single point is seen
        drawn = True
    return "".join(said)


def _letters(name: str, minutes: Sequence[Minute]) -> list[str]:
    """Return p50 and p95 in block letters, from the least to the greatest."""
    column, width = groups(minutes, LETTERS)
    told = _sheet(name, minutes).quantiles(column)
    lines = []
    for label, which in (("p50", 0), ("p95", 1)):
        values = told[:, which]
        known = values[np.isfinite(values)]
        if len(known):
            low, high = float(known.min()), float(known.max())
            bars = "".join(_bar(value, low, max(high, low * _RANGE)) for value in values.tolist())
            lines.append(f"{label} {bars} {ms(low)} to {ms(high)}")
    return [*lines, f"one character is {_minutes(width)}"] if lines else []


def _bar(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return " "
    share = (value - low) / (high - low) if high > low else 0.0
    return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]


def _minutes(width: int) -> str:
    return "1 minute" if width == 1 else f"{width} minutes"


# ---------------------------------------------------------------------- the frame


def _svg(height: int, title: str) -> ElementTree.Element:
    svg = ElementTree.Element(
        "svg",
        {"viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH), "height": str(height), "role": "img",
         "font-family": "system-ui,sans-serif", "font-size": "11"},
    )  # fmt: skip
    ElementTree.SubElement(svg, "title").text = title
    return svg


def _axis(svg: ElementTree.Element, minutes: Sequence[Minute], height: int) -> None:
    first = minutes[0].index
    span = minutes[-1].index + 1 - first
    for part in range(5):
        anchor = "start" if part == 0 else "end" if part == 4 else "middle"
        _label(svg, _LEFT + _WIDE * part / 4, height - 6, place((first + span * part / 4) * MINUTE), anchor)


def _label(svg: ElementTree.Element, x: float, y: float, text: str, anchor: str, ink: str = _INK) -> None:
    told = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": ink}
    ElementTree.SubElement(svg, "text", told).text = text


def _rect(svg: ElementTree.Element, x: float, y: float, width: float, height: float, ink: str) -> None:
    told = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}", "fill": ink}
    ElementTree.SubElement(svg, "rect", told)
