"""Samples of soaks. What is not known has no sample, never a zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from mens_console.exporter.labels import Samples, label, one_of, told
from mens_console.soak.types import State
from mens_console.soak.verdicts import Band, errors, failures, uptime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.soak.types import Analysis
    from mens_console.store.snapshot import SoakView

MAX_SOAKS: Final = 20
MAX_CLASSES: Final = 20
STATES: Final[tuple[str, ...]] = get_args(State)
BANDS: Final[tuple[str, ...]] = get_args(Band)
_PERCENTILES: Final = (50, 95, 99)


def soak_samples(views: Sequence[SoakView]) -> Samples:
    """Yield what is known of the first `MAX_SOAKS` soaks: those that go on, then the newest."""
    if not views:
        return
    yield "mens_exporter_omitted", ("soaks",), float(max(len(views) - MAX_SOAKS, 0))
    for view in views[:MAX_SOAKS]:
        if view.report is not None:
            yield from _soak((label(view.id),), view.report)


def _soak(of: tuple[str, ...], report: Analysis) -> Samples:
    model = report.plan.model if report.plan is not None else ""
    yield "mens_soak_info", (*of, label(model), label(report.source)), 1.0
    yield from one_of("mens_soak_state", of, report.state, STATES)
    if report.started is not None:
        yield "mens_soak_updated_timestamp_seconds", of, float(report.started + report.now_s)
    yield "mens_soak_elapsed_seconds", of, float(report.now_s)
    yield from told("mens_soak_target_seconds", of, report.target_s)
    yield from _load(of, report)
    yield from _targets(of, report)
    for name, found in report.latencies.items():
        for percentile in _PERCENTILES:
            value = found.quantile(percentile / 100)
            seconds = None if value is None else value / 1e3
            yield from told("mens_soak_latency_seconds", (*of, name, str(percentile)), seconds)
    for leak in report.leaks:
        if leak.unit in ("bytes", "B"):
            yield from told("mens_soak_level_bytes", (*of, label(leak.name)), leak.last)
            yield from told("mens_soak_level_bytes_per_hour", (*of, label(leak.name)), leak.slope_per_h)
        yield from told("mens_soak_limit_seconds", (*of, label(leak.name)), leak.to_limit_s)


def _load(of: tuple[str, ...], report: Analysis) -> Samples:
    yield from told("mens_soak_offered_requests_per_second", of, report.offered_rate)
    yield from told("mens_soak_achieved_requests_per_second", of, report.achieved_rate)
    yield from told("mens_soak_goodput_requests_per_second", of, report.goodput)
    yield from told("mens_soak_output_tokens_per_second", of, report.output_tokens_per_s)
    yield "mens_soak_requests_total", of, float(report.requests)
    for name, n in sorted(report.failed.items())[:MAX_CLASSES]:
        yield "mens_soak_errors_total", (*of, label(name)), float(n)
    yield from told("mens_soak_degraded_requests_total", of, report.degraded)
    yield "mens_soak_skipped_requests_total", of, float(report.skipped)
    yield "mens_soak_lost_requests_total", of, float(report.lost)


def _targets(of: tuple[str, ...], report: Analysis) -> Samples:
    if report.plan is not None:
        yield "mens_soak_probes_total", of, float(report.probes)
        yield "mens_soak_failed_probes_total", of, float(report.probes_failed)
        yield "mens_soak_unobserved_seconds", of, float(report.unobserved_s)
        yield "mens_soak_incidents", of, float(len(report.incidents))
        is_open = bool(report.incidents) and report.incidents[-1].closed is None
        yield "mens_soak_incident_open", of, float(is_open)
    yield from told("mens_soak_uptime_ratio", of, report.uptime)
    yield from told("mens_soak_error_ratio", of, report.error_rate)
    for target, judged in (("uptime", uptime(report)), ("error_rate", errors(report)), ("failures", failures(report))):
        yield from one_of("mens_soak_verdict", (*of, target), judged.band, BANDS)
    if report.budget is not None:
        yield "mens_soak_error_budget_left_ratio", of, float(report.budget.left)
        yield from told("mens_soak_burn_rate", of, report.budget.burn)
    yield from told("mens_soak_mtbf_low_seconds", of, report.mtbf_lower_bound_s)
