"""What the deep screens show of one run, as plain JSON values: adapters, patterns, stages, evaluation, what to keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text
from mens_console.store.report import moment, number

if TYPE_CHECKING:
    from mens_console.store.snapshot import LayersView, RunView


def deep_document(run: RunView) -> dict[str, Any]:
    """Return these parts of a run's document; null where the run tells nothing of them."""
    signals = run.signals
    return {
        "loss_variance": known(signals.loss_variance.var),
        "token_entropy": known(signals.entropy),
        "accuracy": None
        if signals.accuracy is None
        else {
            "last_20": known(signals.accuracy.last20),
            "last_50": known(signals.accuracy.last50),
            "n": signals.accuracy.n,
            "trend": signals.accuracy.trend,
        },
        "fixed_eval": None
        if signals.fixed_eval is None
        else {
            "step": signals.fixed_eval.step,
            "em": known(signals.fixed_eval.em),
            "ce": known(signals.fixed_eval.ce),
            "ece": known(signals.fixed_eval.ece),
            "ece_expected": known(signals.fixed_eval.ece_expected),
            "n": signals.fixed_eval.n,
            "trend": signals.fixed_eval.trend,
        },
        "keep": None
        if signals.advice is None
        else {
            "step": signals.advice.step,
            "path": safe_text(signals.advice.path),
            "reason": safe_text(signals.advice.reason),
            "evidence": [safe_text(line) for line in signals.advice.evidence],
            "warnings": [safe_text(line) for line in signals.advice.warnings],
        },
        "next_checkpoint": _next_checkpoint(run),
        "lora": None if run.layers is None else lora_document(run.layers),
        "patterns": None if run.patterns is None else dict(run.patterns),
        "stages": [
            {
                "id": stage.id,
                "state": stage.state,
                "started": moment(stage.started),
                "ended": moment(stage.ended),
                "wall_s": known(stage.wall_s),
                "cpu_percent": known(stage.cpu_percent),
                "max_rss_bytes": known(stage.max_rss_bytes),
                "exit_code": stage.exit_code,
                "signal": stage.signal,
                "measured": safe_text(stage.measured),
                "detail": [safe_text(line) for line in stage.detail],
            }
            for stage in run.stages
        ],
    }


def known(value: float | None) -> float | int | str | None:
    """Return a JSON number, None where nothing was measured (NaN)."""
    return None if value is None or math.isnan(value) else number(value)


def _next_checkpoint(run: RunView) -> dict[str, Any] | None:
    ahead = run.next_checkpoint
    if ahead is None or not run.moving:
        return None
    return {
        "step": ahead.step,
        "at": moment(ahead.at),
        "bytes": known(ahead.bytes),
        "free_bytes": known(ahead.free),
        "fits": ahead.fits,
        "reason": safe_text(ahead.reason),
    }


def lora_document(layers: LayersView) -> dict[str, Any]:
    """Return what each adapter pair is doing, with its newest figures; places in `top` count in `pairs`."""
    summary, table = layers.summary, layers.table
    figures = {name: column.tolist() for name, column in layers.latest.items()}
    return {
        "step": summary.step,
        "text": summary.text(),
        "counts": {str(state): count for state, count in summary.counts.items()},
        "imbalance": known(summary.imbalance),
        "top": [{"name": safe_text(table.names[place], 300), "share": share} for place, share in summary.top],
        "looks": {"columns": len(layers.steps), "first_step": int(layers.steps[0]), "last_step": int(layers.steps[-1])},
        "pairs": [
            {
                "name": safe_text(name, 300),
                "state": str(state),
                "r": table.r[place] if table.r and table.r[place] else None,
                **{metric: known(column[place]) for metric, column in figures.items()},
            }
            for place, (name, state) in enumerate(zip(table.names, layers.states, strict=True))
        ],
    }
