"""Whether generation has shifted from where its run began: a CUSUM for each of five figures against a pinned baseline.

The baseline is made of the first healthy batches. A batch's figure is compared with it in units of what chance, the
baseline's own error and ordinary variation from batch to batch make of the difference. Pure; no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.signals.byvalue import ByValue
from mens_console.signals.diversity import entropy_interval
from mens_console.signals.generation import MIN_ATTEMPTS
from mens_console.signals.healthbands import POLLYANNA
from mens_console.signals.series import median

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.signals.generation import BatchFigures

BASELINE: Final = 5
"""Healthy batches that the baseline is made of."""
CANDIDATES: Final = 10
"""Batches after which the baseline is pinned, whatever was found."""
ALLOWANCE: Final = 1.1
"""What is taken off each batch's deviation, in standard errors, before it adds up. Against 1.0 it takes a third off the
false alarms of figures that vary a lot, and costs a fifth of a batch until a step is found."""
LIMIT: Final = 5.0
"""Sum from which the figure has shifted."""
MOST: Final = 4.0
"""Largest deviation that one batch may add, so that no single one makes a drift."""
CALM: Final = 3
"""Batches in a row back at the baseline that end a drift."""
_NEIGHBOURS: Final = 50
_DIFFERENCES: Final = 4
_FEW: Final = 3.0
"""A median of few differences is often far too small: with n of them it counts 1 + 3/n times."""
_Z95: Final = 1.96
_MAD: Final = 0.6744897501960817 * math.sqrt(6.0)
"""Median of |x - 2y + z| of independent normal x, y, z with deviation 1."""


class Reading(NamedTuple):
    """A figure of a batch and its standard error within the batch."""

    value: float
    error: float


NOTHING: Final = Reading(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Watch(ByValue):
    """A figure that is watched for one direction.

    `floor` is the ordinary variation from batch to batch that is no drift, `relative` where it is a share of the
    baseline.
    """

    id: str
    name: str
    direction: int
    """1 where a rise is bad, -1 where a fall is."""
    floor: float
    relative: bool
    shown: str
    scale: float
    read: Callable[[BatchFigures], Reading]


def _repairs(batch: BatchFigures) -> Reading:
    rate = batch.repair_rate
    if math.isnan(rate):
        return NOTHING
    likely = (batch.repaired + 1) / (batch.n + 2)  # an error that is not 0 where no repair was seen
    return Reading(rate, math.sqrt(likely * (1 - likely) / batch.n))


def _openings(batch: BatchFigures) -> Reading:
    if sum(batch.openings.values()) < MIN_ATTEMPTS:
        return NOTHING
    low, high = entropy_interval(batch.openings.values())
    return Reading(batch.opening_entropy_corrected, (high - low) / (2 * _Z95))


def _positive(batch: BatchFigures) -> Reading:
    score = batch.scores.get(POLLYANNA)
    return NOTHING if score is None or score.n < 2 else Reading(score.mean, score.deviation / math.sqrt(score.n))


def _anchors(batch: BatchFigures) -> Reading:
    share, draw = batch.anchor_rarefied, batch.rarefied_to
    if math.isnan(share) or draw < 1:
        return NOTHING
    # Each draw is a new anchor or not; draws without replacement vary less than these independent ones.
    likely = min(max(share, 1 / (draw + 2)), 1 - 1 / (draw + 2))
    return Reading(share, math.sqrt(likely * (1 - likely) / draw))


def _latency(batch: BatchFigures) -> Reading:
    if batch.latency_n < 2 or math.isnan(batch.latency_deviation):
        return NOTHING
    return Reading(batch.latency_mean, batch.latency_deviation / math.sqrt(batch.latency_n))


WATCHES: Final = (
    Watch("repair_rate", "repair rate", 1, 0.0125, False, "{:.3g} %", 100.0, _repairs),
    Watch("opening_entropy", "opening entropy", -1, 0.08, False, "{:.2f} nats", 1.0, _openings),
    Watch("pollyanna", "pollyanna score", 1, 0.02, False, "{:.3f}", 1.0, _positive),
    Watch("anchor_rarefied", "rarefied anchor diversity", -1, 0.05, True, "{:.3f}", 1.0, _anchors),
    Watch("mean_latency", "mean latency", 1, 0.1, True, "{:.4g} ms", 1.0, _latency),
)


class Baseline(NamedTuple):
    """The batches that later ones are compared with. `healthy` is False where none of the first ones was healthy."""

    batches: tuple[int, ...] = ()
    healthy: bool = True
    pinned: bool = False


class Candidate(NamedTuple):
    """One of the first whole batches: whether nothing of it lies in warning or critical, and whether it is slow."""

    batch: int
    healthy: bool
    slow: bool


def choose(first: Sequence[Candidate]) -> Baseline:
    """Return the baseline from the first whole batches.

    The first five healthy ones of the first ten; where there is none, how the run began: the first five that are not
    slow.
    """
    among = first[:CANDIDATES]
    good = tuple(one.batch for one in among if one.healthy)[:BASELINE]
    pinned = len(good) == BASELINE or len(among) == CANDIDATES
    return Baseline(good or tuple(one.batch for one in among if not one.slow)[:BASELINE], bool(good), pinned)


class Shift:
    """CUSUM of one figure (Page 1954), one-sided towards the bad."""

    __slots__ = (
        "_calm",
        "_diffs",
        "_last",
        "_newest",
        "_share",
        "at",
        "judged",
        "level",
        "since",
        "sum",
        "watch",
    )

    def __init__(self, watch: Watch, level: Reading, batches: int) -> None:
        self.watch = watch
        self._share = math.sqrt(math.pi / 2 / max(batches, 1))
        self.level = level
        """The baseline: its median and that median's standard error."""
        self.sum = 0.0
        self.judged = 0
        """Batches that were compared."""
        self.since: int | None = None
        """Batch from which the deviation adds up."""
        self.at: int | None = None
        """Batch at which the sum passed the limit; None while there is no drift."""
        self._newest = (0, math.nan)
        self._calm = 0
        self._last: deque[float] = deque(maxlen=2)
        self._diffs: deque[float] = deque(maxlen=_NEIGHBOURS)

    def add(self, index: int, reading: Reading, *, compare: bool = True) -> None:
        """Take in one batch's figure; one of the baseline's own is not compared."""
        x = reading.value
        if math.isnan(x):
            return
        if len(self._last) == 2:
            self._diffs.append(abs(x - 2 * self._last[1] + self._last[0]))
        self._last.append(x)
        if not compare or math.isnan(self.level.value):
            return
        self.judged += 1
        deviation = self.watch.direction * (x - self.level.value) / self._scale(reading)
        self._cumulate(index, x, min(deviation, MOST) - ALLOWANCE)

    def _scale(self, reading: Reading) -> float:
        """Return the standard error of a difference to the baseline.

        What the batches themselves vary by is taken from second differences, which neither a trend nor a step inflates,
        and is at least the floor; the baseline, a median of a few batches, varies by its share of that.
        """
        floor = self.watch.floor * (self.level.value if self.watch.relative else 1.0)
        n = len(self._diffs)
        seen = (1.0 + _FEW / n) * median(sorted(self._diffs)) / _MAD if n >= _DIFFERENCES else 0.0
        batch = max(math.hypot(reading.error, floor), seen)
        base = max(math.hypot(self.level.error, floor * self._share), seen * self._share)
        return math.hypot(batch, base)

    def _cumulate(self, index: int, x: float, excess: float) -> None:
        self.sum = min(max(self.sum + excess, 0.0), 2 * LIMIT)
        self._calm = self._calm + 1 if excess <= 0.0 else 0
        if self.at is not None and self._calm >= CALM:
            self.at, self.sum = None, 0.0
        if self.sum == 0.0 and self.at is None:
            self.since = None
            return
        self.since = index if self.since is None else self.since
        self._newest = (index, x)
        if self.at is None and self.sum > LIMIT:
            self.at = index

    def reason(self, baseline: Baseline) -> str:
        """Return what shifted, from what to what and when; empty while nothing has."""
        if self.at is None or self.since is None:
            return ""
        watch, (index, now) = self.watch, self._newest
        was, reads = (watch.shown.format(watch.scale * value) for value in (self.level.value, now))
        word = "rose" if watch.direction > 0 else "fell"
        return (
            f"{watch.name} {word} from {was} ({batches_text(baseline.batches)}) to {reads} (batch {index}); away since "
            f"batch {self.since}, certain at batch {self.at} (CUSUM {self.sum:.1f} > {LIMIT:g})"
        )


