"""Batches summed up to runs, runs to tiers, and S1's drift rules beside them.

Pure; slopes and drift come from `runjudge`.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mens_console.signals.generation import Slope, TierFigures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.generation import BatchFigures

SEED_RULES: Final = (
    ("repair_rate_trend", "repair rate", 1, 0.5),
    ("opening_entropy_trend", "opening entropy", -1, -0.1),
    ("pollyanna_trend", "pollyanna", 1, 0.2),
)
"""S1's drift rules: the least-squares slope, whose it is, the bad direction, and the slope per batch beyond which."""
_SIZE: Final = re.compile(r"\d+[kKmM]?")


def tier_name(run_id: str) -> str:
    """Return the tier of a run: its id up to the first underscore where that is a size (25K), else the whole id."""
    head = run_id.partition("_")[0]
    return head if _SIZE.fullmatch(head) else run_id


def empty(name: str, runs: tuple[str, ...] = ()) -> TierFigures:
    """Return a tier of no batches."""
    return TierFigures(name, runs, 0, 0, 0, math.nan, math.nan, math.nan, 0, math.nan)


_SUMS: Final = (
    "batches", "attempts", "personas_at_most", "total_tokens", "success", "success_or_repaired", "status_attempts",
    "repaired", "repair_attempts",
)  # fmt: skip


_read: Final = attrgetter(*_SUMS)


def added(sums: TierFigures, batch: BatchFigures) -> TierFigures:
    """Return a tier with one more batch in its sums; trends and drift are left as they are."""
    statuses, repairs = bool(batch.told("status")), bool(batch.told("repairs"))
    counts = {
        "batches": 1,
        "attempts": batch.n,
        "personas_at_most": batch.n if "personas" in batch.limits else batch.personas,
        "total_tokens": batch.total_tokens,
        "success": batch.success * statuses,
        "success_or_repaired": batch.success_or_repaired * statuses,
        "status_attempts": batch.n * statuses,
        "repaired": batch.repaired * repairs,
        "repair_attempts": batch.n * repairs,
    }
    return _summed(sums, [tuple(counts[name] for name in _SUMS)], [batch.cost_usd])


def _merged(sums: TierFigures, parts: Sequence[TierFigures]) -> TierFigures:
    """Return a tier with the sums of others added."""
    return _summed(sums, [_read(part) for part in parts], [part.cost_usd for part in parts])


def _summed(sums: TierFigures, counts: Sequence[tuple[int, ...]], costs: Sequence[float]) -> TierFigures:
    """Return a tier with counts (of `_SUMS`) and costs added, and the rates these make: S1's averages by attempts."""
    total: dict[str, Any] = dict(zip(_SUMS, map(sum, zip(_read(sums), *counts, strict=True)), strict=True))
    known = [cost for cost in (sums.cost_usd, *costs) if cost == cost]
    told, repairable = total["status_attempts"], total["repair_attempts"]
    return replace(
        sums,
        **total,
        cost_usd=sum(known) if known else math.nan,
        success_rate=total["success"] / told if told else math.nan,
        success_or_repaired_rate=total["success_or_repaired"] / told if told else math.nan,
        repair_rate=total["repaired"] / repairable if repairable else math.nan,
    )


def tier(name: str, parts: Sequence[TierFigures]) -> TierFigures:
    """Return the runs `parts` as one tier.

    Its trends and its baseline are those of the run where there is one, else not a number, for slopes of runs that went
    on beside each other do not add up. It drifts where a run does; None where none could be judged.
    """
    runs = tuple(run for part in parts for run in part.runs)
    if len(parts) == 1:
        return replace(parts[0], tier=name)
    known = [part.drift for part in parts if part.drift is not None]
    seeds = [part.seed_drift for part in parts if part.seed_drift is not None]
    notes = (f"trends are those of single runs; here are {len(runs)}",) if parts else ()
    return replace(
        _merged(empty(name, runs), parts),
        drift=any(known) if known else None,
        drift_reasons=tuple(f"run {named(part.tier)}: {reason}" for part in parts for reason in part.drift_reasons),
        notes=notes,
        seed_drift=any(seeds) if seeds else None,
    )


def named(run_id: str) -> str:
    """Return a run id as a sentence names it."""
    return run_id or "(no run id)"


def seed_drift(trends: Mapping[str, Slope]) -> bool | None:
    """Return whether one of S1's rules holds; None where no slope is known."""
    known = [(trends[name].slope - limit) * sign > 0.0 for name, _, sign, limit in SEED_RULES if _known(trends[name])]
    return any(known) if known else None


def seed_notes(trends: Mapping[str, Slope]) -> tuple[str, ...]:
    """Return what S1's rules say, in one sentence; nothing where no slope is known."""
    parts = []
    for name, words, sign, limit in SEED_RULES:
        if _known(trends[name]):
            beyond = "drift" if (trends[name].slope - limit) * sign > 0.0 else "no drift"
            parts.append(f"{words} {trends[name].slope:+.4f} ({'>' if sign > 0 else '<'} {limit:+g}: {beyond})")
    return (f"seed formulas, slope per batch, for comparison: {', '.join(parts)}",) if parts else ()


def _known(slope: Slope) -> bool:
    return not math.isnan(slope.slope)
