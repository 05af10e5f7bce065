"""The document of a benchmark, `mens-bench/1`, which the gate reads. What was not measured is null or absent. Pure."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from mens_console.benchmark.asking import tokenizer
from mens_console.benchmark.spread import counted, latency, mean_and_sd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.benchmark.batches import Latent, Speed
    from mens_console.benchmark.ladder import Step
    from mens_console.benchmark.measured import Measured

SCHEMA: Final = "mens-bench/1"
_NONE: Final[Counter[float]] = Counter()


def document(measured: Measured, version: str, single: Mapping[int, float] | None = None) -> dict[str, Any]:
    """Return the document. `single` are tokens/s on one GPU by batch, for the efficiency."""
    plan = measured.plan
    blocks = [_latencies(measured.latent, 1, plan.gpus)] if measured.latent is not None else []
    blocks += [_latencies(one.latent, one.batch, plan.gpus, one.complete_s) for one in measured.speeds if one.batch > 1]
    return {
        "schema": SCHEMA,
        "started": round(measured.started, 3),
        "ended": round(measured.ended, 3),
        "driver": {"name": "mens-console", "version": version},
        "target": _target(measured),
        "warmup": measured.warmup or 0,
        "throughput": [_throughput(one, measured, single or {}) for one in measured.speeds],
        "latency": blocks,
        "memory": _memory(measured),
        "context": [_rung(one) for one in measured.steps],
        "tags": dict(plan.tags),
        "notes": list(measured.notes),
    }


def _target(measured: Measured) -> dict[str, Any]:
    plan = measured.plan
    target: dict[str, Any] = {"url": plan.url, "model": plan.model, "gpus": plan.gpus if plan.gpus_told else None}
    target |= {name: plan.tags[name] for name in ("revision", "quantization") if name in plan.tags}
    if plan.parameters is not None:
        target["parameters"] = plan.parameters
    return target


def _throughput(speed: Speed, measured: Measured, single: Mapping[int, float]) -> dict[str, Any]:
    plan = measured.plan
    mean, sd = mean_and_sd(speed.rates)
    who = tokenizer(speed.by)
    one: dict[str, Any] = {
        "batch": speed.batch,
        "gpus": plan.gpus,
        "runs": speed.rates,
        "failed_runs": speed.failed,
        "short_runs": speed.short,
        "mean": mean,
        "sd": sd,
        "n": len(speed.rates),
        "tokens_per_run": speed.batch * plan.tokens,
        "tokenizer": who,
    }
    if mean is not None and single.get(speed.batch) and who == "server":
        one["efficiency"] = mean / (plan.gpus * single[speed.batch])
    return one


def _latencies(latent: Latent, batch: int, gpus: int, complete_s: list[float] | None = None) -> dict[str, Any]:
    """Return the latencies under one load; gaps between chunks that are smaller than tokens are none between tokens."""
    block = {
        "batch": batch,
        "gpus": gpus,
        "requests": latent.asked,
        "failed": latent.failed,
        "ttft_ms": latency(counted(latent.ttft)),
        "itl_ms": latency(_NONE if latent.split else counted(latent.seen)),
        "e2e_ms": latency(counted(latent.e2e)),
    }
    if complete_s:
        block["time_to_complete_ms"] = round(1000.0 * median(complete_s), 3)
    return block


def _memory(measured: Measured) -> list[dict[str, Any]]:
    """Return the peak memory where somebody looked, or the server tells parts of it."""
    if not measured.watched and not measured.parts:
        return []
    block: dict[str, Any] = {
        "gpus": measured.plan.gpus,
        "peak_bytes": max(measured.peaks, default=None),
        "runs": list(measured.peaks),
    }
    return [block | {f"{name}_bytes": size for name, size in measured.parts.items()}]


def _rung(step: Step) -> dict[str, Any]:
    pace = step.ms_per_token
    return {
        "tokens": step.tokens,
        "prompt_tokens": round(median(step.latent.prompts)) if step.latent.prompts else None,
        "tokenizer": step.tokenizer,
        "quality": step.quality,
        "quality_n": step.asked,
        "quality_loss": step.loss,
        "ms_per_token": None if pace is None else round(pace, 3),
        "ms_per_token_n": 0 if pace is None else len(step.latent.seen),
        "failed": step.failed,
    }
