"""The status document (`mens-status/1`) of a snapshot: the same facts as on the screens, as plain JSON values."""

from __future__ import annotations

import math
import socket
from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.signals.alerts import AlertView, Silence
    from mens_console.store.series import SeriesView
    from mens_console.store.snapshot import RunView, Snapshot, SourceView

SCHEMA = "mens-status/1"


def number(value: float | None) -> float | int | str | None:
    """Return a JSON number, or the string that stands for a non-finite one."""
    if value is None or isinstance(value, int):
        return value
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def moment(value: float | None) -> float | None:
    """Return seconds since the epoch, None where the time is unknown."""
    return None if value is None or not math.isfinite(value) else value


def status_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return the whole document."""
    from mens_console.store.logsreport import log_documents
    from mens_console.store.machinereport import machine_document
    from mens_console.store.soakreport import soak_document

    return {
        "schema": SCHEMA,
        "generated_at": snapshot.at,
        "host": safe_text(socket.gethostname()),
        "roots": [safe_text(str(root)) for root in snapshot.roots],
        "problems": [safe_text(problem) for problem in snapshot.problems],
        "machine": None if snapshot.machine is None else machine_document(snapshot.machine),
        "runs": [run_document(run) for run in snapshot.runs],
        "attempt_logs": log_documents(snapshot),
        "soaks": [soak_document(soak) for soak in snapshot.soaks],
        "box_alerts": [alert_document(alert) for alert in snapshot.box_alerts],
        "silences": [_silence(silence) for silence in snapshot.silences],
    }


def run_document(run: RunView) -> dict[str, Any]:
    """Return one run's part of the document."""
    from mens_console.store.deepreport import deep_document
    from mens_console.store.feeds import feed_documents, run_feeds

    signals = run.signals
    eta = signals.eta if run.moving else None
    return {
        "id": safe_text(run.id),
        "name": safe_text(run.name),
        "path": safe_text(str(run.path)),
        "state": run.diagnosis.state,
        "diagnosis": {
            "state": run.diagnosis.state,
            "since": moment(run.diagnosis.since),
            "evidence": [safe_text(line) for line in run.diagnosis.evidence],
        },
        "sources": [_source(source, run.path) for source in run.sources],
        "step": run.step,
        "total_steps": run.total_steps,
        "epoch": number(run.epoch),
        "progress": number(run.progress),
        "loss": number(run.last("loss")),
        "streaming_ce": number(signals.streaming_ce) if "loss" in run.series else None,
        "loss_trend": signals.trend.direction,
        "eval_loss": number(run.last("eval_loss")),
        "learning_rate": number(run.last("learning_rate")),
        "grad_norm": number(run.last("grad_norm")),
        "tokens_per_sec": number(signals.tokens_per_sec),
        "steps_per_sec": number(signals.steps_per_sec),
        "eta_s": None if eta is None else number(eta.seconds),
        "eta": None
        if eta is None
        else {"low": number(eta.low), "high": number(eta.high), "confidence": eta.confidence},
        "segments": [{"start_step": s.start_step, "end_step": s.end_step} for s in run.segments],
        "series": {safe_text(name): _series(series) for name, series in run.series.items()},
        "alerts": [alert_document(alert) for alert in run.alerts],
        "checkpoints": [
            {"path": _relative(c.path, run.path), "step": c.step, "bytes": c.bytes, "written_at": moment(c.mtime)}
            for c in run.checkpoints
        ],
        "config": {safe_text(key): safe_text(value) for key, value in run.config.items()},
        "updated_at": moment(run.updated_at),
        **deep_document(run),
        "feeds": feed_documents(run_feeds(run)),
        "backlog": None if run.backlog is None else {"bytes_read": run.backlog.done, "bytes_total": run.backlog.total},
    }


def _series(series: SeriesView) -> dict[str, Any]:
    return {
        "points": series.points,
        "last_step": series.last_step,
        "last": number(series.last) if series.points else None,
        "rewound_points": sum(piece.points for piece in series.rewound),
        "source": series.source,
    }


def _relative(path: Path, base: Path) -> str:
    return safe_text(str(path.relative_to(base) if path.is_relative_to(base) and path != base else path))


def _source(source: SourceView, base: Path) -> dict[str, Any]:
    name = _relative(source.path, base)
    return {
        "path": name,
        "format": source.format,
        "rows": source.rows,
        "bad_rows": source.bad_rows,
        "bytes": source.bytes_read,
        "bad": [f"{name}:{line.line}: {safe_text(line.reason)}: {safe_text(line.sample)}" for line in source.bad],
        "problem": None if source.problem is None else safe_text(source.problem),
    }


def _silence(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "rule": safe_text(silence.rule),
        "entity": safe_text(silence.entity),
        "author": safe_text(silence.author),
        "comment": safe_text(silence.comment),
        "start": number(silence.start),
        "end": number(silence.end),
    }


def alert_document(alert: AlertView) -> dict[str, Any]:
    """Return one alert as JSON values."""
    return {
        "fingerprint": alert.fingerprint,
        "rule": alert.rule,
        "severity": str(alert.severity),
        "entity": safe_text(alert.entity),
        "state": str(alert.state),
        "nodata": alert.nodata,
        "latched": alert.latched,
        "since": moment(alert.since),
        "since_step": alert.since_step,
        "last_seen": moment(alert.last_seen),
        "last_step": alert.last_step,
        "first_seen": moment(alert.first_seen),
        "first_step": alert.first_step,
        "resolved_at": moment(alert.resolved_at),
        "held": alert.held,
        "count": alert.count,
        "flaps": alert.flaps,
        "value": number(alert.value),
        "threshold": number(alert.threshold),
        "unit": safe_text(alert.unit),
        "message": safe_text(alert.message),
        "fired_on": safe_text(alert.fired_on),
        "evidence": [safe_text(line) for line in alert.evidence],
        "recommendation": safe_text(alert.recommendation),
        "acknowledged": alert.acknowledged,
        "acknowledged_by": safe_text(alert.acknowledged_by),
        "note": safe_text(alert.note),
        "silenced_until": None if math.isnan(alert.silenced_until) else number(alert.silenced_until),
        "inhibited_by": safe_text(alert.inhibited_by),
    }
