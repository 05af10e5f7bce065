"""One model against another, KPI by KPI: paired where both were given the same tasks, unpaired where not.

A difference is told apart from chance by its 95 % interval; there is one such comparison a KPI, none is corrected for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.kpi.definitions import KPIS, Definition
from mens_console.kpi.lanes import BURDEN, LEAKAGE, NO_LANE, burden, compactness_loss, is_code, leakage, matched, shared
from mens_console.signals.byvalue import ByValue
from mens_console.signals.differences import (
    LEVEL,
    apart,
    mcnemar,
    paired_means,
    paired_median,
    paired_ratios,
    paired_shares,
)
from mens_console.signals.human import some
from mens_console.signals.intervals import Estimate, median, ratio_of_sums
from mens_console.signals.kpivalues import KpiDelta, KpiValue, ModelKpis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mens_console.kpi.compute import Evidence
    from mens_console.kpi.table import Table

MOST_SHARED: Final = 0.5
"""Share of the smaller side's tasks that must match, or the comparison is not by pairs."""


@dataclass(frozen=True, slots=True)
class Pairing(ByValue):
    """A difference over the same tasks: what either side reads there, and what else speaks for it."""

    base: float
    other: float
    difference: Estimate
    method: str
    p: float = 0.0
    """Exact probability of so uneven a split by chance, 0 where no such test belongs to it."""


def conflict(base: Evidence, other: Evidence) -> str:
    """Say why two models must not be compared: their evidence is of different sets of tasks. "" where nothing does."""
    if base.versions and other.versions and not base.versions & other.versions:
        left, right = ", ".join(sorted(base.versions)), ", ".join(sorted(other.versions))
        return f"{base.model} was evaluated on {left}, {other.model} on {right}"
    return ""


def deltas(base: Evidence, other: Evidence, of_base: ModelKpis, of_other: ModelKpis) -> tuple[KpiDelta, ...]:
    """Return how `other` differs from `base` in every KPI of tiers 1 and 2, then in the lanes that both have."""
    found = [
        _delta(definition, base, other, one, two)
        for definition in KPIS
        if definition.tier < 3
        and (one := of_base.get(definition.id)) is not None
        and (two := of_other.get(definition.id)) is not None
    ]
    return (*found, *_lane_deltas(base.table, other.table))


def _delta(definition: Definition, base: Evidence, other: Evidence, one: KpiValue, two: KpiValue) -> KpiDelta:
    if math.isnan(one.value) or math.isnan(two.value):
        missing = [evidence.model for evidence, value in ((base, one), (other, two)) if math.isnan(value.value)]
        reason = f"nothing feeds it for {' and '.join(missing)}"
        return KpiDelta(
            definition.id, one.value, two.value, math.nan, None, 0, paired=False, verdict="nodata", reason=reason
        )
    if one.source == base.source and two.source == other.source and base.source and other.source:
        pairing = _paired(definition, base.table, other.table)
        if pairing is not None:
            n = int(pairing.difference.worth)
            left = max(one.n, two.n) - n
            note = f"over the {some(n, 'task')} that both were given" if left > 0 else ""
            return _verdict(definition, one, two, pairing, n=n, paired=True, note=note)
    difference = apart(_estimate(one), _estimate(two))
    method = {"share": "Newcombe's hybrid score"}.get(definition.kind, "square-and-add of both intervals")
    pairing = Pairing(one.value, two.value, difference, method)
    return _verdict(definition, one, two, pairing, n=min(one.n, two.n), paired=False, note="")


def _estimate(value: KpiValue) -> Estimate:
    return Estimate(value.value, value.interval, value.n)


