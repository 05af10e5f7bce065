"""Samples of generation health and of the product KPIs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, get_args

from mens_console.exporter.labels import Samples, label, one_of, told
from mens_console.signals.generation import INDICATORS, BandName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.signals.generation import BatchFigures, HealthReport, Judged, TierFigures
    from mens_console.signals.kpivalues import KpiReport, KpiValue
    from mens_console.store.snapshot import HealthView

BANDS: Final[tuple[str, ...]] = get_args(BandName)
MAX_LOGS: Final = 20
MAX_LOG_RUNS: Final = 20
MAX_VALIDATORS: Final = 20
MAX_MODELS: Final = 20
_NO_RUN: Final = "(no run id)"


def health_samples(views: Sequence[HealthView]) -> Samples:
    """Yield what is known of the attempt logs: the newest `MAX_LOGS`, and of each the newest `MAX_LOG_RUNS` runs."""
    cut = {"logs": max(len(views) - MAX_LOGS, 0), "log_runs": 0, "validators": 0}
    shown = sorted(views, key=lambda view: _updated(view.report), reverse=True)[:MAX_LOGS]
    for view in shown:
        yield from _log(view, cut)
    for kind, number in cut.items():
        yield "mens_exporter_omitted", (kind,), float(number)


def _updated(report: HealthReport) -> float:
    return max((source.updated for source in report.sources if source.updated == source.updated), default=-math.inf)


def _log(view: HealthView, cut: dict[str, int]) -> Samples:
    report, of = view.report, (label(view.id),)
    yield "mens_health_log_size_bytes", of, float(report.size)
    yield "mens_health_log_read_bytes", of, float(report.done)
    yield "mens_health_bad_rows_total", of, float(report.bad_rows)
    figures = {tier.tier: tier for tier in report.runs}
    newest = _newest(report.batches)
    cut["log_runs"] += max(len(newest) - MAX_LOG_RUNS, 0)
    for judged in newest[:MAX_LOG_RUNS]:
        run_id = judged.batch.run_id
        labels = (*of, label(run_id) or _NO_RUN)
        yield from _tier(figures.get(run_id), labels)
        yield from _batch(judged.batch, labels)
        yield from _bands(judged, labels)
        scores = sorted(judged.batch.scores.items())
        cut["validators"] += max(len(scores) - MAX_VALIDATORS, 0)
        for validator, score in scores[:MAX_VALIDATORS]:
            yield from told("mens_health_validator_score", (*labels, label(validator)), score.mean)


def _newest(batches: Iterable[Judged]) -> list[Judged]:
    """Return of each run its newest complete batch, or the newest where none is; the newest run first."""
    newest: dict[str, Judged] = {}
    for judged in batches:
        known = newest.get(judged.batch.run_id)
        if known is None or judged.batch.complete or not known.batch.complete:
            newest[judged.batch.run_id] = judged

    def ended(judged: Judged) -> float:
        return judged.batch.ended if judged.batch.ended == judged.batch.ended else -math.inf

    return sorted(newest.values(), key=ended, reverse=True)


def _tier(tier: TierFigures | None, of: tuple[str, ...]) -> Samples:
    if tier is None:
        return
    yield "mens_health_attempts_total", of, float(tier.attempts)
    yield "mens_health_tokens_total", of, float(tier.total_tokens)
    yield "mens_health_batches", of, float(tier.batches)
    yield from told("mens_health_cost_usd", of, tier.cost_usd)
    yield from told("mens_health_drift", of, tier.drift)


def _batch(batch: BatchFigures, of: tuple[str, ...]) -> Samples:
    n = batch.n or math.nan
    yield "mens_health_batch_index", of, float(batch.index)
    yield "mens_health_batch_attempts", of, float(batch.n)
    yield from told("mens_health_success_ratio", of, batch.success_rate)
    yield from told("mens_health_success_or_repaired_ratio", of, batch.success_or_repaired / n)
    yield from told("mens_health_repair_ratio", of, batch.repair_rate)
    yield from told("mens_health_latency_mean_seconds", of, batch.latency_mean / 1e3)
    yield from told("mens_health_latency_p95_seconds", of, batch.latency_p95 / 1e3)
    yield from told("mens_health_opening_entropy_nats", of, batch.opening_entropy_corrected)
    yield from told("mens_health_opening_entropy_plain_nats", of, batch.opening_entropy)
    yield from told("mens_health_anchor_diversity_ratio", of, batch.anchor_diversity)
    yield from told("mens_health_anchor_rarefied_ratio", of, batch.anchor_rarefied)


def _bands(judged: Judged, of: tuple[str, ...]) -> Samples:
    for indicator in INDICATORS:
        band = judged.bands.get(indicator)
        yield from one_of("mens_health_band", (*of, indicator), band.band if band is not None else "nodata", BANDS)
        if band is not None:
            yield from told("mens_health_indicator", (*of, indicator), band.value)


def kpi_samples(report: KpiReport | None) -> Samples:
    """Yield the KPIs of the newest `MAX_MODELS` models."""
    if report is None:
        return
    yield "mens_exporter_omitted", ("models",), float(max(len(report.models) - MAX_MODELS, 0))
    for model in report.models[:MAX_MODELS]:
        for kpi in model.values:
            yield from _kpi(label(model.model), kpi)
    yield "mens_kpi_underfed_readers", (), float(sum(feed.state == "underfed" for feed in report.feeds))


def _kpi(model: str, kpi: KpiValue) -> Samples:
    of = (model, label(kpi.id))
    yield "mens_kpi_info", (*of, label(kpi.unit), str(kpi.tier), kpi.role), 1.0
    yield from told("mens_kpi", of, kpi.value)
    yield "mens_kpi_evidence", of, float(kpi.n)
    if kpi.interval is not None:
        yield from told("mens_kpi_low", of, kpi.interval[0])
        yield from told("mens_kpi_high", of, kpi.interval[1])
