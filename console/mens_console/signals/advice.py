"""Which checkpoint to keep, and why: the best evaluation before the run went wrong or stopped gaining.

A pure function of what was saved, measured and rung; no clock, no I/O.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.signals.byvalue import ByValue
from mens_console.signals.human import number
from mens_console.signals.human import step as step_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.checkpoints import CheckpointFact

GAIN: Final = 0.01
"""Relative improvement of an evaluation that a later checkpoint must show to be worth more than an earlier one."""
_WORDS: Final = {
    "nan_loss": "the loss became NaN",
    "hidden_nan": "the loss became NaN behind a 0.0",
    "loss_explosion": "the loss exploded",
    "loss_spike_sustained": "the loss rose and stayed high",
    "entropy_collapse": "the token entropy collapsed",
    "plateau": "the loss reached a plateau",
}
SPOILS: Final = frozenset(_WORDS) - {"plateau"}
"""Rules whose alert says that weights saved from then on are worth less."""
_CRITERIA: Final = (
    ("eval_loss", "eval loss"),
    ("fixed_eval_ce", "cross-entropy on the fixed set"),
    ("fixed_eval_ece", "ECE on the fixed set"),
)
"""What an evaluation is judged by, the first that the run has. Calibration comes last: it is not quality."""
EVALUATIONS: Final = tuple(name for name, _ in _CRITERIA)


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that the alerts noticed: from step `start` to step `end`, None while it goes on."""

    rule: str
    start: int
    end: int | None = None

    def holds(self, step: int) -> bool:
        """Say whether it holds at a step."""
        return self.start <= step and (self.end is None or step <= self.end)


