"""An analysis as the document `mens-soak/1`, which the gate reads as evidence. Nothing is read or written here.

Times become seconds since the epoch; a soak whose beginning is unknown counts them from 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.load.histogram import RELATIVE_ERROR
from mens_console.signals.human import some, step
from mens_console.soak.types import LEVELS_EVERY_S, MINUTE, PROBE_EVERY_S
from mens_console.soak.verdicts import bounds
from mens_console.soak.wording import lost_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.load.histogram import Histogram
    from mens_console.soak.types import Analysis, Columns, Event, Incident, Leak, Minute

    Document = dict[str, Any]

SCHEMA: Final = "mens-soak/1"
_OF_MINUTE: Final = ("ttft", "itl", "e2e")
_LEVELS: Final = {"rss": "rss_bytes", "gpu_memory": "gpu_memory_bytes"}


def document(found: Analysis, version: str | None = None) -> Document:
    """Return the document; `version` is that of the driver, where it was ours."""
    start = found.started or 0.0
    requests_failed = sum(found.failed.values())
    told: Document = {
        "schema": SCHEMA,
        "state": found.state,
        "started": found.started,
        "ended": found.ended,
        "elapsed_s": found.now_s,
        "target_s": found.now_s if found.target_s is None else found.target_s,
        "finished": None if found.target_s is None else found.state == "finished",
        "driver": {"name": found.source} | ({"version": version} if version else {}),
        "target": _target(found),
        "offered_rate": _offered(found),
        "achieved_rate": found.achieved_rate,
        "requests": found.requests,
        "errors": dict(sorted(found.failed.items())),
        "error_rate": found.error_rate,
        "error_rate_interval": list(bounds(requests_failed, found.requests)) if found.requests else None,
        "degraded": found.degraded,
        "normal_ms": found.normal_ms,
        "good": found.good,
        "goodput": found.goodput,
        "lost": found.lost,
        "lost_by": dict(sorted(found.lost_by.items())),
        "skipped": found.skipped,
        "drain_s": found.extra.get("drain_s"),
        "availability": {
            "probe": found.probe_availability,
            "request": found.request_availability,
            "unobserved_s": round(found.unobserved_s, 3),
            "probes": found.probes,
            "probes_failed": found.probes_failed,
            "requests": found.requests,
            "requests_failed": requests_failed,
            "probe_interval_s": found.plan.probe_every_s if found.plan else PROBE_EVERY_S if found.probes else None,
        },
        "incidents": [_incident(one, start) for one in found.incidents],
        "mttr_s": found.mttr_s,
        "mtbf_s": found.mtbf_s,
        "mtbf_lower_bound_s": found.mtbf_lower_bound_s,
        "mtbf_needs_s": found.mtbf_needs_s,
        "budget": _budget(found),
        **_latencies(found),
        "output_tokens_per_s": found.output_tokens_per_s,
        "memory": _memory(found),
        "leaks": {one.name: _leak(one) for one in found.leaks},
        "minutes": _minutes(found, start),
        "events": [_event(one, start) for one in found.events],
        "tags": dict(found.tags),
        "notes": notes(found),
    }
    return told


def notes(found: Analysis) -> list[str]:
    """Return what a reader must know of the figures."""
    said = list(found.problems)
    if found.unobserved_s > 0:
        said.append(f"{found.unobserved_s:.1f} s were not observed: they are in no rate and in no availability")
    if found.lost:
        counted = "it counts" if found.lost == 1 else "they count"
        why = "; ".join(f"{step(n)} {what}" for what, n in lost_by(found.lost, found.lost_by))
        why = f" ({why})" if found.lost_by else ""
        said.append(f"how {some(found.lost, 'request')} ended is not known{why}: {counted} as neither good nor bad")
    others = {name: n for name, n in found.counted_by.items() if name != "server"}
    if others:
        told = ", ".join(f"{n} by {name}" for name, n in sorted(others.items()))
        said.append(f"the tokens of some requests were not counted by the server: {told}")
    if found.gpu_peak_bytes is not None:
        said.append(f"the peak of the GPU's memory is that of {peak_of(found)}, so a short peak may be missing")
    if found.target_s is None:
        said.append("no length was planned, as far as the file tells: its own stands as target_s")
    if found.offered_rate is None:
        said.append("the file tells no schedule: the rate that was reached stands as offered_rate")
    for name, one in _told(found).items():
        said.append(f"{name} percentiles are the tool's: {one.get('meaning', 'it does not say of what')}")
    return said


def peak_of(found: Analysis) -> str:
    """Say of which samples the peak of the GPUs' memory is."""
    return "one sample a minute" if found.extra.get("gpu_seldom") else f"one sample each {LEVELS_EVERY_S:.0f} s"


def _offered(found: Analysis) -> float:
    """Return the rate by schedule; of a file without one, the rate that was reached, which a note says."""
    return next((one for one in (found.offered_rate, found.achieved_rate) if one is not None), 0.0)


