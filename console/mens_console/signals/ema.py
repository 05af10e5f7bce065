"""The bias-corrected exponential moving average, with a memory to rewind to after a resume.

Finite numbers in, finite numbers out; a NaN or infinity is counted, never averaged. No clock, no I/O.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHA: Final = 0.1
"""Smoothing of the streaming cross-entropy: the last ~20 points carry 88 % of the weight."""

_EVERY: Final = 8
_KEEP: Final = 32
_LEVELS: Final = 6
_NAN: Final = float("nan")

_State = tuple[int, int, float, float]
"""(step, finite points, weighted sum, weight) after a point."""


class Ema:
    """Exponential moving average `s/w` with `s ← (1-α)s + αx` and `w ← (1-α)w + α` (Kingma & Ba 2015, §3).

    `value` is the average after the last finite point and NaN before the first. The series that `update_many`
    returns holds NaN where the point was not finite: there is no evidence there, and a gap says so.

    For `rewind` every 8th state is kept, 32 of them, and of these every 8th again for longer, six levels deep, so
    that the state found is never older than a quarter of the distance rewound (or 8 points).
    """

    __slots__ = ("_levels", "_sum", "_weight", "alpha", "last_finite", "n", "skipped")

    def __init__(self, alpha: float = ALPHA) -> None:
        if not 0.0 < alpha <= 1.0:
            raise ValueError(f"alpha must lie in (0, 1], not {alpha!r}")
        self.alpha = alpha
        self.n = 0
        self.skipped = 0
        self.last_finite = False
        self._sum = 0.0
        self._weight = 0.0
        self._levels: tuple[deque[_State], ...] = tuple(deque(maxlen=_KEEP) for _ in range(_LEVELS))

    @property
    def value(self) -> float:
        """Return the average after the last finite point, NaN before the first."""
        return self._sum / self._weight if self.n else _NAN

    def update(self, step: int, value: float) -> float:
        """Take one point in and return the average, NaN if the point was not finite."""
        return self.update_many((step,), (value,))[0]

    def update_many(self, steps: Sequence[int], values: Sequence[float]) -> array[float]:
        """Take points in order and return the average after each, as long as `values`."""
        out = array("d", bytes(8 * len(values)))
        keep, alpha = 1.0 - self.alpha, self.alpha
        total, weight, n = self._sum, self._weight, self.n
        mask = _EVERY - 1
        finite = self.last_finite
        for i, x in enumerate(values):
            if x - x != 0.0:  # true for NaN and both infinities, and cheaper than a call
                out[i] = _NAN
                self.skipped += 1
                finite = False
                continue
            total = keep * total + alpha * x
            weight = keep * weight + alpha
            out[i] = total / weight
            n += 1
            finite = True
            if not n & mask:
                self._remember((steps[i], n, total, weight))
        self._sum, self._weight, self.n, self.last_finite = total, weight, n, finite
        return out

    def _remember(self, state: _State) -> None:
        count = state[1] // _EVERY
        for level in self._levels:
            level.append(state)
            if count % _EVERY:
                return
            count //= _EVERY

    def rewind(self, step: int) -> None:
        """Go back to the newest remembered state before `step`; to the very beginning if there is none."""
        for level in self._levels:
            while level and level[-1][0] >= step:
                level.pop()
        best = max((level[-1] for level in self._levels if level), key=lambda s: s[1], default=None)
        _, self.n, self._sum, self._weight = best or (0, 0, 0.0, 0.0)
        self.last_finite = self.n > 0
