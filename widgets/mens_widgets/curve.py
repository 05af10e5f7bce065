"""What a chart asks of its data: bounds, one bin a pixel column, and the point nearest to a place.

Numbers only; no widget, no file. The history's length must not matter to whoever asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Axis: TypeAlias = Literal["step", "relative", "wall"]
"""Steps of the optimizer; seconds since the run's first row; seconds since the epoch."""

Floats: TypeAlias = "NDArray[np.float64]"
Ints: TypeAlias = "NDArray[np.int64]"


class Bins(NamedTuple):
    """What happened in each of `cols` columns. Every array has the shape (cols,).

    `lo`, `hi`, `mean` and `last` (in x order) are float64 over the finite values only, NaN in a column without any;
    `n` counts the finite points, `bad` the NaN and infinite ones. `cut`, where given, is True in a column that must
    not be joined to the populated one before it (a break that the data knows of).
    """

    lo: Floats
    hi: Floats
    mean: Floats
    last: Floats
    n: Ints
    bad: Ints
    cut: NDArray[np.bool_] | None = None

    @classmethod
    def since(cls, bins: BinsLike, column: int) -> Bins:
        """Return the bins from this column on, of anything shaped like them."""
        cut = getattr(bins, "cut", None)
        lo, hi, mean, last = (part[column:] for part in (bins.lo, bins.hi, bins.mean, bins.last))
        return cls(lo, hi, mean, last, bins.n[column:], bins.bad[column:], None if cut is None else cut[column:])


class Point(NamedTuple):
    """One logged value: `x` in the unit of the axis, `value` as logged (possibly NaN or infinite)."""

    x: float
    value: float


class BinsLike(Protocol):
    """What a curve has to return as its bins: the arrays of `Bins`; a `cut` is looked for and may be missing."""

    @property
    def lo(self) -> Floats:
        """See `Bins`."""
        ...

    @property
    def hi(self) -> Floats:
        """See `Bins`."""
        ...

    @property
    def mean(self) -> Floats:
        """See `Bins`."""
        ...

    @property
    def last(self) -> Floats:
        """See `Bins`."""
        ...

    @property
    def n(self) -> Ints:
        """See `Bins`."""
        ...

    @property
    def bad(self) -> Ints:
        """See `Bins`."""
        ...


class PointLike(Protocol):
    """What a curve has to return as a point: at least an x and a value."""

    @property
    def x(self) -> float:
        """See `Point`."""
        ...

    @property
    def value(self) -> float:
        """See `Point`."""
        ...


class Curve(Protocol):
    """One series, seen along any axis."""

    @property
    def name(self) -> str:
        """What the legend calls it. Untrusted text."""
        ...

    def bounds(self, axis: Axis) -> tuple[float, float] | None:
        """Return the first and last x, or None where the series has no point on this axis."""
        ...

    def bins(self, edges: Floats, axis: Axis) -> BinsLike:
        """Return the points of each column [edges[i], edges[i + 1]), the last one closed; `edges` ascend."""
        ...

    def at(self, x: float, axis: Axis) -> PointLike | None:
        """Return the point nearest to x (bad ones too), the earlier of two equally near."""
        ...


class ArrayCurve:
    """A `Curve` over arrays held in memory, exact, whose `bins` costs the number of points in view.

    `values` and each given axis are 1-D and equally long. `relative` is seconds since the first wall time. Points
    without a finite x are not on that axis; points out of order are put in order, equal x keep theirs.
    """

    def __init__(self, name: str, values: ArrayLike, step: ArrayLike, wall: ArrayLike | None = None) -> None:
        self.name = name
        y = np.asarray(values, dtype=np.float64)
        self._axes: dict[Axis, tuple[Floats, Floats]] = {"step": _ordered(step, y)}
        if wall is not None:
            x, y = _ordered(wall, y)
            self._axes["wall"] = x, y
            self._axes["relative"] = (x - x[0] if len(x) else x), y

    def bounds(self, axis: Axis) -> tuple[float, float] | None:
        """See `Curve.bounds`."""
        x, _ = self._axes.get(axis, _NOTHING)
        return (float(x[0]), float(x[-1])) if len(x) else None

    def bins(self, edges: Floats, axis: Axis) -> Bins:
        """See `Curve.bins`."""
        x, y = self._axes.get(axis, _NOTHING)
        cuts = np.searchsorted(x, edges, side="left")
        cuts[-1] = np.searchsorted(x, edges[-1], side="right")
        view = y[cuts[0] : cuts[-1]]
        cuts -= cuts[0]
        finite = np.isfinite(view)
        counted = np.concatenate(([0], np.cumsum(finite)))[cuts]
        n = np.diff(counted)
        bad = np.diff(cuts) - n
        good, populated = view[finite], n > 0
        starts = counted[:-1][populated]

        def over(reduce: Any) -> Floats:
            out = np.full(len(n), np.nan)
            if len(starts):
                out[populated] = reduce.reduceat(good, starts)
            return out

        last = np.full(len(n), np.nan)
        last[populated] = good[counted[1:][populated] - 1]
        with np.errstate(invalid="ignore", over="ignore"):
            mean = over(np.add) / n
        return Bins(over(np.minimum), over(np.maximum), mean, last, n, bad)

    def at(self, x: float, axis: Axis) -> Point | None:
        """See `Curve.at`."""
        xs, ys = self._axes.get(axis, _NOTHING)
        if not len(xs):
            return None
        i = int(np.searchsorted(xs, x))
        if i == len(xs) or (i > 0 and x - xs[i - 1] <= xs[i] - x):
            i -= 1
        return Point(float(xs[i]), float(ys[i]))


def _ordered(at: ArrayLike, y: Floats) -> tuple[Floats, Floats]:
    x = np.asarray(at, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"expected equally long 1-D arrays, got {x.shape} and {y.shape}")
    if not np.isfinite(x).all():
        kept = np.isfinite(x)
        x, y = x[kept], y[kept]
    if (np.diff(x) < 0).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    return x, y


_NOTHING = (np.empty(0), np.empty(0))
