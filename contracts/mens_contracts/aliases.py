"""Other names under which fields of the contracts are known to come: one table, for readers and for `contracts check`.

Names alone, no parsing. A reader takes the field's own name first, then its aliases in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Alias:
    """A field by the other names that mean the same value in the same unit, best first.

    `factor` turns a value that came under `factored` names into the field's unit. `note` says what to mind.
    """

    field: str
    names: tuple[str, ...]
    factored: tuple[tuple[str, float], ...] = ()
    note: str = ""


ATTEMPT: Final = (
    Alias("ts", ("timestamp", "time", "@timestamp", "created_at", "datetime")),
    Alias("run_id", ("run", "runId", "run_name")),
    Alias("persona_id", ("personaId", "persona", "persona_uuid", "uuid")),
    Alias("stage", ("phase", "generation_stage")),
    Alias("attempt", ("attempt_no", "attempt_number", "attempt_index", "try"), note="1 is the first"),
    Alias("status", ("state", "outcome", "result", "final_status")),
    Alias(
        "latency_ms",
        ("latencyMs", "duration_ms", "elapsed_ms", "wall_ms", "latency_millis"),
        (("latency_s", 1000.0), ("latency_seconds", 1000.0), ("duration_s", 1000.0)),
    ),
    Alias("prompt_tokens", ("promptTokens", "input_tokens", "tokens_in", "n_prompt_tokens")),
    Alias("completion_tokens", ("completionTokens", "output_tokens", "tokens_out", "generated_tokens")),
    Alias("repairs", ("repair", "repair_types", "repairs_applied", "applied_repairs")),
    Alias("validator_scores", ("validatorScores", "scores", "validators", "validation_scores")),
    Alias("opening_move", ("openingMove", "opening", "opening_type", "opening_strategy")),
    Alias("constraint_categories", ("constraintCategories", "constraints", "constraints_applied")),
    Alias("anchors_used", ("anchorsUsed", "anchors", "anchor", "used_anchors")),
    Alias("error", ("error_message", "err", "exception", "failure_reason")),
)

GENERATION: Final = (
    Alias("task_id", ("task", "taskId", "item_id", "item", "prompt_id")),
    Alias("model", ("model_id", "modelId", "model_name")),
    Alias("lane", ("generation_lane", "output_lane")),
    Alias("surface", ("source_surface", "client")),
    Alias("compile_pass", ("compiles", "compile_ok", "is_valid", "valid")),
    Alias("canonical_pass", ("canonical", "canonical_ok", "canonicalizes")),
    Alias("repair_stalled", ("stalled", "repair_stall")),
    Alias(
        "time_to_first_valid_ms",
        ("timeToFirstValidMs", "ttfv_ms", "first_valid_ms"),
        (("time_to_first_valid_s", 1000.0), ("ttfv_s", 1000.0)),
    ),
    Alias("output_tokens", ("completion_tokens", "tokens_out", "outputTokens", "generated_tokens")),
    Alias("prompt_tokens", ("input_tokens", "tokens_in", "promptTokens")),
    Alias("duration_ms", ("latency_ms", "elapsed_ms", "wall_ms"), (("duration_s", 1000.0),)),
    Alias("strictness_failures", ("strictness_failure_count", "strictness_errors")),
    Alias("failure_category", ("error_category", "failure_class", "diagnostic_category")),
    Alias("tokenizer", ("token_count_method", "tokenizer_kind")),
)
"""Fields of `mens_generation_event_v1` and `vox_runtime_generation_kpi_v1`."""

SCORECARD: Final = (
    Alias("condition_id", ("condition", "conditionId")),
    Alias("task_id", ("task", "taskId", "item_id")),
    Alias("compile_pass_1", ("compile_pass_at_1", "compile_pass@1", "compile_at_1", "pass_at_1")),
    Alias("compile_pass_n", ("compile_pass_at_n", "compile_pass@n", "compile_pass_at_k", "pass_at_k")),
    Alias("canonical_pass", ("canonical_pass_1", "canonical_pass_at_1")),
    Alias("voxelized_strictness", ("strictness", "strictness_pass")),
    Alias("semantic_task_success", ("semantic_success", "semantic_pass")),
    Alias("hir_error_count", ("hir_errors",)),
    Alias("latency_ms", ("duration_ms", "elapsed_ms"), (("latency_s", 1000.0),)),
    Alias("time_to_first_valid_ms", ("ttfv_ms", "timeToFirstValidMs"), (("ttfv_s", 1000.0),)),
    Alias("tokens_in", ("prompt_tokens", "input_tokens")),
    Alias("tokens_out", ("completion_tokens", "output_tokens")),
)
"""Fields of the rows of a scorecard."""

BENCHMARK: Final = (
    Alias("compile_pass_at_1", ("compile_pass_1", "compile_at_1", "pass_at_1", "pass@1")),
    Alias("compile_pass_at_n", ("compile_pass_n", "compile_pass_at_k", "pass_at_k", "pass@k")),
    Alias("canonical_pass_at_1", ("canonical_pass", "canonical_pass_1")),
    Alias("semantic_task_success", ("semantic_pass_rate", "semantic_success")),
    Alias("time_to_first_valid_p50_ms", ("ttfv_p50_ms", "time_to_first_valid_ms_median")),
    Alias("latency_p50_ms", ("latency_ms_median", "latency_ms_p50")),
    Alias("latency_p95_ms", ("latency_ms_p95",)),
    Alias("tokens_per_sec", ("serve_tokens_per_sec", "tok_s", "throughput_tokens_per_sec")),
)
"""Figures of a benchmark summary."""

TRAINING: Final = (
    Alias("tokens_per_sec", ("tok_s", "train_tokens_per_second", "tokens_per_second"), note="not steps_per_sec_ema"),
    Alias("val_loss", ("eval_loss", "validation_loss", "val_loss_last_epoch", "valid_loss")),
    Alias("supervised_ratio_pct", ("supervised_pct",), (("supervised_ratio", 100.0),)),
    Alias("no_supervised_skip_rate", ("no_supervised_rate", "skip_no_supervised_rate")),
    Alias("truncation_fraction", ("truncated_fraction", "truncation_rate"), (("truncated_pct", 0.01),)),
)
"""What the KPIs of tier 2 read of a training's telemetry."""

BY_CONTRACT: Final[Mapping[str, tuple[Alias, ...]]] = {
    "mens_generation_attempt_v1": ATTEMPT,
    "mens_generation_event_v1": GENERATION,
    "vox_runtime_generation_kpi_v1": GENERATION,
    "mens_scorecard_event_v1": SCORECARD,
    "mens_benchmark_summary_v1": BENCHMARK,
    "mens-telemetry/1": TRAINING,
}


def spellings(contract: str) -> dict[str, str]:
    """Return the field that each other name of a contract's fields means; a field's own name is never in it."""
    table = BY_CONTRACT.get(contract, ())
    named = {name: one.field for one in reversed(table) for name in reversed(one.names)}
    return named | {name: one.field for one in table for name, _ in one.factored}


def factor(contract: str, name: str) -> float:
    """Return what a value that came under `name` is multiplied by to be in the field's unit."""
    pairs = (pair for one in BY_CONTRACT.get(contract, ()) for pair in one.factored)
    return next((scale for other, scale in pairs if other == name), 1.0)
