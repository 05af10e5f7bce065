"""A soak as a JSON-ready document, for `status --json`: what it comes to so far, without its minutes.

The whole of it, minutes included, is what `mens-console soak report DIR --json` tells.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text
from mens_console.store.report import moment, number

if TYPE_CHECKING:
    from mens_console.load.histogram import Histogram
    from mens_console.soak.types import Analysis, Leak
    from mens_console.soak.verdicts import Verdict
    from mens_console.store.snapshot import SoakView


def soak_document(view: SoakView) -> dict[str, Any]:
    """Return one soak. Units are in the names; times in epoch seconds; null is what is not known."""
    document: dict[str, Any] = {
        "id": safe_text(view.id),
        "path": safe_text(str(view.path)),
        "reading": view.reading,
        "problem": safe_text(view.problem) or None,
        "state": "unknown" if view.report is None else view.report.state,
    }
    return document if view.report is None else document | _known(view.report)


def _known(report: Analysis) -> dict[str, Any]:
    from mens_console.soak.verdicts import errors, failures, uptime

    plan, newest = report.plan, report.incidents[-1] if report.incidents else None
    return {
        "why": safe_text(report.why),
        "source": safe_text(report.source),
        "model": None if plan is None else safe_text(plan.model),
        "started_at": moment(report.started),
        "ended_at": moment(report.ended),
        "elapsed_s": number(report.now_s),
        "target_s": number(report.target_s),
        "offered_rate": number(report.offered_rate),
        "achieved_rate": number(report.achieved_rate),
        "requests": report.requests,
        "errors": {safe_text(name): n for name, n in report.failed.items()},
        "degraded": report.degraded,
        "lost": report.lost,
        "lost_by": {safe_text(name): n for name, n in report.lost_by.items()},
        "skipped": report.skipped,
        "availability": {
            "probe": number(report.probe_availability),
            "request": number(report.request_availability),
            "probes": report.probes,
            "unobserved_s": number(report.unobserved_s),
        },
        "verdicts": {
            "uptime": _verdict(uptime(report)),
            "error_rate": _verdict(errors(report)),
            "failures": _verdict(failures(report)),
        },
        "budget": None if report.budget is None else {k: number(v) for k, v in asdict(report.budget).items()},
        "incidents": None if plan is None else len(report.incidents),
        "incident_open": newest is not None and newest.closed is None,
        "mttr_s": number(report.mttr_s),
        "mtbf_s": number(report.mtbf_s),
        "mtbf_lower_bound_s": number(report.mtbf_lower_bound_s),
        **{f"{name}_ms": _percentiles(found) for name, found in report.latencies.items()},
        "goodput": number(report.goodput),
        "output_tokens_per_s": number(report.output_tokens_per_s),
        "leaks": {safe_text(one.name): _leak(one) for one in report.leaks},
        "problems": [safe_text(one) for one in report.problems],
    }


def _leak(one: Leak) -> dict[str, Any]:
    return {
        "verdict": one.verdict,
        "unit": safe_text(one.unit),
        "last": number(one.last),
        "per_h": number(one.slope_per_h),
        "interval": None if one.interval is None else [number(end) for end in one.interval],
        "n": one.n,
        "to_limit_s": number(one.to_limit_s),
    }


def _verdict(found: Verdict) -> dict[str, Any]:
    return {
        "band": found.band,
        "value": number(found.value),
        "low": number(found.low),
        "high": number(found.high),
        "n": found.n,
        "of": found.of,
        "reason": found.reason or None,
    }


def _percentiles(found: Histogram) -> dict[str, Any]:
    return {**{f"p{q}": number(found.quantile(q / 100)) for q in (50, 95, 99)}, "n": found.n}
