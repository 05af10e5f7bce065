"""Which part of the x axis is on screen, and how it moves with growing data.

Numbers only; no widget, no key.
"""

from __future__ import annotations

import math
from typing import Final

SMALLEST: Final = 1e-7
"""The narrowest window, as a share of all data: enough for single steps of a ten-million-step run."""


class Viewport:
    """A window over growing data: `window` None shows everything; a window that touches the newest point follows it.

    While data grows, the right end moves in steps of a sixteenth of the span (rounded to a power of two) and not
    with every point: otherwise each new row would shift, and repaint, the whole picture.
    """

    def __init__(self) -> None:
        self.data: tuple[float, float] | None = None
        self.window: tuple[float, float] | None = None
        self._growing = False

    def follow(self, data: tuple[float, float] | None) -> None:
        """Take the data's new bounds; move a window that was at the end."""
        old, self.data = self.data, data
        if old is None or data is None:
            return
        self._growing = self._growing or data[1] > old[1]
        if self.window is not None and self.window[1] >= old[1] and data[1] > self.window[1]:
            x0, x1 = self.window
            quantum = _quantum(x1 - x0)
            shift = math.ceil((data[1] - x1) / quantum) * quantum
            self.window = (x0 + shift, x1 + shift)

    @property
    def at_end(self) -> bool:
        """Whether the newest point is in view, so that the view follows it."""
        return self.data is None or self.window is None or self.window[1] >= self.data[1]

    def shown(self) -> tuple[float, float]:
        """Return (x0, x1), x0 < x1, of what is on screen."""
        if self.window is not None:
            return self.window
        x0, x1 = self.data or (0.0, 1.0)
        if x1 <= x0:
            return x0 - 0.5, x0 + 0.5
        if self._growing:
            quantum = _quantum(x1 - x0)
            x1 = x0 + math.ceil((x1 - x0) / quantum) * quantum
        return x0, x1

    def zoom(self, factor: float, around: float | None) -> None:
        """Multiply the span by `factor`, keeping `around` (else the newest visible point) at its place on screen."""
        if self.data is None:
            return
        x0, x1 = self.shown()
        if around is None or not x0 <= around <= x1:
            around = min(x1, self.data[1])
        full = self.data[1] - self.data[0]
        span = max((x1 - x0) * factor, full * SMALLEST, abs(x1) * 1e-11)
        if span >= full:
            self.window = None
            return
        left = around - (around - x0) / (x1 - x0) * span
        self._place(left, span)

    def pan(self, share: float) -> None:
        """Move by a share of the span, as far as there is data."""
        if self.window is not None:
            x0, x1 = self.window
            self._place(x0 + share * (x1 - x0), x1 - x0)

    def reveal(self, x: float) -> bool:
        """Move the window, if it has to, so that x is in it; return whether it moved."""
        x0, x1 = self.shown()
        if self.window is None or x0 <= x <= x1:
            return False
        self._place(x if x < x0 else x - (x1 - x0), x1 - x0)
        return True

    def _place(self, left: float, span: float) -> None:
        first, last = self.data or (left, left + span)
        left = max(first, min(left, last - span))
        self.window = (left, left + span)


def _quantum(span: float) -> float:
    return float(2.0 ** (math.floor(math.log2(span)) - 4))
