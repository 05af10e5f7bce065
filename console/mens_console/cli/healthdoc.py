"""The health of attempt logs as documents: `mens-health/1` in JSON, and one row a batch in CSV.

Everything is read from a report; what was not measured is null, or blank in CSV, never a zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.export import disarmed
from mens_console.ingest.text import safe_text
from mens_console.signals.diversity import effective
from mens_console.signals.generation import INDICATORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.signals.generation import Band, HealthReport, Judged, Slope, TierFigures

SCHEMA: Final = "mens-health/1"
COLUMNS: Final = (
    "run_id", "index", "batch_size", "personas", "complete", "success_rate", "success_or_repaired_rate",
    "mean_latency_ms", "p95_latency_ms", "repair_rate", "opening_move_entropy", "opening_move_entropy_corrected",
    "effective_moves", "anchor_diversity", "anchor_diversity_rarefied", "pollyanna", "total_tokens", "cost_usd",
    "started", "ended",
)  # fmt: skip


def document(report: HealthReport, batches: Sequence[Judged] | None = None) -> dict[str, Any]:
    """Return the whole document, or one that lists only `batches`."""
    return {
        "schema": SCHEMA,
        "generated_at": known(report.at),
        "batch_size": report.batch_size,
        "batches": [batch_document(judged) for judged in (report.batches if batches is None else batches)],
        "tier": tier_document(report.tier),
        "tiers": [tier_document(tier) for tier in report.tiers],
        "runs": [tier_document(tier) for tier in report.runs],
        "sources": [
            {
                "path": safe_text(source.path, 4096),
                "size": source.size,
                "done": source.done,
                "rows": source.rows,
                "bad_rows": source.bad_rows,
                "unknown_fields": texts(source.unknown_fields),
                "problem": None if source.problem is None else safe_text(source.problem, 2000),
                "updated": known(source.updated),
            }
            for source in report.sources
        ],
        "bad_rows": report.bad_rows,
        "bad": [
            {
                "path": safe_text(row.path, 4096),
                "line": row.line,
                "offset": row.offset,
                "why": safe_text(row.why, 500),
                "sample": safe_text(row.sample, 500),
            }
            for row in report.bad
        ],
        "problems": problems(report),
    }


def problems(report: HealthReport) -> list[str]:
    """Return what keeps logs from being read, each with its path."""
    return [
        safe_text(
            source.problem if source.problem.startswith(source.path) else f"{source.path}: {source.problem}", 4096
        )
        for source in report.sources
        if source.problem
    ]


def batch_document(judged: Judged) -> dict[str, Any]:
    """Return one batch with its bands."""
    batch = judged.batch
    told = batch.told("anchors_used") and "anchors" not in batch.limits
    tokens = batch.told("prompt_tokens") or batch.told("completion_tokens")
    return {
        "run_id": safe_text(batch.run_id, 500),
        "index": batch.index,
        "batch_size": batch.n,
        "personas": None if "personas" in batch.limits else batch.personas,
        "complete": batch.complete,
        "success_rate": known(batch.success_rate),
        "success_or_repaired_rate": batch.success_or_repaired / batch.n if batch.told("status") else None,
        "mean_latency_ms": known(batch.latency_mean),
        "p95_latency_ms": known(batch.latency_p95),
        "repair_rate": known(batch.repair_rate),
        "repair_breakdown": texts(batch.repairs),
        "statuses": texts(batch.statuses),
        "mean_validator_scores": {safe_text(name, 200): known(one.mean) for name, one in batch.scores.items()},
        "validator_scores": {
            safe_text(name, 200): {"n": one.n, "mean": known(one.mean), "deviation": known(one.deviation)}
            for name, one in batch.scores.items()
        },
        "opening_move_entropy": known(batch.opening_entropy),
        "opening_move_entropy_unit": "nats",
        "opening_move_entropy_corrected": known(batch.opening_entropy_corrected),
        "effective_moves": known(effective(batch.opening_entropy)),
        "opening_moves": texts(batch.openings),
        "anchor_diversity": known(batch.anchor_diversity),
        "anchor_diversity_rarefied": known(batch.anchor_rarefied),
        "rarefied_to": batch.rarefied_to,
        "anchors": batch.anchors if told else None,
        "anchor_mentions": batch.anchor_mentions if told else None,
        "total_tokens": batch.total_tokens if tokens else None,
        "prompt_tokens": batch.prompt_tokens if tokens else None,
        "completion_tokens": batch.completion_tokens if tokens else None,
        "cost_usd": known(batch.cost_usd),
        "started": known(batch.started),
        "ended": known(batch.ended),
        "first": {"path": safe_text(batch.first[0], 4096), "offset": batch.first[1]},
        "measured": texts(batch.measured),
        "duplicates": None if "repeats" in batch.limits else batch.duplicates,
        "clock_back": batch.clock_back,
        "limits": list(batch.limits.values()),
        "bands": {name: band_document(judged.bands[name]) for name in INDICATORS},
    }


def band_document(band: Band) -> dict[str, Any]:
    """Return where an indicator stands."""
    return {
        "band": band.band,
        "value": known(band.value),
        "n": band.n,
        "interval": None if band.interval is None else [known(end) for end in band.interval],
        "reason": safe_text(band.reason, 1000),
        "seed": known(band.seed),
        "unit": band.unit,
        "definition": band.definition,
        "point": band.point,
    }


def tier_document(tier: TierFigures) -> dict[str, Any]:
    """Return a tier: S1's fields by S1's formulas, and beside them the robust trends and the verdict's reasons."""
    trends = {
        "repair_rate_trend": tier.repair_rate_trend,
        "latency_trend": tier.latency_trend,
        "opening_entropy_trend": tier.opening_entropy_trend,
        "pollyanna_score_trend": tier.pollyanna_trend,
    }
    return {
        "tier": safe_text(tier.tier, 500),
        "runs": [safe_text(run, 500) for run in tier.runs],
        "batches": tier.batches,
        "total_personas": tier.attempts,
        "personas_at_most": tier.personas_at_most,
        "overall_success_rate": known(tier.success_rate),
        "success_or_repaired_rate": known(tier.success_or_repaired_rate),
        "repair_rate": known(tier.repair_rate),
        "total_tokens": tier.total_tokens if math.isfinite(tier.cost_usd) else None,
        "cost_usd": known(tier.cost_usd),
        **{name: known(slope.slope) for name, slope in trends.items()},
        "trends": {name: _slope(slope) for name, slope in trends.items()},
        "drift_detected": tier.drift,
        "drift_reasons": [safe_text(reason, 1000) for reason in tier.drift_reasons],
        "notes": [safe_text(note, 1000) for note in tier.notes],
        "seed_drift": tier.seed_drift,
        "latency_baseline_ms": known(tier.latency_baseline_ms),
        "baseline_batches": list(tier.baseline_batches),
    }


