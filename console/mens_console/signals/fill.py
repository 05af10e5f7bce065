"""How fast a volume fills and when it is full, from samples of the bytes in use; and whether a file still fits.

Pure arithmetic with intervals; it reads no clock and asks no file system.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mens_console.signals.byvalue import ByValue
from mens_console.signals.series import fit_line, lag1, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_POINTS: Final = 8
MIN_WINDOW_S: Final = 120.0
CONFIDENCE: Final = 0.95
RESERVE: Final = 0.02
"""Share of a checkpoint that must stay free beside it: writers make a temporary file and metadata."""

Fits = Literal["fits", "does not fit", "unknown"]


@dataclass(frozen=True, slots=True)
class Fill(ByValue):
    """The rate at which bytes are taken, with its 95 % interval (bytes/s), over `n` samples and `window_s` seconds."""

    rate: float
    low: float
    high: float
    n: int
    window_s: float

    @property
    def filling(self) -> bool:
        """Say whether the volume certainly fills: the whole interval is above zero."""
        return self.low > 0.0


@dataclass(frozen=True, slots=True)
class TimeToFull(ByValue):
    """Seconds until nothing is free: expected, and the ends of the interval (infinite where it may never be)."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CheckpointFit:
    """Whether a checkpoint of `size` bytes, due in `due_s` seconds, fits, and the sentence that says why."""

    fits: Fits
    reason: str


def fill_rate(points: Sequence[tuple[float, float]]) -> tuple[Fill | None, str]:
    """Return how fast bytes are taken, from (seconds, bytes used) in order; or None and why it cannot be said.

    Ordinary least squares: growth by whole checkpoints is a staircase, on which a median of slopes (Theil-Sen) reads
    zero. The residuals of a staircase are correlated, so the interval counts (1 - r) / (1 + r) of the points, with r
    their lag-1 autocorrelation (Bayley & Hammersley 1946).
    """
    window = points[-1][0] - points[0][0] if points else 0.0
    if len(points) < MIN_POINTS or window < MIN_WINDOW_S:
        return None, f"seen for {_minutes(window)} with n={len(points)}; it takes {_minutes(MIN_WINDOW_S)}"
    start = points[0][0]
    xs, ys = [at - start for at, _ in points], [float(used) for _, used in points]
    line = fit_line(xs, ys)
    if line is None:
        return None, "all samples were taken at one moment"
    rest = [y - line.intercept - line.slope * x for x, y in zip(xs, ys, strict=True)]
    share = lag1(rest)
    independent = max(len(points) * (1.0 - share) / (1.0 + share), 3.0)
    spread = line.stderr * math.sqrt((len(points) - 2) / max(independent - 2.0, 1.0))
    margin = t_quantile(CONFIDENCE, max(independent - 2.0, 1.0)) * spread
    return Fill(line.slope, line.slope - margin, line.slope + margin, len(points), window), ""


def time_to_full(free: float, fill: Fill) -> TimeToFull:
    """Return when `free` bytes are gone at this rate; infinite where the volume does not fill."""
    return TimeToFull(_until(free, fill.rate), _until(free, fill.high), _until(free, fill.low))


def _until(free: float, rate: float) -> float:
    return max(free, 0.0) / rate if rate > 0.0 else math.inf


def checkpoint_fit(free: float | None, fill: Fill | None, size: float | None, due_s: float | None) -> CheckpointFit:
    """Judge whether a checkpoint of `size` bytes still fits when it is due in `due_s` seconds (None: now).

    What fits at the upper end of the fill rate fits; what does not at its lower end does not; between them, and where
    something is not known, it is unknown and the reason says what is missing. Without a rate, only what already does
    not fit is certain.
    """
    if free is None:
        return CheckpointFit("unknown", "the free space is not known")
    if size is None or not size > 0.0:
        return CheckpointFit("unknown", "no checkpoint was written yet, so its size is not known")
    need = size * (1.0 + RESERVE)
    if free < need:
        return CheckpointFit("does not fit", "less than that is free now")
    wait = max(due_s or 0.0, 0.0)
    if wait == 0.0:
        return CheckpointFit("fits", "")
    if fill is None:
        return CheckpointFit("unknown", "it fits now, but how fast the volume fills is not known yet")
    if free - max(fill.high, 0.0) * wait >= need:
        return CheckpointFit("fits", "")
    if free - max(fill.low, 0.0) * wait < need:
        return CheckpointFit("does not fit", "the volume fills up before it is due")
    return CheckpointFit("unknown", "it depends on how fast the volume fills until then")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60.0:.0f} min" if seconds >= 60.0 else f"{seconds:.0f} s"
