"""How often a run usually says something, and from when on its silence is a stall.

Sees only the wall times at which something arrived; no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mens_console.signals.byvalue import ByValue
from mens_console.signals.rules import RULES
from mens_console.signals.series import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.signals.rules import Rule

STALL_FACTOR: Final = 3.0
STALL: Final = RULES["stall"]
"""Its entry is the least silence that counts (s), its critical one the silence that is no longer a mere stall."""
UNKNOWN_STALL_S: Final = 300.0
"""Silence allowed while fewer than `MIN_GAPS` gaps are known."""
MIN_GAPS: Final = 5
_WINDOW: Final = 512
_BURST_S: Final = 0.05
_CLOCK_SET_BACK_S: Final = 60.0
_LIVE_TRUSTED: Final = 20
_AGAIN: Final = 20

Phase = Literal["training", "evaluating", "saving"]


@dataclass(frozen=True, slots=True)
class Cadence(ByValue):
    """Usual gap between arrivals in seconds (`p50`, `p99` over `n` gaps, NaN of none) and what follows from it."""

    p50: float = math.nan
    p99: float = math.nan
    n: int = 0
    stall_after_s: float = UNKNOWN_STALL_S
    critical_after_s: float = STALL.critical or math.inf


class _Gaps:
    """The last 512 gaps of one clock, and the odd ones, over `floor_s`, that have not proved usual yet."""

    __slots__ = ("_floor_s", "_last", "_odd", "_since_odd", "gaps")

    def __init__(self, floor_s: float) -> None:
        self._floor_s = floor_s
        self.gaps: deque[float] = deque(maxlen=_WINDOW)
        self._last = math.nan
        self._odd = math.nan
        self._since_odd = 0

    def arrive(self, wall: float, *, excluded: bool) -> None:
        gap = wall - self._last
        if not _BURST_S < gap < math.inf:
            if math.isfinite(wall) and not gap > -_CLOCK_SET_BACK_S:  # the first arrival, or a clock that was set back
                self._last = wall
            return
        self._last = wall
        if excluded:
            return
        self._since_odd += 1
        if (
            gap > self._floor_s
            and len(self.gaps) >= MIN_GAPS
            and gap > STALL_FACTOR * quantile(sorted(self.gaps), 0.99)
        ):
            self._judge_odd(gap)
        else:
            self.gaps.append(gap)

    def arrive_many(self, walls: Iterable[float]) -> None:
        """Do what `arrive` does for each wall; ordinary gaps take the short way."""
        add = self.gaps.append
        last, ordinary, floor_s = self._last, 0, max(self._floor_s, _BURST_S)
        for wall in walls:
            gap = wall - last
            if _BURST_S < gap <= floor_s:
                add(gap)
                ordinary += 1
                last = wall
            elif not -_CLOCK_SET_BACK_S < gap <= _BURST_S:
                self._last, self._since_odd, ordinary = last, self._since_odd + ordinary, 0
                self.arrive(wall, excluded=False)
                last = self._last
        self._last = last
        self._since_odd += ordinary

    def _judge_odd(self, gap: float) -> None:
        """Hold back a gap that was itself a stall; a second one soon after shows that this is the run's way."""
        if self._odd == self._odd and self._since_odd <= _AGAIN:
            self.gaps.extend((self._odd, gap))
            self._odd = math.nan
        else:
            self._odd = gap
        self._since_odd = 0

    def restart(self) -> None:
        self._last = math.nan


class CadenceEstimator:
    """Learned logging gap of a run, without its evaluation and saving pauses.

    Arrivals within 50 ms are one instant, so a buffered writer's burst of rows teaches the gap between bursts. Gaps
    seen live and gaps between the rows' own times (history) are kept apart: a file that is flushed once a minute holds
    rows a second apart. History alone decides until five live gaps are known, then the more patient of both, and from
    20 live gaps on they alone. One gap long enough to be a stall teaches nothing; two within 20 do. `rule` is the rule
    ``stall`` as it is in force.
    """

    __slots__ = ("_critical_s", "_floor_s", "_history", "_live")

    def __init__(self, rule: Rule = STALL) -> None:
        self._floor_s = rule.entry
        self._critical_s = rule.critical if rule.critical is not None else math.inf
        self._history = _Gaps(self._floor_s)
        self._live = _Gaps(self._floor_s)

    def arrival(self, wall: float, phase: Phase = "training") -> None:
        """Note that something new was seen at `wall`; `phase` is what the run was doing before it arrived."""
        if math.isfinite(wall):
            self._live.arrive(wall, excluded=phase != "training")

    def history(self, walls: Iterable[float], phase: Phase = "training") -> None:
        """Note the rows' own times, in order; NaN is skipped."""
        gaps = self._history
        excluded = phase != "training"
        if excluded:
            for wall in walls:
                gaps.arrive(wall, excluded=True)
        else:
            gaps.arrive_many(walls)

    def restart(self) -> None:
        """Let the next gap pass: the run was down, not silent."""
        self._live.restart()
        self._history.restart()

    @property
    def cadence(self) -> Cadence:
        """Return the usual gap and the silence that counts as a stall: `max(3·p99, entry)`, critical from 8 minutes."""
        live, history = sorted(self._live.gaps), sorted(self._history.gaps)
        if len(live) >= _LIVE_TRUSTED or not history:
            chosen = live
        elif len(live) < MIN_GAPS:
            chosen = history
        else:
            chosen = max(live, history, key=lambda gaps: quantile(gaps, 0.99))
        if len(chosen) < MIN_GAPS:
            longest = max((*live, *history), default=0.0)
            patience = max(STALL_FACTOR * longest, UNKNOWN_STALL_S, self._floor_s)
            p50, p99 = quantile(chosen, 0.5), quantile(chosen, 0.99)
            return Cadence(p50, p99, len(chosen), patience, max(self._critical_s, patience))
        p99 = quantile(chosen, 0.99)
        stall = max(STALL_FACTOR * p99, self._floor_s)
        return Cadence(quantile(chosen, 0.5), p99, len(chosen), stall, max(self._critical_s, stall))
