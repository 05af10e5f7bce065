"""A run's series seen along the tokens it had been trained on, where the run counts them.

It turns tokens into steps and back; what is drawn comes from the series itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mens_console.screens.compared import TOKENS
from mens_widgets.curve import Axis, Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mens_console.store.series import Bins, SeriesView
    from mens_console.store.snapshot import RunView

    Floats = NDArray[np.float64]


class ByTokens:
    """A curve whose first axis is tokens: those counted at the rows between, interpolated in steps.

    Other axes are the series' own. Points before the first or after the last count are not on the axis of tokens.
    """

    def __init__(self, series: SeriesView, counter: SeriesView) -> None:
        self.name = series.name
        self._series = series
        good = np.isfinite(counter.values)
        self._steps = counter.steps[good].astype(np.float64)
        self._tokens: Floats = np.maximum.accumulate(counter.values[good])

    def _at(self, step: float) -> float:
        return float(np.interp(step, self._steps, self._tokens))

    def bounds(self, axis: Axis) -> tuple[float, float] | None:
        """Return the first and last x, None where the series has no point or no token was counted."""
        found = self._series.bounds(axis)
        if axis != "step" or found is None:
            return found
        if not len(self._steps) or found[1] < self._steps[0] or found[0] > self._steps[-1]:
            return None
        return self._at(found[0]), self._at(found[1])

    def bins(self, edges: Floats, axis: Axis) -> Bins:
        """Summarise the values between consecutive edges; those of tokens are looked up as steps."""
        if axis == "step":
            edges = np.interp(edges, *self._rising())
        return self._series.bins(edges, axis)

    def at(self, x: float, axis: Axis) -> Point | None:
        """Return the logged point nearest to x."""
        if axis != "step":
            found = self._series.at(x, axis)
            return None if found is None else Point(found.x, found.value)
        found = self._series.at(float(np.interp(x, *self._rising())), axis)
        if found is None or not len(self._steps) or not self._steps[0] <= found.x <= self._steps[-1]:
            return None
        return Point(self._at(found.x), found.value)

    def _rising(self) -> tuple[Floats, Floats]:
        """Return tokens and steps with half a step on either side: edges beyond the counts lie beyond the points."""
        if not len(self._steps):
            return np.zeros(1), np.zeros(1)
        tokens = np.concatenate(([self._tokens[0] - 1.0], self._tokens, [self._tokens[-1] + 1.0]))
        steps = np.concatenate(([self._steps[0] - 0.5], self._steps, [self._steps[-1] + 0.5]))
        return tokens, steps


def counter_of(run: RunView) -> SeriesView | None:
    """Return the series in which a run counts its tokens, None where it does not."""
    for name in TOKENS:
        series = run.series.get(name)
        if series is not None and len(series.values) > 1 and np.isfinite(series.values).any():
            return series
    return None
