"""Judges the batches of a run one after the other, and sums runs up to tiers.

Adding a batch costs the same whatever came before, so that a live log never judges its history again. Pure.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from mens_console.signals import drift, healthbands, tiers
from mens_console.signals.drift import Baseline, Candidate, Reading, Shift
from mens_console.signals.generation import BATCH_SIZE, Judged, Slope, TierFigures
from mens_console.signals.ladders import LADDERS
from mens_console.signals.series import median
from mens_console.signals.slopes import LEAST, LeastSquares, theil_sen
from mens_console.signals.whenasked import WhenAsked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mens_console.signals.generation import Band, BatchFigures, Indicator
    from mens_console.signals.ladders import Ladder


def _pollyanna(batch: BatchFigures) -> float:
    score = batch.scores.get(healthbands.POLLYANNA)
    return math.nan if score is None else score.mean


TRENDS: Final[Mapping[str, Callable[[BatchFigures], float]]] = {
    "repair_rate_trend": lambda batch: batch.repair_rate,
    "latency_trend": lambda batch: batch.latency_mean,
    "opening_entropy_trend": lambda batch: batch.opening_entropy,
    "pollyanna_trend": _pollyanna,
}
"""What S1 takes slopes of."""
_REPAIRS: Final = "repair_rate_trend"


class RunJudge:
    """The judge of one run. `size` is how many attempts a whole batch holds."""

    def __init__(
        self, run_id: str = "", *, size: int = BATCH_SIZE, ladders: Mapping[Indicator, Ladder] = LADDERS
    ) -> None:
        self.run_id = run_id
        self.baseline = Baseline()
        self._size = size
        self._ladders = ladders
        self._sums = tiers.empty(run_id, (run_id,))
        self._lines = {name: LeastSquares() for name in TRENDS}
        self._recent: dict[str, deque[float]] = {name: deque(maxlen=healthbands.WINDOW) for name in TRENDS}
        self._robust: dict[str, Slope] = {}
        self._first: list[tuple[Candidate, dict[str, Reading]]] = []
        self._shifts: dict[str, Shift] = {}
        self._latency = Reading(math.nan, 0.0)
        self._seed = math.nan
        self._whole = 0
        self._past: list[str] = []

    def add(self, batch: BatchFigures) -> Judged:
        """Take a batch in for good, in order, and return where it stands.

        One that is not whole (the last of a finished log) counts in sums and S1's slopes, but neither in the trend nor
        in the baseline nor for drift.
        """
        self._sums = tiers.added(self._sums, batch)
        for name, read in TRENDS.items():
            value = read(batch)
            self._lines[name].add(batch.index, value)
            if batch.complete:
                self._recent[name].append(value)
        if batch.complete:
            self._whole += 1
            self._robust.clear()
        self._seed = self._lines[_REPAIRS].slope()
        judged = self._judged(batch, self._seed)
        if batch.complete:
            self._watch(batch, judged)
        return judged

    def peek(self, batch: BatchFigures) -> Judged:
        """Return where a batch that still grows stands now, and remember nothing of it."""
        return self._judged(batch, self._lines[_REPAIRS].slope(batch.index, batch.repair_rate))

    def _judged(self, batch: BatchFigures, seed: float) -> Judged:
        """Return where a batch stands as things are now: worked out when somebody asks, which for most nobody does."""
        rates = tuple(self._recent[_REPAIRS])
        how = (batch, rates, seed, self._latency, self.baseline, self._size, self._ladders)
        return Judged(batch, WhenAsked(partial(_bands, *how)))

    def _watch(self, batch: BatchFigures, judged: Judged) -> None:
        """Look for shifts, and let the batch into the baseline while that is not pinned."""
        readings = {watch.id: watch.read(batch) for watch in drift.WATCHES}
        if self.baseline.pinned:
            for name, shift in self._shifts.items():
                self._compare(shift, batch.index, readings[name])
            return
        self._first.append((_candidate(judged), readings))
        self.baseline = drift.choose([candidate for candidate, _ in self._first])
        self._settle()

    def _compare(self, shift: Shift, index: int, reading: Reading) -> None:
        before, reason = shift.at, shift.reason(self.baseline)
        shift.add(index, reading)
        if before is not None and shift.at is None:
            self._past = [*self._past[-9:], f"{reason}; back at the baseline at batch {index}"]

    def _settle(self) -> None:
        """Compare the first batches with the baseline as it is now."""
        inside = set(self.baseline.batches)
        chosen = [readings for candidate, readings in self._first if candidate.batch in inside]
        latencies = [one["mean_latency"] for one in chosen if one["mean_latency"].value == one["mean_latency"].value]
        values = sorted(one.value for one in latencies)
        error = math.sqrt(math.fsum(one.error**2 for one in latencies) * math.pi / 2) / len(values) if values else 0.0
        self._latency = Reading(median(values) if values else math.nan, error)
        self._shifts = {
            watch.id: Shift(watch, drift.level([one[watch.id] for one in chosen]), len(chosen))
            for watch in drift.WATCHES
        }
        self._past.clear()
        for candidate, readings in self._first:
            for name, shift in self._shifts.items():
                if candidate.batch in inside:
                    shift.add(candidate.batch, readings[name], compare=False)
                else:
                    self._compare(shift, candidate.batch, readings[name])

    def figures(self, newest: BatchFigures | None = None, name: str | None = None) -> TierFigures:
        """Return the run summed up; `newest` is the batch that still grows, `name` what to call the tier."""
        sums = self._sums if newest is None else tiers.added(self._sums, newest)
        trends = {one: self._slope(one, newest) for one in TRENDS}
        reasons, judged = self._reasons()
        return replace(
            sums,
            tier=self.run_id if name is None else name,
            repair_rate_trend=trends["repair_rate_trend"],
            latency_trend=trends["latency_trend"],
            opening_entropy_trend=trends["opening_entropy_trend"],
            pollyanna_trend=trends["pollyanna_trend"],
            drift=bool(reasons) if judged else None,
            drift_reasons=reasons,
            notes=(*self._notes(judged), *tiers.seed_notes(trends)),
            latency_baseline_ms=self._latency.value,
            baseline_batches=self.baseline.batches,
            seed_drift=tiers.seed_drift(trends),
        )

    def _slope(self, name: str, newest: BatchFigures | None) -> Slope:
        extra = (0, math.nan) if newest is None else (newest.index, TRENDS[name](newest))
        return replace(self._robust_one(name), slope=self._lines[name].slope(*extra))

    def _robust_one(self, name: str) -> Slope:
        """Return the slope over the newest whole batches."""
        if (slope := self._robust.get(name)) is None:
            slope = self._robust[name] = theil_sen(self._recent[name])
        return slope

    def _reasons(self) -> tuple[tuple[str, ...], bool]:
        reasons = [reason for shift in self._shifts.values() if (reason := shift.reason(self.baseline))]
        trend = healthbands.repair_rate_trend(self._robust_one(_REPAIRS), self._seed, self._ladders)
        if trend.band in ("warning", "critical"):
            reasons.insert(0, f"repair rate rises: {trend.reason}")
        judged = any(shift.judged for shift in self._shifts.values())
        return tuple(reasons), judged or trend.n >= LEAST

    def _notes(self, judged: bool) -> tuple[str, ...]:
        notes = [f"earlier: {past}" for past in self._past]
        if not judged:
            whole = f"{self._whole} whole batch{'' if self._whole == 1 else 'es'}"
            notes.append(
                f"drift cannot be judged: it takes two batches of a baseline and one after them; there are {whole}"
            )
        elif not self.baseline.healthy:
            notes.append(
                f"no healthy batch among the first: the baseline is {drift.batches_text(self.baseline.batches)}"
            )
        return tuple(notes)


def _bands(
    batch: BatchFigures, rates: tuple[float, ...], seed: float, latency: Reading, baseline: Baseline, size: int,
    ladders: Mapping[Indicator, Ladder],
) -> dict[Indicator, Band]:  # fmt: skip
    """Judge a batch; `rates` are the repair rates of the newest whole batches, `seed` S1's slope of all of them."""
    return {
        "repair_rate": healthbands.repair_rate(batch, ladders),
        "repair_rate_trend": healthbands.repair_rate_trend(theil_sen(rates), seed, ladders),
        "opening_entropy": healthbands.opening_entropy(batch, ladders),
        "pollyanna": healthbands.pollyanna(batch, ladders),
        "anchor_diversity": healthbands.anchor_diversity(batch, size, ladders),
        "mean_latency": healthbands.mean_latency(batch, latency.value, latency.error, _told(baseline), ladders),
    }


