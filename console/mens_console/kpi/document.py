"""The document `mens-kpi/1` of a report: the same facts as on the screen, as plain JSON values."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.signals.kpivalues import Feed, KpiDelta, KpiReport, KpiValue, Lane, ModelKpis

SCHEMA = "mens-kpi/1"
_ENDLESS = "longer than anybody waited"


def kpi_document(
    report: KpiReport, at: float, comparison: tuple[str, str, Sequence[KpiDelta]] | None
) -> dict[str, Any]:
    """Return the whole document; `comparison` names base and other and tells how they differ."""
    return {
        "schema": SCHEMA,
        "generated_at": at,
        "models": [_model(one) for one in report.models],
        "comparison": None
        if comparison is None
        else {
            "base": safe_text(comparison[0]),
            "other": safe_text(comparison[1]),
            "deltas": [_delta(delta) for delta in comparison[2]],
        },
        "sources": [
            {
                "path": safe_text(source.path),
                "kind": safe_text(source.kind),
                "rows": source.rows,
                "bad_rows": source.bad_rows,
                "problem": None if source.problem is None else safe_text(source.problem),
                "updated": finite(source.updated),
            }
            for source in report.sources
        ],
        "feeds": [feed_document(feed) for feed in report.feeds],
        "problems": [safe_text(problem) for problem in report.problems],
    }


def finite(value: float) -> float | None:
    """Return a number that JSON has, None for one that it has not."""
    return value if math.isfinite(value) else None


def _model(one: ModelKpis) -> dict[str, Any]:
    return {
        "model": safe_text(one.model),
        "values": [_value(value) for value in one.values],
        "categories": [{**asdict(category), "name": safe_text(category.name)} for category in one.categories],
        "lanes": [_lane(lane) for lane in one.lanes],
        "tasks": one.tasks,
        "updated": finite(one.updated),
    }


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "name": safe_text(lane.name),
        "n": lane.n,
        "leakage": _value(lane.leakage),
        "compactness_loss": _value(lane.compactness_loss),
        "repair_burden": _value(lane.repair_burden),
    }


def _value(value: KpiValue) -> dict[str, Any]:
    interval, unbounded = _interval(value.interval)
    endless = f"the median is {_ENDLESS}" if math.isinf(value.value) else ""
    return {
        "id": value.id,
        "name": value.name,
        "tier": value.tier,
        "role": value.role,
        "unit": value.unit,
        "better": value.better,
        "value": finite(value.value),
        "n": value.n,
        "of": value.of,
        "interval": interval,
        "method": safe_text(value.method),
        "source": safe_text(value.source),
        "reason": safe_text("; ".join(filter(None, [endless, unbounded, value.reason]))),
        "decides": value.role == "decides",
        "definition": value.definition,
    }


def _delta(delta: KpiDelta) -> dict[str, Any]:
    interval, unbounded = _interval(delta.interval)
    return {
        "id": safe_text(delta.id),
        "base": finite(delta.base),
        "other": finite(delta.other),
        "difference": finite(delta.difference),
        "interval": interval,
        "n": delta.n,
        "paired": delta.paired,
        "verdict": delta.verdict,
        "method": safe_text(delta.method),
        "reason": safe_text("; ".join(filter(None, [unbounded, delta.reason]))),
    }


def _interval(interval: tuple[float, float] | None) -> tuple[list[float] | None, str]:
    """Return an interval with two ends, and in words one that has fewer."""
    if interval is None:
        return None, ""
    low, high = interval
    if math.isfinite(low) and math.isfinite(high):
        return [low, high], ""
    ends = [f"from {low:.4g}" if math.isfinite(low) else "", f"to {high:.4g}" if math.isfinite(high) else ""]
    return None, f"95 % interval {' '.join(filter(None, ends)) or 'without ends'}: its other end is {_ENDLESS}"


def feed_document(feed: Feed) -> dict[str, Any]:
    """Return who feeds a reader."""
    return {key: safe_text(value) if isinstance(value, str) else value for key, value in asdict(feed).items()}
