"""The verdict on one metric of a criterion: on every value that it means, the worst of them deciding. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mens_console.gate.baselines import Compared, compare, pinned_value
from mens_console.gate.bounds import Bounds, bounds, exact, needed, sample_size
from mens_console.gate.choose import Chosen, choose, clashes, gone, only_pinned, too_few, unusable
from mens_console.gate.metrics import METRICS
from mens_console.gate.statistics import hours_for_mtbf
from mens_console.gate.types import VERDICTS, Judgement
from mens_console.gate.wording import bounds as told_bounds
from mens_console.gate.wording import condition, edges, figure, quantity, sample, short
from mens_console.signals.human import step

if TYPE_CHECKING:
    from collections.abc import Collection

    from mens_console.gate.types import Band, Criterion, Item, Manifest, Metric, Verdict

_LONGEST_H = 1e9
_NAMED = 3
"""Values and files that a sentence names before it only counts them."""


def worst(verdicts: Collection[Verdict]) -> Verdict:
    """Return the worst of some verdicts; of none at all, UNDERFED."""
    return min(verdicts, key=VERDICTS.index, default="UNDERFED")


def judge_metric(
    criterion: Criterion,
    manifest: Manifest,
    now: float,
    pinned: Collection[str] = (),
    part: tuple[str, Band, Band | None] | None = None,
) -> Judgement:
    """Return the verdict on the criterion's own metric, or on a `part`: another one that it requires.

    A baseline concerns the own metric alone. What is promised and gone leaves it UNDERFED at best.
    """
    name, passes, conditional = part or (criterion.metric, criterion.passes, criterion.conditional)
    metric = METRICS.get(name)
    if metric is None:
        return Judgement(criterion, "UNDERFED", f"no such metric: {name or 'none is named'}")
    unit = metric.unit if part or not criterion.unit else criterion.unit
    blank = Judgement(criterion, "UNDERFED", "", unit=unit, statistic=kind(metric))
    baseline = None if part else criterion.baseline
    if passes is None and (baseline is None or baseline.margin is None):
        return replace(blank, reason="the criterion states no condition")
    if criterion.decides and (metric.demoted or metric.tier == 3):
        return replace(blank, reason=f"{metric.title} is context and may not decide")
    chosen = choose(name, criterion, manifest, now, pinned)
    if not chosen.items:
        judged = replace(blank, reason=_nothing(metric, criterion, chosen, manifest, pinned))
    else:
        task = _Task(criterion, metric, unit, passes, conditional, manifest, now)
        each = [task.judge(item, against_baseline=part is None) for item in chosen.items]
        judged = _worst_of(each, metric)
        judged = replace(judged, reason=judged.reason + _beside(chosen), items=_evidence(each))
        if clashes(chosen.items):
            judged = replace(judged, verdict=worst((judged.verdict, "UNDERFED")))
    return _with_gone(judged, gone(name, manifest), name)


def kind(metric: Metric) -> str:
    """Return what kind of figure a metric is, in a word: `mean`, `P99`."""
    return f"P{metric.quantile * 100:g}" if metric.statistic == "quantile" else metric.statistic


def _evidence(judged: list[Judgement]) -> tuple[Item, ...]:
    """Return the items of all judgements, each once: those that were judged, and what they were compared with."""
    return tuple({id(item): item for one in judged for item in one.items}.values())


def _with_gone(judged: Judgement, paths: tuple[str, ...], name: str) -> Judgement:
    if not paths:
        return judged
    reason = f"listed evidence is gone: {name} of {_some(tuple(map(short, paths)))}"
    verdict = worst((judged.verdict, "UNDERFED"))
    told = f"{judged.reason}; {reason}" if judged.verdict == "FAIL" else f"{reason}; besides: {judged.reason}"
    return replace(judged, verdict=verdict, reason=told)


def _worst_of(each: list[Judgement], metric: Metric) -> Judgement:
    sign = 1.0 if metric.better == "higher" else -1.0
    return min(
        each, key=lambda one: (VERDICTS.index(one.verdict), -math.inf if math.isnan(one.value) else sign * one.value)
    )


def _nothing(metric: Metric, criterion: Criterion, chosen: Chosen, manifest: Manifest, pinned: Collection[str]) -> str:
    if only_pinned(metric.id, manifest, pinned):
        return f"only the baseline gives {metric.id}, and nothing is there to compare with it"
    if chosen.others:
        wanted = ", ".join(f"{name}={value}" for name, value in sorted(criterion.where.items()))
        seen = _some(tuple(sorted({_tags(one) or "no tags" for one in chosen.others})))
        return f"no value of {metric.id} has {wanted}; there are: {seen}"
    read = sum(not one.problem for one in manifest.files)
    text = f"none of {read} files gives {metric.id}" if read > 1 else f"the one file gives no {metric.id}"
    if not read:
        text = f"nothing gives {metric.id}: no evidence was read"
    broken = [f"{short(one.path)}: {one.problem}" for one in manifest.files if one.problem]
    return text + (f"; {sorted(broken)[0]}" if broken else "")


def _beside(chosen: Chosen) -> str:
    """Say what stands beside the value that decided: contradictions first."""
    notes = []
    same = set.intersection(*({*item.tags.items()} for item in chosen.items))
    tags = sorted(
        {" ".join(f"{name}={value}" for name, value in sorted({*item.tags.items()} - same)) for item in chosen.items}
    )
    if clashes(chosen.items):
        told = _some(tuple(f"{figure(one.value)} in {short(one.path)}" for one in chosen.items))
        notes.append(f"contradictory evidence ({told}): the worse decides, and none of it passes")
    elif len(tags) > 1:
        notes.append(f"the worst of {len(chosen.items)} values ({_some(tuple(one or 'no tags' for one in tags))})")
    if chosen.stale:
        notes.append(f"{len(chosen.stale)} older than allowed set aside")
    return "".join(f"; {note}" for note in notes)


def _tags(item: Item) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(item.tags.items()))


def _some(texts: tuple[str, ...]) -> str:
    more = len(texts) - _NAMED
    return ", ".join(texts[:_NAMED]) + (f" and {more} more" if more > 0 else "")


class _Task:
    """One metric with its bands: what every value of it is judged by."""

    def __init__(
        self,
        criterion: Criterion,
        metric: Metric,
        unit: str,
        passes: Band | None,
        conditional: Band | None,
        manifest: Manifest,
        now: float,
    ) -> None:
        self._criterion, self._metric, self._unit = criterion, metric, unit
        self._passes, self._conditional = passes, conditional
        self._manifest, self._now = manifest, now

    def judge(self, item: Item, *, against_baseline: bool) -> Judgement:
        """Return the verdict on one value."""
        metric = self._metric
        blank = Judgement(self._criterion, "UNDERFED", "", item.value, item.unit, kind(metric), items=(item,), n=item.n)
        if (sample_size(item, metric) or 0) < self._criterion.min_n > 1:
            blank = replace(blank, needed_n=self._criterion.min_n)
        if problem := unusable(item, metric, self._criterion, self._unit, self._now):
            return self._in_doubt(item, replace(blank, reason=f"{_where(item)}: {problem}"))
        bounded = bounds(item, metric)
        if problem := too_few(item, metric, self._criterion):
            return self._short(blank, bounded, f"{_where(item)}: {problem}")
        told = replace(blank, n=bounded.n, interval=bounded.interval, needed_n=None)
        parts = []
        if self._passes is not None:
            parts.append(self._against_bands(item, told, bounded, self._passes))
        if against_baseline and self._criterion.baseline is not None:
            parts.append(self._against_baseline(item, told))
        decisive = min(parts, key=lambda one: VERDICTS.index(one.verdict))
        reason = "; ".join(dict.fromkeys(one.reason for one in parts))
        return replace(decisive, reason=reason, items=_evidence(parts))

    def _short(self, blank: Judgement, bounded: Bounds, problem: str) -> Judgement:
        """Keep a value of too small a sample that misses with all of its bounds a FAIL: more of the same is no cure."""
        passes, between, interval = self._passes, self._conditional, bounded.interval
        if passes is None or interval is None or not all(beyond(one, interval) for one in (passes, between) if one):
            return replace(blank, reason=problem)
        ends = edges(passes, between)
        value = f"{quantity(blank.value, blank.unit, ends)} ({told_bounds(interval, ends)})"
        missed = f"{value} misses {condition(passes)} with all of its bounds; {problem}"
        return replace(blank, verdict="FAIL", reason=missed, interval=interval)

    def _in_doubt(self, item: Item, doubted: Judgement) -> Judgement:
        """Keep a value that may not count, and would fail if it did, a FAIL: doubt makes nothing better."""
        passes = self._passes
        if not item.trouble or passes is None or item.unit != self._unit or math.isnan(item.value):
            return doubted
        if passes.holds(item.value) or (self._conditional is not None and self._conditional.holds(item.value)):
            return doubted
        start = quantity(item.value, item.unit, edges(passes, self._conditional))
        return replace(doubted, verdict="FAIL", reason=f"{start} misses {condition(passes)}; {doubted.reason}")

    def _against_bands(self, item: Item, told: Judgement, bounded: Bounds, passes: Band) -> Judgement:
        ends = edges(passes, self._conditional)
        value = quantity(item.value, item.unit, ends)
        known = ", ".join(part for part in (sample(bounded.n), told_bounds(bounded.interval, ends)) if part)
        start = f"{value} ({known})"
        enough = None if exact(self._metric) else needed(item, self._metric, passes)
        if not passes.holds(item.value):
            return self._outside(item, told, start, passes, enough)
        if self._at_its_point():
            return replace(told, verdict="PASS", reason=f"{start} meets {condition(passes)}", needed_n=enough)
        if bounded.interval is None:
            return replace(told, reason=f"{start}: {bounded.missing}")
        if clears(passes, bounded.interval):
            reason = f"{start} meets {condition(passes)} with its bounds"
            return replace(told, verdict="PASS", reason=reason, needed_n=enough)
        return self._undecided(told, f"{start} meets {condition(passes)}, but its bounds do not", enough)

    def _at_its_point(self) -> bool:
        """Say whether the value itself decides, not its bounds."""
        return self._criterion.decide_on == "point" or exact(self._metric)

    def _undecided(self, told: Judgement, start: str, enough: int | None) -> Judgement:
        enough = enough if enough is not None and enough > (told.n or 0) else None
        more = f"n={enough} would decide" if enough else "no number known would decide"
        return replace(
            told, verdict="CONDITIONAL", reason=f"{start}: undecided at {sample(told.n)}; {more}", needed_n=enough
        )

    def _outside(self, item: Item, told: Judgement, start: str, passes: Band, enough: int | None) -> Judgement:
        between = self._conditional
        if between is not None and between.holds(item.value):
            reason = f"{start} is conditional ({condition(between)}), short of {condition(passes)}"
            return replace(told, verdict="CONDITIONAL", reason=reason, needed_n=enough)
        missed = condition(passes) + (f" and {condition(between)}" if between is not None else "")
        if self._metric.id == "mtbf_lower_bound" and 0 < passes.low < _LONGEST_H:
            missed += f"; {step(math.ceil(hours_for_mtbf(passes.low)))} h without a failure would show it"
        return replace(told, verdict="FAIL", reason=f"{start} misses {missed}", needed_n=enough)

    def _against_baseline(self, item: Item, told: Judgement) -> Judgement:
        baseline = self._criterion.baseline
        assert baseline is not None
        if baseline.margin is None:
            if baseline.sha256 and baseline.sha256 in {digest for _, digest, _ in item.sources}:
                return replace(told, verdict="PASS", reason="measured against the pinned baseline")
            return replace(told, reason=f"{_where(item)}: not measured against the pinned baseline {baseline.path}")
        base, problem = pinned_value(item, self._metric, self._unit, self._criterion, self._manifest)
        if base is None:
            return replace(told, reason=problem)
        return self._inferior(replace(told, items=(item, base)), compare(item, base, self._metric, baseline))

    def _inferior(self, told: Judgement, compared: Compared) -> Judgement:
        reason = f"{quantity(told.value, told.unit)} ({sample(told.n)}) {compared.text}"
        if compared.worse_by > compared.limit:
            return replace(told, verdict="FAIL", reason=f"{reason}: worse by more than the margin")
        if self._at_its_point():
            return replace(told, verdict="PASS", reason=f"{reason}: within the margin")
        if compared.upper is None:
            return replace(told, reason=f"{reason}: nothing tells the spread of the difference, and a bound decides")
        if compared.upper <= compared.limit:
            return replace(told, verdict="PASS", reason=f"{reason}: within the margin with its bound")
        return self._undecided(told, f"{reason}: within the margin, but its bound is not", compared.enough(told.n))


def _where(item: Item) -> str:
    return f"{short(item.path)} {item.pointer}".rstrip()


def beyond(band: Band, interval: tuple[float, float]) -> bool:
    """Say whether no value between the bounds lies in the band."""
    low, high = interval
    below = high < band.low or (high == band.low and not band.low_closed)
    above = low > band.high or (low == band.high and not band.high_closed)
    return below or above


def clears(band: Band, interval: tuple[float, float]) -> bool:
    """Say whether both bounds lie in the band; an end that the band leaves open needs no bound."""
    low, high = interval
    above = math.isinf(band.low) or low > band.low or (band.low_closed and low == band.low)
    below = math.isinf(band.high) or high < band.high or (band.high_closed and high == band.high)
    return above and below
