"""Numbers to shades: columns resampled to a width, limits, levels, and the colours of a perceptually even ramp.

Arrays and colours in, arrays and colours out; no widget, no style, no domain.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Codes: TypeAlias = "NDArray[np.uint8]"
Rgb: TypeAlias = tuple[int, int, int]

BLANK: Final = 0
"""Nothing was measured."""
ZERO: Final = 1
"""Exactly zero; on a log scale also less."""
BAD: Final = 2
"""Not finite."""
FIRST: Final = 3
"""The code of the lowest level; the others follow."""

GAP_FACTOR: Final = 8.0
"""A hole this many times wider than the usual distance of columns is a gap and stays blank."""
DECADES: Final = 6
"""The most a log scale spans: what is smaller still has the lowest shade."""
_SAMPLE: Final = 40_000
_PERCENTILES: Final = (2.0, 98.0)


def usual_spacing(xs: NDArray[Any]) -> float:
    """Return the usual distance between columns at ascending `xs`: their median, 1 for fewer than two."""
    return float(np.median(np.diff(xs))) or 1.0 if len(xs) > 1 else 1.0


def resample(
    values: NDArray[np.floating[Any]], xs: NDArray[Any], edges: NDArray[np.float64], spacing: float
) -> NDArray[np.floating[Any]]:
    """Return rows × (len(edges) - 1) cells of a matrix of rows × columns whose columns begin at the ascending `xs`.

    A cell has the largest value of the columns that begin in it, so that a spike survives and stands in one cell
    only; where none begins there, it has the column that goes on through it, up to `GAP_FACTOR` × `spacing`, beyond
    which a hole is blank (NaN). Infinity is larger than any number, NaN smaller.
    """
    cells = len(edges) - 1
    out = np.full((len(values), cells), np.nan, values.dtype)
    if not len(xs):
        return out
    borders = np.searchsorted(xs, edges, side="left")
    filled = borders[1:] > borders[:-1]
    if filled.any():
        first, last = int(borders[0]), int(borders[-1])
        with np.errstate(invalid="ignore"):
            out[:, filled] = np.fmax.reduceat(values[:, first:last], borders[:-1][filled] - first, axis=1)
    reach = np.append(np.diff(xs).astype(np.float64), spacing)
    reach[reach > GAP_FACTOR * spacing] = spacing
    through = np.flatnonzero(~filled & (borders[:-1] > 0))
    column = borders[:-1][through] - 1
    held = xs[column] + reach[column] > edges[through]
    out[:, through[held]] = values[:, column[held]]
    return out


def merged(xs: NDArray[Any], left: float, right: float) -> slice:
    """Return which columns a cell [left, right) shows: those that begin in it, else the one before."""
    first, last = (int(place) for place in np.searchsorted(xs, (left, right), side="left"))
    return slice(first, last) if last > first else slice(max(first - 1, 0), first)


def limits(values: NDArray[np.floating[Any]], *, log: bool) -> tuple[float, float] | None:
    """Return round limits around the middle 96 % of the values, None where there is nothing to show.

    They are round (1, 2 or 5 × 10^k) so that a new column seldom moves them. A matrix of more than some 40 000 values
    is sampled evenly. A log scale leaves out what is not positive and spans `DECADES` at most; a linear one begins at
    0 unless all values are far from it.
    """
    stride = max(1, math.ceil(values.size / _SAMPLE))
    sample = values.ravel()[::stride] if stride > 1 and values.flags.c_contiguous else values[:, ::stride].ravel()
    sample = sample[np.isfinite(sample) & (sample > 0 if log else True)]
    if not len(sample):
        return None
    low, high = (float(place) for place in np.percentile(sample, _PERCENTILES))
    if log:
        low, high = max(_round(low, up=False), 1e-300), _round(high, up=True)
        while high / low < 9.99:
            low, high = _round(low / 2, up=False), _round(high * 1.01, up=True)
        return max(low, high / 10**DECADES), high
    if 0 <= low < 0.5 * high or high == low:
        low = min(low, 0.0)
    span = (high - low) or abs(high) or 1.0
    unit = 10.0 ** math.floor(math.log10(span)) / 2
    return math.floor(low / unit) * unit, math.ceil(high / unit) * unit


def _round(value: float, *, up: bool) -> float:
    """Return the next of 1, 2, 5 × 10^k at or beyond a positive value."""
    power = math.floor(math.log10(value))
    nice = [m * 10.0**e for e in (power, power + 1) for m in (1, 2, 5)]
    slack = value * 1e-9
    return next(n for n in nice if n >= value - slack) if up else max(n for n in nice if n <= value + slack)


def levels(cells: NDArray[np.floating[Any]], bounds: tuple[float, float] | None, count: int, *, log: bool) -> Codes:
    """Return the code of each cell: `BLANK`, `ZERO`, `BAD`, or `FIRST` … `FIRST + count - 1` from low to high."""
    codes = np.full(cells.shape, BLANK, np.uint8)
    finite = np.isfinite(cells)
    codes[~finite & ~np.isnan(cells)] = BAD
    zero = finite & (cells <= 0 if log else cells == 0)
    codes[zero] = ZERO
    shown = finite & ~zero
    if bounds is None or not shown.any():
        return codes
    low, high = bounds
    numbers = cells[shown].astype(np.float64)
    if log:
        numbers, low, high = np.log(numbers), math.log(low), math.log(high)
    share = (numbers - low) / ((high - low) or 1.0)
    codes[shown] = FIRST + np.clip(share * count, 0, count - 1).astype(np.uint8)
    return codes


# Colour. OKLab (Björn Ottosson, 2020) because equal steps in its lightness look equal.


def ramp(stops: Sequence[Rgb], count: int, low: float, high: float) -> list[Rgb]:
    """Return `count` colours through the hues of `stops`, their OKLab lightness even from `low` to `high` (0 … 1)."""
    points = np.array([to_oklab(stop) for stop in stops])
    at = np.linspace(0.0, len(stops) - 1, count)
    colours = np.stack([np.interp(at, np.arange(len(stops)), points[:, i]) for i in range(3)], axis=1)
    colours[:, 0] = np.linspace(low, high, count)
    return [from_oklab(*colour) for colour in colours.tolist()]


def lightness(colour: Rgb) -> float:
    """Return the OKLab lightness of a colour, 0 black to 1 white."""
    return to_oklab(colour)[0]


def to_oklab(colour: Rgb) -> tuple[float, float, float]:
    """Return (lightness, green–red, blue–yellow) of an sRGB colour."""
    r, g, b = (c / 3294.6 if c <= 10.31475 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    l = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)  # noqa: E741
    m = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    s = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    )


def from_oklab(lightness: float, a: float, b: float) -> Rgb:
    """Return the sRGB colour; one that no screen can show loses colour until it can be shown."""
    for keep in (1.0, 0.85, 0.7, 0.5, 0.3):
        linear = _linear(lightness, a * keep, b * keep)
        if all(-1e-3 <= c <= 1.001 for c in linear):
            break
    else:
        linear = _linear(lightness, 0.0, 0.0)
    red, green, blue = (_gamma(c) for c in linear)
    return red, green, blue


def _linear(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3  # noqa: E741
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )


def _gamma(c: float) -> int:
    c = min(max(c, 0.0), 1.0)
    return round(255 * (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055))