def _target(found: Analysis) -> Document | None:
    plan = found.plan
    if plan is None:
        model = found.tags.get("model")
        return {"model": model} if model else None
    return {"url": plan.url, "model": plan.model} | ({"gpus": plan.gpus} if plan.gpus else {})


def _incident(one: Incident, start: float) -> Document:
    return {
        "opened": start + one.opened,
        "closed": None if one.closed is None else start + one.closed,
        "duration_s": None if one.closed is None else one.closed - one.opened,
        "cause": one.cause,
        "probes_failed": one.probes_failed,
        "requests_failed": one.requests_failed,
    }


def _event(one: Event, start: float) -> Document:
    told: Document = {"at": start + one.at, "kind": one.kind, "text": one.text}
    if one.begin is not None and one.end is not None:
        told |= {"begin": start + one.begin, "end": start + one.end}
    return told


def _budget(found: Analysis) -> Document | None:
    one = found.budget
    if one is None:
        return None
    return {
        "target": one.target, "allowed_s": one.allowed_s, "used_s": one.used_s,
        "left": one.left, "burn": one.burn, "burn_hour": one.burn_hour,
    }  # fmt: skip


def _told(found: Analysis) -> dict[str, Mapping[str, Any]]:
    """Return percentiles as another tool told them, of what could not be counted anew."""
    told = found.extra.get("told") or {}
    return {
        name: told[name]
        for name in _OF_MINUTE
        if name in told and "p50" in told[name] and not (name in found.latencies and found.latencies[name].n)
    }


def _latencies(found: Analysis) -> Document:
    names = {"ttft": "ttft_ms", "itl": "itl_ms", "e2e": "e2e_ms", "scheduled": "scheduled_ms", "lag": "dispatch_lag_ms"}
    told = _told(found)
    made: Document = {}
    for name, key in names.items():
        histogram = found.latencies.get(name)
        if histogram is not None and histogram.n:
            made[key] = _latency(histogram)
        elif name in told:
            one = told[name]
            made[key] = {"n": one.get("n") or 0, "p50": one["p50"], "p95": one.get("p95"), "p99": one.get("p99")}
        else:
            made[key] = {"n": 0, "p50": None, "p99": None} if name in _OF_MINUTE else None
    return made


def _latency(one: Histogram) -> Document:
    return {
        "n": one.n,
        "p50": _ms(one.quantile(0.5)),
        "p95": _ms(one.quantile(0.95)),
        "p99": _ms(one.quantile(0.99)),
        "p999": _ms(one.quantile(0.999)),
        "mean": _ms(one.mean),
        "max": _ms(one.greatest),
        "counts": [[_ms(value), count] for value, count in one.buckets()],
        "relative_error": RELATIVE_ERROR,
    }


def _ms(value: float | None) -> float | None:
    """Return milliseconds to a nanosecond, None for none."""
    return None if value is None or not math.isfinite(value) else round(value, 6)


def _memory(found: Analysis) -> Document | None:
    if found.gpu_peak_bytes is None:
        return None
    gpus = found.plan.gpus if found.plan and found.plan.gpus else 1
    return {"gpus": gpus, "peak_bytes": found.gpu_peak_bytes}


def _leak(one: Leak) -> Document:
    return {
        "unit": one.unit, "slope_per_h": one.slope_per_h, "interval": list(one.interval) if one.interval else None,
        "n": one.n, "last": one.last, "limit": one.limit, "time_to_limit_s": one.to_limit_s,
        "soonest_s": one.soonest_s, "verdict": one.verdict, "note": one.note,
    }  # fmt: skip


def _minutes(found: Analysis, start: float) -> list[Document]:
    columns = found.columns
    if len(columns.index) != len(found.minutes):
        return []
    return [_minute(row, one, columns, start) for row, one in enumerate(found.minutes)]


def _minute(row: int, one: Minute, columns: Columns, start: float) -> Document:
    told: Document = {
        "at": start + one.index * MINUTE,
        "requests": one.due,
        "failed": one.failures,
        "degraded": one.degraded,
        "lost": one.lost,
        **({"lost_by": dict(sorted(one.lost_by.items()))} if one.lost_by else {}),
        "skipped": one.skipped,
        "unobserved_s": one.unobserved_s,
        "probes": len(one.probes),
        "probes_failed": sum(not probe.ok for probe in one.probes),
        "offered_rate": _number(columns.offered[row]),
        "achieved_rate": _number(columns.achieved[row]),
        "output_tokens": one.output_tokens if one.counted_by else None,
    }
    for name in _OF_MINUTE:
        histogram = one.latencies.get(name)
        if histogram is not None and histogram.n:
            p50, p95, p99 = (_ms(float(value)) for value in columns.percentiles[name][row])
            told[f"{name}_ms"] = {"n": histogram.n, "p50": p50, "p95": p95, "p99": p99}
    told |= {key: round(one.levels[name]) for name, key in _LEVELS.items() if name in one.levels}
    if one.ranges:
        told["levels"] = {
            name: {"min": least, "max": most, "mean": mean, "n": int(n)}
            for name, (least, most, mean, n) in sorted(one.ranges.items())
        }
    return told


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
