"""Batches summed up to runs, runs to tiers, and S1's drift rules beside them.

Pure; slopes and drift come from `runjudge`.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

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
    return TierFigures(name, runs, 0, 0, 0, math.nan, math.nan, math.nan, 0, 0.0)


def added(sums: TierFigures, batch: BatchFigures) -> TierFigures:
    """Return a tier with one more batch in its sums; trends and drift are left as they are."""
    told = not math.isnan(batch.repair_rate)
    return _shares(
        replace(
            sums,
            batches=sums.batches + 1,
            attempts=sums.attempts + batch.n,
            personas_at_most=sums.personas_at_most + batch.personas,
            total_tokens=sums.total_tokens + batch.total_tokens,
            cost_usd=sums.cost_usd + (0.0 if math.isnan(batch.cost_usd) else batch.cost_usd),
            success=sums.success + batch.success,
            success_or_repaired=sums.success_or_repaired + batch.success_or_repaired,
            repaired=sums.repaired + (batch.repaired if told else 0),
            repair_attempts=sums.repair_attempts + (batch.n if told else 0),
        )
    )


def _shares(sums: TierFigures) -> TierFigures:
    """Return the tier with its rates made of its counts: S1's averages, weighted by attempts."""
    n, repairable = sums.attempts, sums.repair_attempts
    return replace(
        sums,
        success_rate=sums.success / n if n else math.nan,
        success_or_repaired_rate=sums.success_or_repaired / n if n else math.nan,
        repair_rate=sums.repaired / repairable if repairable else math.nan,
    )


def tier(name: str, parts: Sequence[TierFigures]) -> TierFigures:
    """Return the runs `parts` as one tier.

    Its trends and its baseline are those of the run where there is one, else not a number, for slopes of runs that went
    on beside each other do not add up. It drifts where a run does; None where none could be judged.
    """
    runs = tuple(run for part in parts for run in part.runs)
    if len(parts) == 1:
        return replace(parts[0], tier=name)
    sums = empty(name, runs)
    for part in parts:
        sums = replace(
            sums,
            batches=sums.batches + part.batches,
            attempts=sums.attempts + part.attempts,
            personas_at_most=sums.personas_at_most + part.personas_at_most,
            total_tokens=sums.total_tokens + part.total_tokens,
            cost_usd=sums.cost_usd + part.cost_usd,
            success=sums.success + part.success,
            success_or_repaired=sums.success_or_repaired + part.success_or_repaired,
            repaired=sums.repaired + part.repaired,
            repair_attempts=sums.repair_attempts + part.repair_attempts,
        )
    known = [part.drift for part in parts if part.drift is not None]
    seeds = [part.seed_drift for part in parts if part.seed_drift is not None]
    notes = (f"trends are those of single runs; here are {len(runs)}",) if parts else ()
    return replace(
        _shares(sums),
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
    """Return what each of S1's rules says, in words."""
    notes = []
    for name, words, sign, limit in SEED_RULES:
        if _known(trends[name]):
            slope = trends[name].slope
            holds = (slope - limit) * sign > 0.0
            compared = f"{'>' if sign > 0 else '<'} {limit:+g}"
            notes.append(
                f"seed formula: {words} slope {slope:+.4f} per batch {compared}: {'drift' if holds else 'no drift'}"
            )
    return tuple(notes)


def _known(slope: Slope) -> bool:
    return not math.isnan(slope.slope)
