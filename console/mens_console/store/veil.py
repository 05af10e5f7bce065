"""Losses that stand for a NaN: a trainer that filters NaN logs 0.0 and leaves it to the gradient norm to tell.

What was logged stays what it is; here is only how it is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NORMS: Final = {"loss": "grad_norm"}
"""Which metric tells that a zero of another is none."""


def hidden(steps: Ints, values: Floats, zeros: Ints, norm_steps: Ints, norms: Floats) -> Ints:
    """Return those of the places `zeros` in `values` at whose step a gradient norm was logged that is not finite."""
    if not len(norm_steps) or not len(zeros):
        return zeros[:0]
    at = np.minimum(np.searchsorted(norm_steps, steps[zeros]), len(norm_steps) - 1)
    told: Ints = zeros[(norm_steps[at] == steps[zeros]) & ~np.isfinite(norms[at])]
    return told


def veiled(steps: Ints, values: Floats, norm_steps: Ints, norms: Floats) -> Floats | None:
    """Return the values with NaN where a zero hides one, None where none does."""
    places = hidden(steps, values, np.flatnonzero(values == 0.0), norm_steps, norms)
    return _without(values, places) if len(places) else None


def _without(values: Floats, places: Ints) -> Floats:
    shown = values.copy()
    shown[places] = np.nan
    return shown


class Veil:
    """The same for a line that grows: only what is new of it is searched for zeros.

    `rev` changes where something else is hidden before the end that was seen last: a summary of that is worth nothing.
    """

    __slots__ = ("_hidden", "_n", "_shown", "_version", "_zeros", "rev")

    def __init__(self) -> None:
        self.rev = 0
        self._forget(-1)

    def _forget(self, version: int) -> None:
        self._version, self._n = version, 0
        self._zeros = self._hidden = np.zeros(0, np.int64)
        self._shown: Floats | None = None

    def over(self, steps: Ints, values: Floats, version: int, norm_steps: Ints, norms: Floats) -> Floats | None:
        """Return the values as they are drawn, None where that is as they were logged.

        `version` changes whenever rows change other than at the end.
        """
        if version != self._version or len(values) < self._n:
            self._forget(version)
            self.rev += 1
        seen, self._n = self._n, len(values)
        fresh = np.flatnonzero(values[seen:] == 0.0)
        if len(fresh):
            self._zeros = np.concatenate([self._zeros, fresh + seen])
        if not len(self._zeros):
            return None
        known, self._hidden = self._hidden, hidden(steps, values, self._zeros, norm_steps, norms)
        same = len(known) <= len(self._hidden) and bool((self._hidden[: len(known)] == known).all())
        news = self._hidden[len(known) :] if same else self._hidden
        if not same or (len(news) and news[0] < seen):
            self.rev += 1
        if len(news) or not same or seen != self._n:
            self._shown = _without(values, self._hidden) if len(self._hidden) else None
        return self._shown