def _verdict(
    definition: Definition, one: KpiValue, two: KpiValue, pairing: Pairing, *, n: int, paired: bool, note: str
) -> KpiDelta:
    """Judge a difference: better or worse only where its interval leaves out 0 and chance is improbable."""
    delta = _judged(definition.id, definition.better, pairing, n=n, paired=paired, note=note)
    if definition.tier == 1 and not (one.decides and two.decides) and delta.verdict in ("better", "worse"):
        reason = "; ".join(filter(None, ["its evidence may not decide", one.reason or two.reason]))
        return replace(delta, verdict="undecided", reason=reason)
    return delta


def _judged(kpi: str, better: str, pairing: Pairing, *, n: int, paired: bool, note: str) -> KpiDelta:
    difference = pairing.difference
    delta = KpiDelta(
        kpi, pairing.base, pairing.other, difference.value, difference.interval, n, paired, "undecided",
        pairing.method, note,
    )  # fmt: skip
    if difference.interval is None:
        return replace(delta, reason="; ".join(filter(None, [note, "no interval: it cannot be told from chance"])))
    low, high = difference.interval
    if low <= 0 <= high:
        return replace(delta, reason="; ".join(filter(None, [note, "the interval holds 0"])))
    if pairing.p > LEVEL:
        reason = f"so uneven a split has p = {pairing.p:.2g} by chance (McNemar, exact)"
        return replace(delta, reason="; ".join(filter(None, [note, reason])))
    return replace(delta, verdict="better" if (low > 0) == (better == "higher") else "worse")


# ------------------------------------------------------------------ pairs


def _paired(definition: Definition, base: Table, other: Table) -> Pairing | None:
    """Return the difference over the tasks that both sides tell, None where too few match."""
    if definition.kind == "share":
        return _paired_share(base, other, definition.column)
    if definition.kind == "median":
        left, old, _ = base.per_task_median(definition.column)
        right, new, _ = other.per_task_median(definition.column)
        _, one, two = shared(left, old, right, new)
        if not _enough(len(one), left, right):
            return None
        difference = paired_median(one.tolist(), two.tolist())
        return Pairing(median(one.tolist()).value, median(two.tolist()).value, difference, "order statistics of pairs")
    if definition.kind == "rate":
        return _paired_rate(base, other)
    if definition.kind == "mean":
        return _paired_mean(base, other, definition.column)
    return None