def _slope(slope: Slope) -> dict[str, Any]:
    interval = None if slope.interval is None else [known(end) for end in slope.interval]
    return {"slope": known(slope.slope), "robust": known(slope.robust), "interval": interval, "n": slope.n}


def known(value: float) -> float | None:
    """Return a number, None where it is not one."""
    return value if math.isfinite(value) else None


def texts(counts: Any) -> dict[str, int]:
    """Return counts by foreign names, which are made safe; what falls together by that is added."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        safe = safe_text(name, 500)
        found[safe] = found.get(safe, 0) + count
    return found


def csv_header() -> list[str]:
    """Return the columns: the figures of a batch, then the band and the reason of each indicator."""
    return [*COLUMNS, *(f"{name}_band" for name in INDICATORS), *(f"{name}_reason" for name in INDICATORS)]


def csv_rows(batches: Iterable[Judged]) -> Iterable[list[str]]:
    """Yield one row a batch; what was not measured is blank, and foreign text is no formula."""
    for judged in batches:
        found = batch_document(judged)
        found["pollyanna"] = found["mean_validator_scores"].get("pollyanna")
        cells = [_cell(found[column]) for column in COLUMNS]
        bands = [judged.bands[name] for name in INDICATORS]
        yield [*cells, *(band.band for band in bands), *(disarmed(band.reason) for band in bands)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return disarmed(value) if isinstance(value, str) else repr(value)
