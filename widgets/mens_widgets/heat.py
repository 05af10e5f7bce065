"""Numbers to shades: where columns stand on the axis, how they are resampled to a width, limits, and levels.

Arrays in, arrays out; no widget, no colour, no domain.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from mens_widgets import ticks

if TYPE_CHECKING:
    from numpy.typing import NDArray

Codes: TypeAlias = "NDArray[np.uint8]"

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


class Course:
    """Where columns stand that count steps, on an axis that goes on wherever they fall back.

    `steps` may fall back where a run was resumed: what was made twice stands there twice, one after the other. `xs`
    ascend strictly and are the steps themselves up to the first fall; `falls` are the places where the steps fell
    back; `spacing` is the usual distance of columns, 1 for fewer than two.
    """

    def __init__(self, steps: NDArray[Any]) -> None:
        self.steps = steps
        apart = np.diff(steps)
        rising = apart[apart > 0]
        self.spacing = float(np.median(rising)) if len(rising) else 1.0
        starts = np.flatnonzero(apart <= 0) + 1
        shifts = np.zeros(len(steps))
        shifts[starts] = self.spacing - apart[starts - 1]
        shifts = np.cumsum(shifts)
        self.xs: NDArray[np.float64] = steps + shifts
        self.falls: tuple[float, ...] = tuple(self.xs[starts].tolist())
        ends = [*(starts - 1).tolist(), len(steps) - 1] if len(steps) else []
        self._pieces = [
            (float(steps[a]), float(steps[b]), float(shifts[a]))
            for a, b in zip([0, *starts.tolist()], ends, strict=False)
        ]
        """First and last step of each piece, and how far right of its steps it stands."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Return where the first column begins and where the last one ends, None without any."""
        return (float(self.xs[0]), float(self.xs[-1]) + self.spacing) if len(self.xs) else None

    def place(self, step: float) -> float | None:
        """Return where a step stands, the last time that it was made; None where it is not on the axis."""
        for first, last, shift in reversed(self._pieces):
            if first <= step < last + self.spacing:
                return step + shift
        first, _, shift = self._pieces[0] if self._pieces else (math.nan, 0.0, 0.0)
        return first + shift if first - self.spacing <= step < first else None

    def fell_to(self, step: float) -> bool:
        """Return whether the steps fell back to about this one: to within the usual distance of columns."""
        return any(abs(first - step) <= self.spacing for first, _, _ in self._pieces[1:])

    def step(self, x: float) -> float:
        """Return the step at a place."""
        shift = 0.0
        for first, _, one in self._pieces:
            if first + one <= x:
                shift = one
        return x - shift

    def ticks(self, x0: float, x1: float, count: int) -> list[tuple[float, str]]:
        """Return places of about `count` round steps in [x0, x1), with their labels."""
        stride = ticks.nice_step(x1 - x0, count)
        found = []
        for i, (first, last, shift) in enumerate(self._pieces):
            end = last + self.spacing if i + 1 < len(self._pieces) else math.inf
            low, high = max(x0 - shift, first if i else -math.inf), min(x1 - shift, end)
            found += [
                (k * stride, k * stride + shift)
                for k in range(math.ceil(low / stride - 1e-9), math.ceil(high / stride - 1e-9))
                if stride >= 1 or k * stride == round(k * stride)
            ]
        return list(zip((x for _, x in found), ticks.format_ticks([step for step, _ in found]), strict=True))


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
