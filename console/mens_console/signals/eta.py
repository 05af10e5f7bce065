"""When a run will finish: the remaining time with a 90 % interval that means it.

Sees (step, wall) of rows in order; `now` and the last step are arguments. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.signals.byvalue import ByValue
from mens_console.signals.forecast import forecast_sum
from mens_console.signals.series import Blocks, median, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE: Final = 0.9
MIN_ADVANCES: Final = 8
_BURST_S: Final = 0.02
_PAUSE_FACTOR: Final = 3.0
_RING: Final = 32
_REFRESH: Final = 8
_PAUSES_KEPT: Final = 64
_SAME_PAUSE: Final = 3
_EARLIER: Final = 0.015
_LATER: Final = 0.03
"""Half of the interval that stays however regular the past was, as a share of what is left: recorded real runs differ
from their own past by this much, more often towards late than towards early (a pause of a kind not seen yet)."""
_REGULAR_CV: Final = 0.25
_REGULAR_MIN: Final = 3
_NOWHERE: Final = (-1, math.nan)


@dataclass(frozen=True, slots=True)
class Eta(ByValue):
    """Seconds from `now` to the last step, with the interval that covers the truth with `confidence`.

    `n` counts the updates it rests on. Where nothing can be said the numbers are NaN and `reason` says why.
    """

    seconds: float = math.nan
    low: float = math.nan
    high: float = math.nan
    confidence: float = CONFIDENCE
    n: int = 0
    reason: str = ""


class _Pause(NamedTuple):
    step: int
    seconds: float


class _Ahead(NamedTuple):
    """Seconds of pauses still to come, with the ends of their interval."""

    seconds: float
    low: float
    high: float


class EtaEstimator:
    """Remaining time from the durations of blocks of steps, plus the pauses between them.

    The time from one row to the next, per step, is a stream of at most 64 block means, which `forecast_sum` continues
    to the last step with a variance that knows noise, autocorrelation and drift of the rate. A row that took more
    than three times the recent median per step was interrupted (evaluation, checkpoint, stall): its excess is a pause
    and is forecast apart, for pauses come back. At regular distances, three or more, they are counted out to the
    end; otherwise they are a Poisson process of unknown rate. A pause seen once widens only the upper side. A pause
    before the first eight rows are in is start-up and is not expected again.
    """

    __slots__ = ("_anchor", "_blocks", "_gaps", "_limit", "_now", "_pauses", "_pending", "_steps", "n", "pauses")

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._gaps: deque[float] = deque(maxlen=_RING)
        self._pauses: deque[_Pause] = deque(maxlen=_PAUSES_KEPT)
        self._pending: list[tuple[int, int, float]] = []
        self._limit = math.inf
        self._anchor = _NOWHERE
        self._now = _NOWHERE
        self._steps = 0
        self.n = 0
        self.pauses = 0

    @property
    def last_step(self) -> int:
        """Return the newest step that has a wall time; negative if there is none."""
        return self._now[0]

    @property
    def last_wall(self) -> float:
        """Return when that step was logged, NaN if none was."""
        return self._now[1]

    def update(self, step: int, wall: float) -> None:
        """Take one row in."""
        self.update_many((step,), (wall,))

    def update_many(self, steps: Sequence[int], walls: Sequence[float]) -> None:
        """Take rows in order. A row without a wall time or not beyond the last step is passed over.

        Rows within 20 ms are one instant (a burst), of which the last step counts; the time up to an instant is
        booked when the next one comes, for only then is the burst over.
        """
        then_step, then_wall = self._anchor
        now_step, now_wall = self._now
        for step, wall in zip(steps, walls, strict=True):
            if step <= now_step:
                continue
            gap = wall - now_wall
            if gap > _BURST_S:
                if then_wall == then_wall:
                    self._advance(now_step, now_step - then_step, now_wall - then_wall)
                then_step, then_wall = now_step, now_wall
                now_step, now_wall = step, wall
            elif gap >= 0.0:
                now_step = step
            elif wall == wall:  # the first row, or a clock that was set back: measure from here
                then_step, then_wall = _NOWHERE
                now_step, now_wall = step, wall
        self._anchor = (then_step, then_wall)
        self._now = (now_step, now_wall)

    def _advance(self, step: int, steps: int, seconds: float) -> None:
        """Book that the `steps` up to `step` took `seconds`."""
        self.n += 1
        if self.n <= MIN_ADVANCES:
            self._pending.append((step, steps, seconds))
            if self.n == MIN_ADVANCES:
                self._start()
            return
        per_step = seconds / steps
        gaps = self._gaps
        gaps.append(per_step)
        if per_step > self._limit:
            usual = self._limit / _PAUSE_FACTOR
            self._pause(_Pause(step, seconds - usual * steps), near=_SAME_PAUSE * steps)
            seconds = usual * steps
        self._steps += steps
        self._blocks.add(step, steps, seconds)
        if not self.n % _REFRESH:
            self._limit = _PAUSE_FACTOR * median(sorted(gaps))

    def _pause(self, pause: _Pause, near: int) -> None:
        """Note a pause; slow rows right after one another are one pause."""
        before = self._pauses[-1] if self._pauses else None
        if before is not None and pause.step - before.step <= near:
            self._pauses[-1] = _Pause(pause.step, before.seconds + pause.seconds)
        else:
            self._pauses.append(pause)
            self.pauses += 1

    def _start(self) -> None:
        """Judge the first rows together, now that it is known what is usual; their pauses are start-up."""
        usual = median(sorted(seconds / steps for _, steps, seconds in self._pending))
        self._limit = _PAUSE_FACTOR * usual
        for step, steps, seconds in self._pending:
            calm = seconds if seconds <= self._limit * steps else usual * steps
            self._gaps.append(seconds / steps)
            self._steps += steps
            self._blocks.add(step, steps, calm)
        self._pending.clear()

    def rewind(self, step: int) -> None:
        """Go on from before `step` after a resume: the rate learned stays, the down time does not count."""
        self._anchor = _NOWHERE
        self._now = (step - 1, math.nan)
        self._pauses = deque((p for p in self._pauses if p.step < step), maxlen=_PAUSES_KEPT)

    def eta(self, total_steps: int | None, now: float) -> Eta:
        """Return the time left from `now` (same clock as the rows) until step `total_steps` is logged."""
        reason = self._missing(total_steps)
        if reason or total_steps is None:
            return Eta(n=self.n, reason=reason)
        left = total_steps - self.last_step
        if left <= 0:
            return Eta(0.0, 0.0, 0.0, CONFIDENCE, self.n)
        blocks = self._blocks.full
        durations = [block.y / block.x for block in blocks]
        per_block = sum(block.x for block in blocks) / len(blocks)
        base = forecast_sum(durations, left / per_block, CONFIDENCE)
        pause = self._pauses_ahead(left)
        usual_gap = median(sorted(self._gaps)) * (self._steps / self.n)
        mean = base.mean * per_block + pause.seconds
        down = ((base.mean - base.low) * per_block, pause.seconds - pause.low, _EARLIER * mean, 0.5 * usual_gap)
        up = ((base.high - base.mean) * per_block, pause.high - pause.seconds, _LATER * mean, 0.5 * usual_gap)
        # A row that is late is not progress: at most one usual gap of the silence since the last row is credited.
        waited = min(max(now - self.last_wall, 0.0), usual_gap) if math.isfinite(now) else 0.0
        seconds = max(mean - waited, 0.0)
        low, high = mean - math.hypot(*down) - waited, mean + math.hypot(*up) - waited
        return Eta(seconds, max(low, 0.0), max(high, seconds), CONFIDENCE, self.n)

    def _missing(self, total_steps: int | None) -> str:
        if total_steps is None:
            return "the number of steps this run will make is not known"
        if math.isnan(self.last_wall):
            return "no row with a wall time yet" if not self.n else "no row since the resume"
        if self.n < MIN_ADVANCES:
            return f"{self.n} timed updates so far, {MIN_ADVANCES} needed"
        return ""

    def _pauses_ahead(self, left: int) -> _Ahead:
        pauses = self._pauses
        if not pauses:
            return _Ahead(0.0, 0.0, 0.0)
        lengths = [pause.seconds for pause in pauses]
        mean = math.fsum(lengths) / len(lengths)
        spread = math.fsum((x - mean) ** 2 for x in lengths) / max(len(lengths) - 1, 1)
        z = t_quantile(CONFIDENCE, max(len(lengths) - 1, 1))
        distances = [b.step - a.step for a, b in pairwise(pauses)]
        if len(pauses) >= _REGULAR_MIN and _is_regular(distances):
            distance = math.fsum(distances) / len(distances)
            count = math.floor((self.last_step + left - pauses[-1].step) / distance)
            half = math.hypot(z * math.sqrt(count * spread), 0.5 * mean)
            return _Ahead(count * mean, max(count * mean - half, 0.0), count * mean + half)
        # Poisson counts under a flat prior on the log rate: mean μ = kR/S, variance μ(1 + R/S).
        odds = left / max(self._steps, 1)
        expected = self.pauses * odds
        half = z * math.sqrt(expected * (1.0 + odds) * mean * mean + expected * spread)
        if self.pauses == 1:
            return _Ahead(0.0, 0.0, expected * mean + min(half, 2.0 * mean * (1.0 + odds)))
        return _Ahead(expected * mean, max(expected * mean - half, 0.0), expected * mean + half)


def _is_regular(distances: Sequence[int]) -> bool:
    mean = math.fsum(distances) / len(distances)
    var = math.fsum((d - mean) ** 2 for d in distances) / len(distances)
    return mean > 0.0 and math.sqrt(var) < _REGULAR_CV * mean
