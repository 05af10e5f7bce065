"""Samples of the runs and of their alerts."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final, get_args

from mens_console.exporter.labels import Samples, label, one_of, told
from mens_console.signals.alerts import AlertState
from mens_console.signals.evidence import State
from mens_console.signals.rules import Severity

if TYPE_CHECKING:
    from mens_console.signals.alerts import AlertView
    from mens_console.store.snapshot import RunView, Snapshot

STATES: Final[tuple[str, ...]] = get_args(State)
_SEVERITIES: Final = tuple(str(severity) for severity in Severity)
_LOGGED: Final = {
    "mens_run_loss": "loss",
    "mens_run_eval_loss": "eval_loss",
    "mens_run_learning_rate": "learning_rate",
    "mens_run_grad_norm": "grad_norm",
}
MAX_RULES: Final = 100


def newest(snapshot: Snapshot, most: int) -> list[RunView]:
    """Return the runs to publish: those that may still go on before the others, each newest first."""

    def freshness(run: RunView) -> tuple[bool, float]:
        return run.live, run.updated_at if run.updated_at == run.updated_at else -math.inf

    return sorted(snapshot.runs, key=freshness, reverse=True)[:most]


def fleet_samples(snapshot: Snapshot, most: int) -> Samples:
    """Yield what is known of all runs, and of each of the `most` newest."""
    states = Counter(str(run.diagnosis.state) for run in snapshot.runs)
    for state in STATES:
        yield "mens_runs", (state,), float(states[state])
    yield "mens_exporter_omitted", ("runs",), float(max(len(snapshot.runs) - most, 0))
    for run in newest(snapshot, most):
        yield from run_samples(run)


def run_samples(run: RunView) -> Samples:
    """Yield the gauges and counters of one run."""
    of = (label(run.id),)
    yield "mens_run_info", (*of, label(run.name)), 1.0
    yield from one_of("mens_run_state", of, str(run.diagnosis.state), STATES)
    yield from told("mens_run_state_since_timestamp_seconds", of, run.diagnosis.since)
    yield from told("mens_run_updated_timestamp_seconds", of, run.updated_at)
    yield from _progress(run, of)
    for name, series in _LOGGED.items():
        if (value := run.last(series)) is not None:
            yield name, of, float(value)  # a NaN that was logged is a value, and worth an alert
    yield from _pace(run, of)
    yield from _files(run, of)
    yield from _firing("mens_run_alerts_firing", of, run.alerts)


def _progress(run: RunView, of: tuple[str, ...]) -> Samples:
    signals = run.signals
    yield from told("mens_run_step", of, run.step)
    yield from told("mens_run_target_steps", of, run.total_steps)
    yield from told("mens_run_progress_ratio", of, run.progress)
    yield from told("mens_run_epoch", of, run.epoch)
    yield from told("mens_run_streaming_ce_nats", of, signals.streaming_ce)
    yield from told("mens_run_best_eval_loss", of, signals.best_eval[1] if signals.best_eval else None)
    yield "mens_run_resumes", of, float(max(len(run.segments) - 1, 0))
    yield "mens_run_nonfinite_losses_total", of, float(signals.nonfinite_losses)
    yield "mens_run_nonfinite_grads_total", of, float(signals.nonfinite_grads)


def _pace(run: RunView, of: tuple[str, ...]) -> Samples:
    """Yield rates and time left; a run that does not move has none, whatever it did before."""
    if not run.moving:
        return
    yield from told("mens_run_tokens_per_second", of, run.signals.tokens_per_sec)
    yield from told("mens_run_steps_per_second", of, run.signals.steps_per_sec)
    eta = run.signals.eta
    if eta is not None:
        yield from told("mens_run_eta_seconds", of, eta.seconds)
        yield from told("mens_run_eta_low_seconds", of, eta.low)
        yield from told("mens_run_eta_high_seconds", of, eta.high)


def _files(run: RunView, of: tuple[str, ...]) -> Samples:
    yield "mens_run_checkpoints", of, float(len(run.checkpoints))
    written = [checkpoint.mtime for checkpoint in run.checkpoints if math.isfinite(checkpoint.mtime)]
    yield from told("mens_run_checkpoint_timestamp_seconds", of, max(written, default=None))
    yield "mens_run_rows_total", of, float(sum(source.rows for source in run.sources))
    yield "mens_run_bad_rows_total", of, float(sum(source.bad_rows for source in run.sources))
    backlog = run.backlog
    yield "mens_run_backlog_bytes", of, float(max(backlog.total - backlog.done, 0) if backlog is not None else 0)


def alert_samples(snapshot: Snapshot) -> Samples:
    """Yield how many alerts fire, in all and by rule, and the sign of life of what tells the operator of them."""
    alerts = [*chain.from_iterable(run.alerts for run in snapshot.runs), *snapshot.box_alerts]
    yield from _firing("mens_alerts_firing", (), alerts)
    by_rule = Counter((alert.rule, str(alert.severity)) for alert in alerts if _rings(alert))
    for (rule, severity), number in by_rule.most_common(MAX_RULES):
        yield "mens_rule_alerts_firing", (label(rule), severity), float(number)
    yield "mens_exporter_omitted", ("rules",), float(max(len(by_rule) - MAX_RULES, 0))
    yield "mens_alerts_silenced", (), float(sum(alert.state is AlertState.FIRING and alert.quiet for alert in alerts))
    if snapshot.notifier is not None:
        yield from told("mens_notifier_beat_timestamp_seconds", (), snapshot.notifier.beat_at)


def _firing(name: str, of: tuple[str, ...], alerts: list[AlertView] | tuple[AlertView, ...]) -> Samples:
    counts = Counter(str(alert.severity) for alert in alerts if _rings(alert))
    for severity in _SEVERITIES:
        yield name, (*of, severity), float(counts[severity])


def _rings(alert: AlertView) -> bool:
    """Say whether an alert fires and counts: a silenced one does not, nor one that follows from another."""
    return alert.state is AlertState.FIRING and not alert.quiet
