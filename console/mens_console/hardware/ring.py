"""The last ten minutes of one measurement. Numbers only."""

from __future__ import annotations

from collections import deque

from mens_console.signals.gpu import HISTORY_S, History

MOST: int = 600


class Ring:
    """Samples of the last `seconds`, at most `most` of them."""

    __slots__ = ("_points", "_seconds")

    def __init__(self, seconds: float = HISTORY_S, most: int = MOST) -> None:
        self._seconds = seconds
        self._points: deque[tuple[float, float | None]] = deque(maxlen=most)

    def add(self, at: float, value: float | None) -> History:
        """Take a sample in and return all; those from after `at` go, because the clock was set back."""
        points = self._points
        while points and points[-1][0] >= at:
            points.pop()
        points.append((at, value))
        while points[0][0] < at - self._seconds:
            points.popleft()
        return History(tuple(p[0] for p in points), tuple(p[1] for p in points))
