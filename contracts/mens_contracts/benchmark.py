"""How one model did on one benchmark, comparable with others on the same. Contract `mens_benchmark_summary_v1`.

Two summaries may be compared where `benchmark` says the same name, version and digest; with `items` they are paired,
task by task. Null is what nobody measured, never a zero.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, Histogram, OpenModel
from mens_contracts.lanes import Figure, LaneMetrics, Rate

ID = "mens_benchmark_summary_v1"


class Benchmark(OpenModel):
    """What was asked."""

    name: str
    version: str
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its items")
    tasks: Count
    samples: Annotated[int, Field(ge=1)] = Field(default=1, description="independent samples of each task")
    max_attempts: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="outputs allowed for a task, the first one included: the N of pass@N"
    )


class Subject(OpenModel):
    """What answered."""

    id: str = Field(description="names it in comparisons")
    base: str | None = None
    adapter: str | None = None
    revision: str | None = None
    quantization: str | None = None
    run_id: str | None = Field(default=None, description="the run that trained it, as in run_summary.json")


class Compile(OpenModel):
    """Whether it is a program."""

    pass_at_1: Rate = Field(description="tasks of which the first output compiles; unbiased over samples")
    pass_at_n: Rate = Field(description="tasks with an output that compiles within max_attempts")


class Canonical(OpenModel):
    """Whether its canonical form validates too."""

    pass_at_1: Rate


class TaskOutcome(OpenModel):
    """Whether it does what was asked; two kinds of evidence, kept apart."""

    task_success: Rate = Field(description="golden behavioural checks")
    semantic_task_success: Rate | None = Field(default=None, description="expected shape of IR, routes or components")


class Repair(OpenModel):
    """What repairs came to."""

    depth_mean: Figure = Field(description="repairs per task, over tasks that pass in the end")
    stall_rate: Rate = Field(description="tasks of which the last two repairs left no fewer diagnostics")


class Speed(OpenModel):
    """How long it took. Rates by blanks instead of tokens may decide nothing."""

    time_to_first_valid_p50_ms: Figure
    time_to_first_valid_p95_ms: Figure | None = None
    latency_p50_ms: Figure | None = None
    latency_p95_ms: Figure | None = None
    tokens_per_sec: Figure | None = Field(default=None, description="tokens generated per second of generation")
    tokenizer: Literal["model", "other", "whitespace", "unknown"] | str = Field(
        description="how tokens were counted: by the model's own tokenizer, another one, or by blanks"
    )


class Strictness(OpenModel):
    """Whether there is nothing but code."""

    failure_rate: Rate = Field(description="outputs with prose, fences or narration")


class Item(OpenModel):
    """One task; null is what was not checked."""

    task_id: str
    sample: Count = 0
    lane: str | None = None
    attempts: Annotated[int, Field(ge=1)] | None = None
    compile_pass_1: bool | None = None
    compile_pass_n: bool | None = None
    canonical_pass_1: bool | None = None
    task_success: bool | None = None
    semantic_task_success: bool | None = None
    repair_depth: Count | None = None
    repair_stalled: bool | None = None
    time_to_first_valid_ms: float | None = None
    latency_ms: float | None = None
    output_tokens: Count | None = None
    strictness_failure: bool | None = None
    diagnostics: Histogram | None = None


class BenchmarkSummary(OpenModel):
    """The document."""

    schema_: Literal["mens_benchmark_summary_v1"] = Field(alias="schema")
    schema_version: Literal[1] = 1
    created_at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d", description="ISO 8601")
    benchmark: Benchmark
    model: Subject
    compile: Compile
    canonical: Canonical
    task: TaskOutcome
    repair: Repair
    speed: Speed
    strictness: Strictness
    diagnostics: Histogram | None = None
    lanes: list[LaneMetrics] = Field(default=[])
    items: list[Item] = Field(default=[], description="one per task and sample, so that two summaries can be paired")
    sources: list[str] = Field(default=[], description="files that it was computed from")
