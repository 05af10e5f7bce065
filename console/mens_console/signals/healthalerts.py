"""What the rules about generation say of judged batches: one observation per indicator and batch, in order.

Bands come from `healthbands`; here they only become alerts. Batches that are not whole yet say nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.ruletypes import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mens_console.signals.generation import Band, Indicator, Judged, TierFigures
    from mens_console.signals.rules import Rule

RULE_OF: Final[Mapping[Indicator, str]] = {
    "repair_rate": "repairs_high",
    "repair_rate_trend": "repairs_rising",
    "opening_entropy": "openings_collapse",
    "pollyanna": "pollyanna_high",
    "anchor_diversity": "anchors_repeat",
    "mean_latency": "generation_slow",
}
_SEVERITY: Final = {"warning": Severity.WARNING, "critical": Severity.CRITICAL}


def batch_observations(entity: str, judged: Judged, rules: Mapping[str, Rule]) -> Iterator[Observation]:
    """Yield what each rule says of a whole batch of the log `entity`.

    An undecided band neither fires nor ends an alert; one without data is NODATA.
    """
    for indicator, band in judged.bands.items():
        rule = RULE_OF.get(indicator, "")
        if rule in rules and band.band != "undecided":
            yield _observation(rule, entity, judged, band)


def _observation(rule: str, entity: str, judged: Judged, band: Band) -> Observation:
    at, index = judged.batch.ended, judged.batch.index
    if band.band == "nodata":
        return Observation(rule, entity, Signal.NODATA, at)
    severity = _SEVERITY.get(band.band)
    if severity is None:
        return Observation(rule, entity, Signal.CLEAR, at, index, band.value)
    run = f" of run {judged.batch.run_id}" if judged.batch.run_id else ""
    evidence = [f"batch {index}{run}, {judged.batch.n} attempts: {band.value:.3g} {band.unit}".rstrip()]
    if band.interval is not None:
        evidence.append(f"95 % interval {band.interval[0]:.3g} to {band.interval[1]:.3g}, n = {band.n}")
    if band.reason:
        evidence.append(band.reason)
    return Observation(rule, entity, Signal.BREACH, at, index, band.value, severity=severity, evidence=tuple(evidence))


def drift_observation(entity: str, tier: TierFigures, at: float) -> Observation:
    """Return what the drift verdict about one run says at event time `at`."""
    if tier.drift is None:
        return Observation("generation_drift", entity, Signal.NODATA, at)
    if not tier.drift:
        return Observation("generation_drift", entity, Signal.CLEAR, at, value=0.0)
    return Observation(
        "generation_drift",
        entity,
        Signal.BREACH,
        at,
        value=float(len(tier.drift_reasons)) or math.nan,
        message=tier.drift_reasons[0] if tier.drift_reasons else "",
        evidence=tier.drift_reasons,
        standing=True,
    )