def _told(chosen: Baseline) -> str:
    """Name the baseline."""
    if not chosen.batches:
        return ""
    how = "pinned" if chosen.pinned else "so far"
    odd = "" if chosen.healthy else "; no batch yet was healthy, so this is how the run began"
    return f"median of {drift.batches_text(chosen.batches)}, {how}{odd}"


def _candidate(judged: Judged) -> Candidate:
    """Say whether a batch may stand in the baseline: no figure of it that was measured lies in warning or critical."""
    bad = {name for name, band in judged.bands.items() if band.point in ("warning", "critical")}
    return Candidate(judged.batch.index, healthy=not bad - {"repair_rate_trend"}, slow="mean_latency" in bad)


def judge(batches: Iterable[BatchFigures], *, size: int = BATCH_SIZE) -> list[Judged]:
    """Return where the batches of one run stand, which come in order; what grows yet can only be the last."""
    judging = RunJudge(size=size)
    return [judging.add(batch) for batch in batches]


def judged_tier(name: str, runs: Mapping[str, Iterable[BatchFigures]], *, size: int = BATCH_SIZE) -> TierFigures:
    """Return the batches of some runs, each in order, as one tier."""
    parts = []
    for run_id, batches in runs.items():
        judging = RunJudge(run_id, size=size)
        for batch in batches:
            judging.add(batch)
        parts.append(judging.figures())
    return tiers.tier(name, parts)