def _enough(matches: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    return matches >= max(2, MOST_SHARED * min(len(left), len(right)))


def _paired_share(base: Table, other: Table, column: str) -> Pairing | None:
    tasks, one, two = matched(base, other, column)
    if not _enough(len(tasks), base.per_task(column)[0], other.per_task(column)[0]):
        return None
    if not (np.isin(one, (0.0, 1.0)).all() and np.isin(two, (0.0, 1.0)).all()):
        difference = paired_means(one.tolist(), two.tolist())
        if difference.interval is not None:  # shares cannot differ by more than all, which Student's t does not know
            low, high = difference.interval
            difference = replace(difference, interval=(max(low, -1.0), min(high, 1.0)))
        return Pairing(float(one.mean()), float(two.mean()), difference, "Student's t of pairs")
    both, only_base = int((one * two).sum()), int((one * (1 - two)).sum())
    only_other = int(((1 - one) * two).sum())
    difference = paired_shares(both, only_base, only_other, len(tasks) - both - only_base - only_other)
    return Pairing(
        float(one.mean()), float(two.mean()), difference, "Newcombe's paired score", mcnemar(only_base, only_other)
    )


def _paired_mean(base: Table, other: Table, column: str) -> Pairing | None:
    tasks, one, two = matched(base, other, column)
    if not _enough(len(tasks), base.per_task(column)[0], other.per_task(column)[0]):
        return None
    difference = paired_means(one.tolist(), two.tolist())
    return Pairing(float(one.mean()), float(two.mean()), difference, "Student's t of pairs")


def _paired_rate(base: Table, other: Table) -> Pairing | None:
    """Return the difference of two rates over the same tasks, each side's tokens and seconds added up by task."""
    sides = []
    for table in (base, other):
        columns = table.columns
        usable = (columns["tokens"] >= 0) & (columns["seconds"] > 0)
        true = usable & (columns["counted"] == 1)
        chosen = true if true.any() else usable
        tasks, places = np.unique(table.tasks[chosen], return_inverse=True)
        sums = [
            np.bincount(places, weights=columns[name][chosen], minlength=len(tasks)) for name in ("tokens", "seconds")
        ]
        sides.append((tasks, *sums))
    (left, *old), (right, *new) = sides
    tasks, one_tokens, two_tokens = shared(left, old[0], right, new[0])
    _, one_seconds, two_seconds = shared(left, old[1], right, new[1])
    if not _enough(len(tasks), left, right):
        return None
    one, two = (one_tokens.tolist(), one_seconds.tolist()), (two_tokens.tolist(), two_seconds.tolist())
    return Pairing(
        ratio_of_sums(*one).value, ratio_of_sums(*two).value, paired_ratios(one, two), "jackknife over pairs"
    )


# ------------------------------------------------------------------ lanes


def _lane_deltas(base: Table, other: Table) -> list[KpiDelta]:
    """Return contamination before and after: leakage, growth and repairs of every lane that both have."""
    found = []
    for lane in sorted(set(base.lane_names()) & set(other.lane_names())):
        before, after = base.of_lane(lane), other.of_lane(lane)
        name = f"lane.{lane or NO_LANE}"
        if is_code(lane):
            one, two = leakage(lane, before), leakage(lane, after)
            found.append(_lane_delta(f"{name}.leakage", LEAKAGE, one, two, _paired_share(before, after, "leaked")))
        found.append(_growth(f"{name}.compactness_loss", before, after))
        one, two = burden(before), burden(after)
        found.append(_lane_delta(f"{name}.repair_burden", BURDEN, one, two, _paired_mean(before, after, "made")))
    return [delta for delta in found if delta.verdict != "nodata"]


def _lane_delta(kpi: str, definition: KpiValue, one: KpiValue, two: KpiValue, pairing: Pairing | None) -> KpiDelta:
    if math.isnan(one.value) or math.isnan(two.value):
        return KpiDelta(kpi, one.value, two.value, math.nan, None, 0, paired=False, verdict="nodata")
    paired = pairing is not None
    pairing = pairing or Pairing(one.value, two.value, apart(_estimate(one), _estimate(two)), "square-and-add")
    n = int(pairing.difference.worth) if paired else min(one.n, two.n)
    return _judged(kpi, definition.better, pairing, n=n, paired=paired, note="")


def _growth(kpi: str, before: Table, after: Table) -> KpiDelta:
    loss = compactness_loss(before, after)
    if math.isnan(loss.value):
        return KpiDelta(kpi, math.nan, math.nan, math.nan, None, 0, paired=True, verdict="nodata", reason=loss.reason)
    pairing = Pairing(0.0, loss.value, Estimate(loss.value, loss.interval, loss.n), loss.method)
    return _judged(kpi, loss.better, pairing, n=loss.n, paired=True, note="")


def with_growth(kpis: ModelKpis, base: Evidence, other: Evidence) -> ModelKpis:
    """Return the KPIs of `other` with its lanes' compactness loss against `base` filled in."""
    lanes = []
    for lane in kpis.lanes:
        name = "" if lane.name == NO_LANE else lane.name
        known = name in base.table.lane_names() and name in other.table.lane_names()
        loss = compactness_loss(base.table.of_lane(name), other.table.of_lane(name)) if known else lane.compactness_loss
        lanes.append(replace(lane, compactness_loss=replace(loss, source=base.source)))
    return replace(kpis, lanes=tuple(lanes))


def worse(found: tuple[KpiDelta, ...], tier_1: tuple[str, ...]) -> list[KpiDelta]:
    """Return the KPIs of tier 1 that are worse."""
    return [delta for delta in found if delta.id in tier_1 and delta.verdict == "worse"]
