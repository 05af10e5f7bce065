"""How many tokens a second the training makes, on a clock that never goes back, evaluation and saving left out.

Counts come from the caller; nothing is written or judged here.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from mens_console.signals.throughput import WINDOW, CountedRate

if TYPE_CHECKING:
    from collections.abc import Callable


def create_throughput_monitor(window_size: int = WINDOW) -> ThroughputMonitor:
    """Return a monitor whose average and trend are over the last `window_size` updates (at least 1)."""
    return ThroughputMonitor(window_size)


class ThroughputMonitor:
    """Tokens per second: now (over the last five updates), on average over the window, and their trend.

    The first update only starts the clock: nobody knows how long its tokens took.
    """

    def __init__(self, window_size: int = WINDOW, clock: Callable[[], float] = time.monotonic) -> None:
        if window_size < 1:
            raise ValueError(f"a throughput window needs at least one update, not {window_size!r}")
        self._rate = CountedRate(window_size)
        self._clock = clock
        self._tokens = 0.0
        self._away = 0.0
        """Seconds that did not go into training."""
        self._paused_at: float | None = None

    def update(self, num_tokens: float, at: float | None = None) -> None:
        """Count the tokens processed since the last update; `at` is the monotonic time in seconds (now by default).

        What is no finite number of at least 0 is passed over. An update ends a pause.
        """
        if not 0 <= num_tokens < math.inf:
            return
        now = self._clock() if at is None else at
        self._resume(now)
        self._tokens += num_tokens
        self._rate.update_many((now - self._away,), (self._tokens,))

    def pause(self, at: float | None = None) -> None:
        """Stop the clock: an evaluation or a save begins."""
        if self._paused_at is None:
            self._paused_at = self._clock() if at is None else at

    def resume(self, at: float | None = None) -> None:
        """Let the clock go on."""
        self._resume(self._clock() if at is None else at)

    def _resume(self, now: float) -> None:
        if self._paused_at is not None:
            self._away += max(now - self._paused_at, 0.0)
            self._paused_at = None

    def exclude_since_update(self, at: float | None = None) -> None:
        """Leave out the time since the last update: it went into an evaluation or a save that ends now."""
        now = self._clock() if at is None else at
        self._resume(now)
        last = self._rate.last[0]
        if last > -math.inf:
            self._away += max(now - self._away - last, 0.0)

    def get_statistics(self) -> dict[str, float | int | str | None]:
        """Return `tokens_per_sec`, `tokens_per_sec_avg`, `throughput_trend` and `n` updates; None where unknown."""
        found = self._rate.throughput
        return {
            "tokens_per_sec": found.current if found.n else None,
            "tokens_per_sec_avg": found.average if found.n else None,
            "throughput_trend": found.trend.direction,
            "n": found.n,
        }

    @property
    def rates(self) -> dict[str, float]:
        """Return `tokens_per_sec` and `tokens_per_sec_avg` without the trend, which costs more; {} where unknown."""
        found = self._rate.rates
        return {"tokens_per_sec": found.current, "tokens_per_sec_avg": found.average} if found.n else {}

    @property
    def num_tokens(self) -> float:
        """Return the tokens counted in all."""
        return self._tokens
