"""Who reads what: every panel, indicator and KPI, with the field that it wants, in one table.

A gate adds its criteria with `Reader`s of its own. Names alone: which field feeds a reader is found out by whoever
knows what producers wrote (`store.feeds`, `kpi.feeds`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["series", "attempt", "kpi"]


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader and the fields that can feed it, best first; the first one is what it is said to want.

    `kind` says where it looks: a series of a run, a field of generation attempts, or a field of KPI records.
    """

    name: str
    wants: tuple[str, ...]
    kind: Kind


RUN: Final = (
    Reader("Run · loss", ("loss",), "series"),
    Reader("Run · evaluation loss", ("eval_loss",), "series"),
    Reader("Run · learning rate", ("learning_rate",), "series"),
    Reader("Run · gradient norm", ("grad_norm",), "series"),
    Reader("Run · tokens/s", ("tokens_per_sec",), "series"),
    Reader("Run · steps/s", ("steps_per_sec",), "series"),
    Reader("Run · token entropy", ("entropy",), "series"),
    Reader("Run · accuracy", ("accuracy",), "series"),
    Reader("Run · fixed evaluation", ("fixed_eval_ce", "fixed_eval_em"), "series"),
    Reader("Run · epoch", ("epoch",), "series"),
    Reader("Run · tokens seen", ("num_tokens",), "series"),
    Reader("Run · supervised ratio", ("supervised_ratio_pct",), "series"),
    Reader("KPI · ValLossLastEpoch", ("eval_loss",), "series"),
    Reader("KPI · NoSupervisedSkipRate", ("skip_no_supervised_positions", "no_supervised_skip_rate"), "series"),
    Reader("KPI · TruncationFraction", ("truncation_fraction",), "series"),
)
"""What the Run screen and the KPIs of tier 2 want of a training."""

HEALTH: Final = (
    Reader("Health · repair rate", ("repairs",), "attempt"),
    Reader("Health · opening entropy", ("opening_move",), "attempt"),
    Reader("Health · pollyanna", ("validator_scores",), "attempt"),
    Reader("Health · anchor diversity", ("anchors_used",), "attempt"),
    Reader("Health · mean latency", ("latency_ms",), "attempt"),
    Reader("Health · success rate", ("status",), "attempt"),
    Reader("Health · tokens and cost", ("completion_tokens",), "attempt"),
)
"""What the indicators of generation health want of attempt logs."""

KPI: Final = (
    Reader(
        "KPI · CompilePass@1",
        ("attempts[].compile_pass", "compile_pass", "compile_pass_1", "compile_pass_at_1", "compile.pass_at_1"),
        "kpi",
    ),
    Reader("KPI · CompilePass@N", ("compile_pass", "compile_pass_n", "compile_pass_at_n", "compile.pass_at_n"), "kpi"),
    Reader(
        "KPI · CanonicalPass@1",
        ("attempts[].canonical_pass", "canonical_pass", "canonical_pass_at_1", "canonical.pass_at_1"),
        "kpi",
    ),
    Reader("KPI · TaskSuccess (golden)", ("task_success", "task.task_success"), "kpi"),
    Reader("KPI · TaskSuccess (shape)", ("semantic_task_success", "task.semantic_task_success"), "kpi"),
    Reader(
        "KPI · TimeToFirstValidMs",
        ("time_to_first_valid_ms", "time_to_first_valid_p50_ms", "speed.time_to_first_valid_p50_ms"),
        "kpi",
    ),
    Reader(
        "KPI · ServeTokensPerSec",
        ("attempts[].output_tokens", "tokens_out", "speed.tokens_per_sec", "tokens_per_sec"),
        "kpi",
    ),
    Reader(
        "KPI · RepairStallRate",
        ("attempts[].diagnostics", "repair_stalled", "repair_stall_rate", "repair.stall_rate"),
        "kpi",
    ),
    Reader("KPI · RepairDepthMean", ("attempts", "repair_depth", "repair_depth_mean", "repair.depth_mean"), "kpi"),
    Reader("KPI · diagnostics", ("attempts[].diagnostics", "failure_category", "diagnostics"), "kpi"),
    Reader(
        "KPI · StrictnessFailureRate",
        ("attempts[].strictness", "strictness_failures", "voxelized_strictness", "strictness.failure_rate"),
        "kpi",
    ),
    Reader("KPI · lanes", ("lane", "lanes"), "kpi"),
)
"""What product KPIs want of records of generation."""
