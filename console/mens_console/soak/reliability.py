"""How reliable a server was: the sums of a soak's minutes, mean times, the budget of errors and how fast it burns.

Pure arithmetic; durations are seconds. What cannot be said is None, never 0.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.gate.statistics import hours_for_mtbf, mtbf_lower_bound
from mens_console.soak.types import MINUTE, Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.soak.types import Incident, Minute, Plan

MTBF_TARGET_H: Final = 1000.0
HOUR_S: Final = 3600.0


@dataclass(slots=True)
class Sums:
    """What minutes came to, added up."""

    ended: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    skipped: int = 0
    degraded: int | None = None
    good: int = 0
    unobserved_s: float = 0.0
    output_tokens: int = 0
    counted_by: Counter[str] = field(default_factory=Counter)
    probes: int = 0
    probes_failed: int = 0
    gpu_peak: float | None = None
    gpu_seldom: bool = False
    """Whether some minutes tell but one sample of the GPUs' memory."""
    lost_by: Counter[str] = field(default_factory=Counter)

    def copy(self) -> Sums:
        """Return one that goes its own way."""
        made = Sums()
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(made, name, value.copy() if isinstance(value, Counter) else value)
        return made

    def add(self, minute: Minute) -> None:
        """Take a minute in."""
        self.ended += minute.ended
        if minute.failed:
            self.failed.update(minute.failed)
        self.lost += minute.lost
        self.skipped += minute.skipped
        if minute.degraded is not None:
            self.degraded = (self.degraded or 0) + minute.degraded
        self.good += minute.good
        self.unobserved_s += minute.unobserved_s
        self.output_tokens += minute.output_tokens
        if minute.counted_by:
            self.counted_by.update(minute.counted_by)
        self.probes += len(minute.probes)
        self.probes_failed += sum(not one.ok for one in minute.probes)
        if minute.lost_by:
            self.lost_by.update(minute.lost_by)
        self._see(minute)

    def _see(self, minute: Minute) -> None:
        """Keep the peak of the GPUs' memory, of all samples where the minute tells them."""
        told, held = minute.ranges.get("gpu_memory"), minute.levels.get("gpu_memory")
        if held is None:
            return
        self.gpu_seldom |= told is None
        self.gpu_peak = max(held if told is None else told[1], self.gpu_peak or 0.0)

    @property
    def downtime(self) -> float | None:
        """Return the share that was down: of probes or of requests, the worse of the two."""
        shares = [
            bad / n for bad, n in ((self.probes_failed, self.probes), (self.failed.total(), self.ended)) if n
        ]  # fmt: skip
        return max(shares, default=None)


def mttr(incidents: Sequence[Incident]) -> float | None:
    """Return the mean length of the incidents that closed."""
    lengths = [one.closed - one.opened for one in incidents if one.closed is not None]
    return sum(lengths) / len(lengths) if lengths else None


def mtbf(observed_s: float, failures: int) -> tuple[float | None, float | None, float]:
    """Return the observed time / failures, the 95 % lower bound, and the observed time that would show 1000 h."""
    bound = mtbf_lower_bound(observed_s / HOUR_S, failures) * HOUR_S if observed_s > 0 else None
    needs = hours_for_mtbf(MTBF_TARGET_H, failures) * HOUR_S
    return (observed_s / failures if failures and observed_s > 0 else None), bound, needs


def budget(plan: Plan, sums: Sums, now_s: float, last_hour: Sequence[Minute]) -> Budget | None:
    """Return the downtime that the soak's planned length allows and what is used of it; None without evidence.

    Used is the worse share of downtime × observed time; a burn rate is that share / the share that the target allows,
    which is the spent share of the budget / the share of the time gone. `last_hour` are the minutes of the last hour.
    """
    share, allowed = sums.downtime, 1 - plan.uptime_target
    if share is None or allowed <= 0 or plan.duration_s <= 0:
        return None
    observed = max(now_s - sums.unobserved_s, 0.0)
    recent = Sums()
    for minute in last_hour:
        recent.add(minute)
    lately = recent.downtime
    allowed_s, used_s = allowed * plan.duration_s, share * observed
    burn_hour = None if lately is None else lately / allowed
    return Budget(plan.uptime_target, allowed_s, used_s, 1 - used_s / allowed_s, share / allowed, burn_hour)


def since(minutes: Sequence[Minute], moment: float) -> Sequence[Minute]:
    """Return the minutes that end after a moment; they are in order."""
    first = len(minutes)
    while first and (minutes[first - 1].index + 1) * MINUTE > moment:
        first -= 1
    return minutes[first:]
