"""Checkpoints: when the next one is due, whether it fits on its volume, and whether one is overdue.

Pure functions of plain values; no clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.byvalue import ByValue
from mens_console.signals.fill import CheckpointFit, Fits, checkpoint_fit
from mens_console.signals.human import number, size, span
from mens_console.signals.human import step as step_text
from mens_console.signals.rules import RULES
from mens_console.signals.series import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.fill import Fill
    from mens_console.signals.rules import Rule

_RECENT: Final = 8
"""Checkpoints whose spacing and size count."""


@dataclass(frozen=True, slots=True)
class CheckpointFact(ByValue):
    """A checkpoint that was written: `bytes` and `wall` (seconds since the epoch) are NaN where unknown."""

    step: int
    bytes: float = math.nan
    wall: float = math.nan
    path: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointPace(ByValue):
    """The usual spacing of checkpoints, NaN where unknown: in steps and in seconds, over `n` gaps.

    A stated `save_steps` stands before what was seen (`stated`).
    """

    steps: float = math.nan
    seconds: float = math.nan
    n: int = 0
    stated: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointForecast(ByValue):
    """The next checkpoint: its size (bytes), step and time (seconds since the epoch), and whether it will fit.

    Numbers are NaN and the step None where unknown; `reason` is a sentence. `age_steps` and `age_s` are those of the
    newest checkpoint, `overdue` says how many of its usual intervals that is (the lesser of steps and time), NaN where
    unknown.
    """

    bytes: float
    step: int | None
    at: float
    fits: Fits
    reason: str
    pace: CheckpointPace
    age_steps: float
    age_s: float
    overdue: float
    free: float = math.nan


def pace_of(checkpoints: Sequence[CheckpointFact], save_steps: int | None, steps_per_s: float | None) -> CheckpointPace:
    """Return the usual spacing: the median over the last gaps, or what the producer states."""
    kept = sorted(checkpoints, key=lambda c: c.step)[-_RECENT - 1 :]
    steps = sorted(float(b.step - a.step) for a, b in pairwise(kept) if b.step > a.step)
    times = sorted(b.wall - a.wall for a, b in pairwise(kept) if b.wall > a.wall)
    by_step, by_time = median(steps), median(times)
    if save_steps:
        by_step = float(save_steps)
    if by_time != by_time and steps_per_s:
        by_time = by_step / steps_per_s
    return CheckpointPace(by_step, by_time, len(steps), bool(save_steps))


def forecast(
    checkpoints: Sequence[CheckpointFact],
    *,
    now: float,
    step: int | None,
    steps_per_s: float | None = None,
    free: float | None = None,
    fill: Fill | None = None,
    save_steps: int | None = None,
    total_steps: int | None = None,
) -> CheckpointForecast:
    """Say when the next checkpoint is due and whether it fits.

    `now` is in seconds since the epoch, `free` the bytes free on the checkpoints' volume, `fill` how fast it fills
    (None unknown), `save_steps` the spacing that the producer states. Its size is the largest of the last ones.
    """
    pace = pace_of(checkpoints, save_steps, steps_per_s)
    newest = max(checkpoints, key=lambda c: c.step, default=CheckpointFact(0))
    sizes = [c.bytes for c in sorted(checkpoints, key=lambda c: c.step)[-_RECENT:] if c.bytes > 0.0]
    expected = max(sizes, default=math.nan)
    due, at = _due(newest, pace, now, step, steps_per_s, total_steps)
    wait = None if at != at else at - now
    fit = checkpoint_fit(free, fill, expected if expected == expected else None, wait)
    age_steps = float(max(step - newest.step, 0)) if step is not None else math.nan
    age_s = max(now - newest.wall, 0.0)
    return CheckpointForecast(
        expected, due, at, fit.fits, _reason(fit, expected, free, wait), pace, age_steps, age_s,
        _overdue(age_steps, age_s, pace), math.nan if free is None else free,
    )  # fmt: skip


def _due(
    newest: CheckpointFact,
    pace: CheckpointPace,
    now: float,
    step: int | None,
    steps_per_s: float | None,
    total_steps: int | None,
) -> tuple[int | None, float]:
    """Return the step and time of the next checkpoint; one that is late is due now, the last step always writes one."""
    if step is None or pace.steps != pace.steps:
        return None, math.nan
    due = newest.step + round(pace.steps)
    if total_steps and newest.step < total_steps:
        due = min(due, total_steps)
    left = max(due - step, 0)
    if not left:
        return due, now
    return due, now + left / steps_per_s if steps_per_s else math.nan


def _overdue(age_steps: float, age_s: float, pace: CheckpointPace) -> float:
    """Return the age of the newest checkpoint in usual intervals: the lesser of steps and time, NaN where unknown."""
    if pace.steps != pace.steps or age_steps != age_steps:
        return math.nan
    by_step, by_time = age_steps / pace.steps, age_s / pace.seconds
    return by_step if by_time != by_time else min(by_step, by_time)


def _reason(fit: CheckpointFit, expected: float, free: float | None, wait: float | None) -> str:
    if free is None or expected != expected:
        return fit.reason
    when = f" in {span(wait)}" if wait is not None and wait > 0.0 else ""
    text = f"about {size(expected)}{when}, {size(free)} free now"
    return f"{text}: {fit.reason}" if fit.reason else text


def checkpoint_observations(
    entity: str, found: CheckpointForecast, *, now: float, step: int | None, moving: bool,
    rules: Mapping[str, Rule] = RULES,
) -> list[Observation]:  # fmt: skip
    """Say what a forecast means for ``checkpoint_overdue`` and ``disk_before_checkpoint``.

    A run that does not move writes none: nothing is said of it. A checkpoint whose fit is not known resolves nothing,
    unless twice its size is free and only the rate is unknown.
    """
    return [_late(entity, found, now, step, rules, moving=moving), _tight(entity, found, now, step, moving=moving)]


def _late(
    entity: str, found: CheckpointForecast, now: float, step: int | None, rules: Mapping[str, Rule], *, moving: bool
) -> Observation:
    rule, times = rules["checkpoint_overdue"], found.overdue
    if not moving or times != times:
        return Observation(rule.id, entity, Signal.NODATA, now, step)
    if not times > rule.entry:
        return Observation(rule.id, entity, Signal.CLEAR if times <= rule.exit else Signal.NODATA, now, step, times)
    pace = found.pace
    usual = f"every {step_text(round(pace.steps))} steps" + (f" ({span(pace.seconds)})" if pace.seconds > 0.0 else "")
    source = "as save_steps says" if pace.stated else f"n={pace.n}"
    age = f"{step_text(round(found.age_steps))} steps" + (f", {span(found.age_s)}" if found.age_s >= 0.0 else "")
    return Observation(
        rule.id, entity, Signal.BREACH, now, step, times,
        message=f"the newest checkpoint is {number(times, 3)} × its usual interval old",
        evidence=(f"newest checkpoint {age} ago", f"usually {usual}, {source}"), standing=True,
    )  # fmt: skip


def _tight(entity: str, found: CheckpointForecast, now: float, step: int | None, *, moving: bool) -> Observation:
    name = "disk_before_checkpoint"
    if not moving:
        return Observation(name, entity, Signal.NODATA, now, step)
    if found.fits == "does not fit":
        return Observation(
            name, entity, Signal.BREACH, now, step, found.free, found.bytes,
            message=f"the next checkpoint does not fit: {found.reason}", evidence=(found.reason,), standing=True,
        )  # fmt: skip
    fits = found.fits == "fits" or found.free >= 2.0 * found.bytes
    return Observation(name, entity, Signal.CLEAR if fits else Signal.NODATA, now, step, found.free)
