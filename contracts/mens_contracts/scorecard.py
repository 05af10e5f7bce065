"""What a scorecard run leaves: one row per task, and a summary by condition. `vox_mens_scorecard_summary_v1`.

The rows name no contract of their own: they are known by their fields, here as `mens_scorecard_event_v1`. Upstream both
are closed; here they are open, so that a field added there is reported and the rest is read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mens_contracts.common import Count, OpenModel, Share

EVENT_ID = "mens_scorecard_event_v1"
SUMMARY_ID = "vox_mens_scorecard_summary_v1"
EVENT_SCHEMA_ID = "https://vox-lang.org/schemas/eval/mens-scorecard-event.schema.json"
SUMMARY_SCHEMA_ID = "https://vox-lang.org/schemas/eval/mens-scorecard-summary.schema.json"
Name = Annotated[str, Field(min_length=1)]
Backend = Literal["base", "qlora", "burn", "other"]


class ScorecardEvent(OpenModel):
    """One task under one condition."""

    model_config = ConfigDict(json_schema_extra={"$id": EVENT_SCHEMA_ID})

    condition_id: Name = Field(description="model, adapter and decoding that are compared with others")
    backend: Backend
    task_id: Name
    attempts: Annotated[int, Field(ge=1)] = Field(description="outputs generated, the first one included")
    compile_pass_1: bool = Field(description="the first output compiles")
    compile_pass_n: bool = Field(description="any output compiles")
    repair_depth: Count | None = Field(default=None, description="repairs until it compiled; null where it never did")
    canonical_pass: bool
    voxelized_strictness: bool = Field(description="nothing but code")
    task_success: bool = Field(description="golden behavioural checks")
    semantic_task_success: bool = Field(description="expected shape of the IR")
    hir_error_count: Count
    latency_ms: Count = Field(description="milliseconds, all attempts together")
    time_to_first_valid_ms: Count | None = Field(default=None, description="milliseconds; null where none was valid")
    repair_stalled: bool
    tokens_in: Count = Field(description="by which tokenizer is not told")
    tokens_out: Count
    placeholder_marker_hits: Count
    trivial_placeholder_output: bool
    construct_richness_score: Share
    anti_stub_pass: bool


class Alignment(OpenModel):
    """Which contracts the runtime records and the rows of the same evaluation follow."""

    runtime_generation_kpi_schema: Literal["vox_runtime_generation_kpi_v1"]
    mens_scorecard_event_schema_id: Literal["https://vox-lang.org/schemas/eval/mens-scorecard-event.schema.json"]


class CompletionPolicy(OpenModel):
    """Where the policy on completions stands."""

    policy_contract_rel: str = Field(description="path in the producer's repository")
    gate_integration_note: Name


class Condition(OpenModel):
    """One condition over its tasks; rates are shares."""

    id: Name
    label: Name
    backend: Backend
    model_id: str | None = None
    adapter_revision: str | None = None
    total_tasks: Count
    compile_pass_at_1: Share
    compile_pass_at_n: Share
    canonical_pass: Share
    voxelized_strictness: Share
    task_success: Share
    semantic_task_success: Share
    repair_depth_mean: Annotated[float, Field(ge=0)]
    repair_stall_rate: Share
    time_to_first_valid_p50_ms: Count
    latency_p50_ms: Count
    latency_p95_ms: Count
    tokens_in_total: Count
    tokens_out_total: Count
    placeholder_hits_total: Count
    placeholder_event_rate: Share
    trivial_placeholder_rate: Share
    construct_richness_mean: Share
    anti_stub_pass_rate: Share


class ScorecardSummary(OpenModel):
    """The document."""

    model_config = ConfigDict(json_schema_extra={"$id": SUMMARY_SCHEMA_ID})

    schema_: Literal["vox_mens_scorecard_summary_v1"] = Field(alias="schema")
    schema_version: Literal[1]
    prompt_pack_version: Name
    git_sha: Name
    run_started_utc: Name
    spec_path: Name
    kpi_contract_alignment: Alignment | None = Field(
        default=None, description="pins the contracts that belong to this summary, for joins"
    )
    completion_policy: CompletionPolicy | None = None
    conditions: list[Condition]