@dataclass(frozen=True, slots=True)
class Advice:
    """The checkpoint to keep: its step and path, the reason in a sentence, what it rests on, and what to mind."""

    step: int
    path: str
    reason: str
    evidence: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Bests:
    """The evaluations that were the best when they were made, in order, of one metric that should fall."""

    __slots__ = ("points",)

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []

    def update_many(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Take evaluations in order; those that are not finite are skipped."""
        points = self.points
        for step, value in zip(steps, values, strict=True):
            if value - value == 0.0 and (not points or value < points[-1][1]):
                points.append((step, value))

    def rewind(self, step: int) -> None:
        """Forget evaluations from `step` on."""
        while self.points and self.points[-1][0] >= step:
            self.points.pop()


class Sampled:
    """A long series thinned to at most `most` points, evenly by their number: (step, value) to look values up by step.

    Which points are kept depends on their number only, never on how they came in.
    """

    __slots__ = ("_count", "_steps", "_stride", "_values", "most")

    def __init__(self, most: int = 2048) -> None:
        self.most = most
        self._steps: list[int] = []
        self._values: list[float] = []
        self._stride = 1
        self._count = 0

    def update_many(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Take points in order; NaN is kept, for it says that there was nothing."""
        at = -self._count % self._stride
        while at < len(steps):
            self._steps.append(steps[at])
            self._values.append(values[at])
            if len(self._steps) >= self.most:
                del self._steps[1::2], self._values[1::2]
                self._stride *= 2
            at += -(self._count + at + 1) % self._stride + 1
        self._count += len(steps)

    def at(self, step: int) -> float:
        """Return the value at the newest kept point that is not after `step`, NaN if there is none."""
        place = bisect_right(self._steps, step) - 1
        return self._values[place] if place >= 0 else math.nan

    def rewind(self, step: int) -> None:
        """Forget the points from `step` on."""
        keep = bisect_right(self._steps, step - 1)
        self._count = min(self._count, keep * self._stride)
        del self._steps[keep:], self._values[keep:]


@dataclass(frozen=True, slots=True)
class Record(ByValue):
    """What an advice rests on.

    `evaluations` hold per metric of `EVALUATIONS` the points that were the best so far, in order of steps; `losses`
    the EMA of the training loss at the step of each checkpoint; `episodes` what the alerts noticed.
    """

    checkpoints: Sequence[CheckpointFact]
    evaluations: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    losses: Mapping[int, float] = field(default_factory=dict)
    episodes: Sequence[Episode] = ()


def advise(record: Record) -> Advice | None:
    """Say which checkpoint to keep, None where none was saved.

    The best evaluation outside of what spoils weights counts; once a plateau began, one after it must be better by 1 %
    than the best before. The checkpoint nearest to it is the advice. Without an evaluation the EMA of the training
    loss decides, and the reason says so.
    """
    if not record.checkpoints:
        return None
    spoilt = [episode for episode in record.episodes if episode.rule in SPOILS]
    sound = [c for c in record.checkpoints if not any(e.holds(c.step) for e in spoilt)]
    notes = [_onset(e) for e in sorted(record.episodes, key=lambda e: e.start) if e.rule in _WORDS]
    if not sound:
        first = min(record.checkpoints, key=lambda c: c.step)
        why = f"every checkpoint was written after {_WORDS[min(spoilt, key=lambda e: e.start).rule]}"
        return Advice(first.step, first.path, "the earliest of those there are", tuple(notes), (why,))
    for metric, words in _CRITERIA:
        points = [p for p in record.evaluations.get(metric, ()) if not any(e.holds(p[0]) for e in spoilt)]
        if points:
            return _by_evaluation(points, words, sound, record, notes)
    return _by_loss(sound, record, notes)


def _by_evaluation(
    points: list[tuple[int, float]],
    words: str,
    sound: Sequence[CheckpointFact],
    record: Record,
    notes: list[str],
) -> Advice:
    step, value = min(points, key=lambda p: (p[1], p[0]))
    reason = f"best {words} {number(value)} at step {step_text(step)}"
    plateau = next((e for e in record.episodes if e.rule == "plateau" and e.end is None), None)
    if plateau is not None:
        before = [p for p in points if p[0] < plateau.start]
        earlier = min(before, key=lambda p: (p[1], p[0]), default=None)
        if earlier is not None and earlier[0] != step and earlier[1] - value < GAIN * abs(earlier[1]):
            step, value = earlier
            reason = (
                f"best {words} {number(value)} at step {step_text(step)}, before the plateau; later ones gain "
                f"less than {GAIN:.0%}"
            )
    chosen = min(sound, key=lambda c: (abs(c.step - step), c.step))
    warnings = []
    if chosen.step != step:
        warnings.append(f"best evaluation at step {step_text(step)}; nearest checkpoint {step_text(chosen.step)}")
    return Advice(chosen.step, chosen.path, reason, tuple(notes), tuple(warnings))


def _by_loss(sound: Sequence[CheckpointFact], record: Record, notes: list[str]) -> Advice:
    known = [(record.losses.get(c.step, math.nan), c) for c in sound]
    finite = [(loss, c) for loss, c in known if loss - loss == 0.0]
    if not finite:
        newest = max(sound, key=lambda c: c.step)
        return Advice(newest.step, newest.path, "the newest: nothing was measured that tells them apart", tuple(notes))
    loss, chosen = min(finite, key=lambda pair: (pair[0], pair[1].step))
    plateau = next((e for e in record.episodes if e.rule == "plateau" and e.end is None), None)
    reason = f"lowest streaming CE {number(loss)} at its step, by training loss only"
    if plateau is not None:
        first = min((c for x, c in finite if x - loss <= GAIN * abs(loss)), key=lambda c: c.step)
        if first.step < chosen.step:
            value = record.losses[first.step]
            chosen = first
            reason = f"streaming CE {number(value)} at its step, within {GAIN:.0%} of the lowest, by training loss only"
    warning = "no evaluation was logged: the training loss does not tell how well it generalises"
    return Advice(chosen.step, chosen.path, reason, tuple(notes), (warning,))


def _onset(episode: Episode) -> str:
    lasted = episode.end is not None and episode.end > episode.start
    over = f", over by step {step_text(episode.end)}" if lasted and episode.end is not None else ""
    return f"{_WORDS[episode.rule]} at step {step_text(episode.start)}{over}"
