"""The last minute of a soak as its driver sees it, for the line on a terminal and for `driver.json`.

The record is made elsewhere; nothing here is kept.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from mens_console.signals.byvalue import ByValue

WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Look(ByValue):
    """How it goes: rates are requests a second over the window, latencies milliseconds of what succeeded in it."""

    now_s: float
    window_s: float
    offered: float | None
    achieved: float | None
    ttft_p50: float | None
    ttft_p99: float | None
    lag_p99: float | None
    n: int
    """Requests that ended in the window."""
    failed: int
    """Of them."""
    in_flight: int
    requests: int
    """That ended since this driver began."""
    errors: int
    """Of them."""
    why: str
    """Of the newest failure."""
    up: bool | None
    """What the newest probe found."""


class Window:
    """Counts what was sent and what ended, and forgets it after a minute."""

    def __init__(self, began: float, rate: float) -> None:
        most = int(2 * WINDOW_S * rate) + 10_000  # more than this come only where many were held up
        self._began = began
        self._sent: deque[tuple[float, float]] = deque(maxlen=most)
        self._ended: deque[tuple[float, bool, float | None]] = deque(maxlen=most)
        self.requests = self.errors = self.in_flight = 0
        self.why = ""
        self.up: bool | None = None

    def sent(self, at: float, lag_s: float) -> None:
        """Note a request that was sent."""
        self._sent.append((at, lag_s))
        self.in_flight += 1

    def ended(self, at: float, *, error: str | None, ttft_s: float | None) -> None:
        """Note one that ended."""
        self._ended.append((at, error is not None, ttft_s))
        self.in_flight -= 1
        self.requests += 1
        if error is not None:
            self.errors += 1
            self.why = error

    def dropped(self) -> None:
        """Note one of which nothing can be said."""
        self.in_flight -= 1

    def look(self, now: float) -> Look:
        """Return how it goes at `now`."""
        since = now - WINDOW_S
        while self._sent and self._sent[0][0] < since:
            self._sent.popleft()
        while self._ended and self._ended[0][0] < since:
            self._ended.popleft()
        span = min(now - self._began, WINDOW_S)
        firsts = sorted(ttft for _, bad, ttft in self._ended if not bad and ttft is not None)
        lags = sorted(lag for _, lag in self._sent)
        return Look(
            now, span, len(self._sent) / span if span > 1.0 else None,
            sum(not bad for _, bad, _ in self._ended) / span if span > 1.0 else None,
            _quantile(firsts, 0.5), _quantile(firsts, 0.99), _quantile(lags, 0.99),
            len(self._ended), sum(bad for _, bad, _ in self._ended), self.in_flight,
            self.requests, self.errors, self.why, self.up,
        )  # fmt: skip


def _quantile(ordered: list[float], q: float) -> float | None:
    """Return the least that a share `q` does not exceed, in milliseconds."""
    return 1000.0 * ordered[max(math.ceil(q * len(ordered)) - 1, 0)] if ordered else None