def level(readings: Sequence[Reading]) -> Reading:
    """Return the median of some batches' figures with its standard error; NaN of fewer than two."""
    known = [one for one in readings if one.value == one.value]
    if len(known) < 2:
        return NOTHING
    errors = math.fsum(one.error * one.error for one in known)
    # A median of normal values is up to √(π/2) less certain than their mean.
    return Reading(median(sorted(one.value for one in known)), math.sqrt(math.pi / 2 * errors) / len(known))


def batches_text(indices: Sequence[int]) -> str:
    """Return ``batch 0``, ``batches 0–4`` or ``batches 0, 2, 3``."""
    if not indices:
        return "no batch"
    if len(indices) == 1:
        return f"batch {indices[0]}"
    if len(indices) == indices[-1] - indices[0] + 1:
        return f"batches {indices[0]}–{indices[-1]}"
    return "batches " + ", ".join(map(str, indices))


def describe() -> str:
    """Return the table of what is watched, as Markdown."""
    lines = ["| figure | shifts when it | no drift by itself: a batch's ordinary variation |", "|---|---|---|"]
    for watch in WATCHES:
        floor = (
            f"{100 * watch.floor:g} % of the baseline"
            if watch.relative
            else watch.shown.format(watch.scale * watch.floor)
        )
        lines.append(f"| {watch.name} | {'rises' if watch.direction > 0 else 'falls'} | {floor} |")
    return "\n".join(lines)
