"""The document of an evaluation (`mens-eval/1`, which the gate reads) and its line in the log (`mens-eval-log/1`)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mens_console.evaluation.compare import LOG_SCHEMA, SCHEMA
from mens_console.evaluation.metrics import WEIGHTS

if TYPE_CHECKING:
    from mens_console.evaluation.evaluate import Evaluated
    from mens_console.evaluation.score import Result


def document(done: Evaluated) -> dict[str, Any]:
    """Return the document; a score that could not be taken is null, with its reason."""
    return {
        "schema": SCHEMA,
        "at": done.at,
        "model": _model(done),
        "role": done.role,
        "eval_set": _set(done),
        "verdict": done.verdict,
        "buckets": {
            name: {"value": number(value), "unit": "%", "weight": WEIGHTS[name]} for name, value in done.scores.items()
        },
        "scores": [_score(one) for one in done.results],
        "throughput_tokens_per_s": number(done.tokens_per_s),
        "files": [
            {"path": one.path, "sha256": one.sha256, **({} if one.rows is None else {"rows": one.rows})}
            for one in done.sources
        ],
        "notes": list(done.notes),
    }  # fmt: skip


def log_row(done: Evaluated) -> dict[str, Any]:
    """Return the line of the log: date, base model, dataset version and scores."""
    return {
        "schema": LOG_SCHEMA,
        "date": date(done.at),
        "at": done.at,
        "model": _model(done),
        "role": done.role,
        "eval_set": _set(done),
        "verdict": done.verdict,
        "scores": [
            {key: value for key, value in _score(one).items() if key in {"metric", "value", "unit", "n", "interval"}}
            for one in done.results
        ],
    }


def date(at: float) -> str:
    """Return a time in UTC to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: float) -> float | None:
    """Return a number, or null for one that could not be taken."""
    return value if math.isfinite(value) else None


def _model(done: Evaluated) -> dict[str, Any]:
    keys = ("id", "base", "adapter", "revision", "quantization", "dataset_version")
    return {key: done.model.get(key) for key in keys}


def _set(done: Evaluated) -> dict[str, Any]:
    gold = done.gold
    return {"name": gold.name, "version": gold.version, "sha256": gold.source.sha256, "items": len(gold.items)}


def _score(result: Result) -> dict[str, Any]:
    spec = result.spec
    score: dict[str, Any] = {
        "metric": result.metric,
        "value": number(result.value),
        "unit": spec.unit,
        "n": result.n,
        "interval": list(result.interval) if result.interval else None,
        "bucket": spec.bucket,
        "source": result.source or None,
        "reason": result.reason,
        "target": spec.target,
        "stretch": spec.stretch,
        "required": spec.required,
        "verdict": result.verdict,
        "remedy": spec.remedy,
    }
    if result.successes is not None:
        score["successes"] = result.successes
    return score
