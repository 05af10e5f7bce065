"""A frozen view of one metric of one run, ready to be drawn at any zoom or read at any step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from mens_console.signals.byvalue import ByValue
from mens_console.store.columns import Column
from mens_console.store.pyramid import Pyramid, are_narrow, reduce_raw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mens_console.store.pyramid import Cells

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

AxisKind = Literal["step", "relative", "wall"]


class Bins(NamedTuple):
    """One entry a pixel column: extremes, mean and last of the finite values (NaN where none), and counts."""

    lo: Floats
    hi: Floats
    mean: Floats
    last: Floats
    n: Ints
    bad: Ints


class Point(NamedTuple):
    """One logged value."""

    x: float
    value: float
    step: int
    wall: float


class Cache:
    """What is worth keeping between views of the same series: its pyramid and its monotone time axis.

    Readers of several threads may share it. The engine hands out a new one when rows change other than at the end.
    """

    __slots__ = ("_lock", "_pyramid", "_walls")

    def __init__(self) -> None:
        self._lock = Lock()
        self._pyramid = Pyramid()
        self._walls = Column(np.float64)

    def walls(self, walls: Floats) -> Floats:
        """Return the wall times made never to decrease; only the new ones are worked out."""
        with self._lock:
            known = self._walls
            if len(walls) < known.n:
                return np.fmax.accumulate(walls)
            if len(walls) > known.n:
                fresh = np.fmax.accumulate(walls[known.n :])
                known.extend(np.fmax(fresh, known.view()[-1]) if known.n else fresh)
            return known.view()

    def reduce(self, values: Floats, borders: Ints) -> tuple[Cells, Ints]:
        """Summarise `values` between borders; what is narrow enough to be read value by value grows no pyramid."""
        return reduce_raw(values, borders) if are_narrow(borders) else self.pyramid(values).reduce(values, borders)

    def pyramid(self, values: Floats) -> Pyramid:
        """Return the pyramid, grown to `values` (a view of the column, at least as long as any earlier one)."""
        with self._lock:
            if len(values) < self._pyramid.n:
                fresh = Pyramid()
                fresh.extend(values)
                return fresh
            self._pyramid.extend(values)
            return self._pyramid


@dataclass(frozen=True, slots=True)
class SeriesView(ByValue):
    """Steps, values and wall times of one metric, equally long; `steps` strictly increasing.

    Of samples of the machine steps may stand more than once: they have their order from time. `began` is where their
    relative axis begins, NaN for that of metrics, which begins with the first point.

    `walls` are seconds since the epoch, NaN where no source told. `rewound` are the overlaps that resumes went back
    over. `points` counts what was logged even where a cold run keeps fewer here. `values` are what was logged; they are
    read and drawn as `shown`, in which NaN stands where a trainer wrote something else for it.
    """

    name: str
    steps: Ints
    values: Floats
    walls: Floats
    points: int
    source: str = ""
    rewound: tuple[SeriesView, ...] = ()
    cache: Cache = field(default_factory=Cache, compare=False, repr=False)
    drawn: Floats | None = field(default=None, compare=False, repr=False)
    began: float = math.nan

    @property
    def shown(self) -> Floats:
        """The values as they are to be drawn."""
        return self.values if self.drawn is None else self.drawn

    @property
    def last(self) -> float:
        """The newest value (NaN where there is none, or where it is NaN)."""
        return float(self.values[-1]) if len(self.values) else float("nan")

    @property
    def last_step(self) -> int | None:
        """The newest step."""
        return int(self.steps[-1]) if len(self.steps) else None

    def _xs(self, axis: AxisKind) -> Floats | Ints | None:
        """Return steps or wall times, never decreasing; None where no source told the time."""
        if axis == "step":
            return self.steps
        if not len(self.walls) or np.isnan(self.walls[0]) or np.isnan(self.walls[-1]):
            return None
        return self.cache.walls(self.walls)

    def _origin(self, axis: AxisKind) -> float:
        """Return what is taken off the times: the run's own begin on the relative axis."""
        if axis != "relative":
            return 0.0
        return self.began if math.isfinite(self.began) else float(self.walls[0])

    def axis_values(self, axis: AxisKind) -> Floats | Ints | None:
        """Return the x value of every point, never decreasing; None where no source told the time."""
        xs = self._xs(axis)
        return xs if xs is None or axis == "step" else np.subtract(xs, self._origin(axis), dtype=np.float64)

    def bounds(self, axis: AxisKind) -> tuple[float, float] | None:
        """Return the first and last x, None for an empty series."""
        if not len(self.steps):
            return None
        if axis == "step":
            return float(self.steps[0]), float(self.steps[-1])
        xs, origin = self._xs(axis), self._origin(axis)
        return None if xs is None else (float(xs[0]) - origin, float(xs[-1]) - origin)

    def bins(self, edges: Floats, axis: AxisKind) -> Bins:
        """Summarise the values between consecutive `edges` (len(edges) - 1 columns; the last edge is inclusive)."""
        columns = len(edges) - 1
        xs = self._xs(axis)
        if xs is None or not len(self.values):
            nothing = np.full(columns, np.nan)
            zero = np.zeros(columns, np.int64)
            return Bins(nothing, nothing, nothing, nothing, zero, zero)
        borders = self._borders(xs, edges, axis)
        cells, counts = self.cache.reduce(self.shown, borders)
        finite = counts - cells.bad
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(finite > 0, cells.total / finite, np.nan)
        ends = self.shown[np.minimum(np.maximum(borders[1:] - 1, 0), len(self.values) - 1)]
        last = np.where(finite > 0, np.where(np.isfinite(ends), ends, mean), np.nan)
        return Bins(cells.lo, cells.hi, mean, last, finite, cells.bad)

    def _borders(self, xs: Floats | Ints, edges: Floats, axis: AxisKind) -> Ints:
        """Return where the edges fall among the points; steps are searched as integers, or all would be copied."""
        if axis == "step":
            whole = np.ceil(edges).astype(np.int64)
            borders = np.searchsorted(xs, whole, side="left").astype(np.int64)
            borders[-1] = np.searchsorted(xs, np.int64(math.floor(edges[-1])), side="right")
            return borders
        edges = edges + self._origin(axis)
        borders = np.searchsorted(xs, edges, side="left").astype(np.int64)
        borders[-1] = np.searchsorted(xs, edges[-1], side="right")
        return borders

    def at(self, x: float, axis: AxisKind) -> Point | None:
        """Return the logged point nearest to `x`."""
        xs = self._xs(axis)
        if xs is None or not len(xs):
            return None
        origin = self._origin(axis)
        x += origin
        i = int(np.searchsorted(xs, np.int64(math.ceil(x)) if axis == "step" else x))
        if i == len(xs) or (i > 0 and x - xs[i - 1] <= xs[i] - x):
            i -= 1
        return Point(float(xs[i]) - origin, float(self.shown[i]), int(self.steps[i]), float(self.walls[i]))
