"""One generation request with all its attempts, as our recorder writes it. Contract `mens_generation_event_v1`.

Richer than `vox_runtime_generation_kpi_v1`, which is derived from it. A token count of which nobody said how it was
counted is of tokenizer "unknown", and may decide nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, Histogram, OpenModel

ID = "mens_generation_event_v1"
Ms = Annotated[float, Field(ge=0, description="milliseconds of a monotonic clock")]
Strictness = Literal["prose", "markdown_fence", "narration"]
"""Ways in which an output is more than code; others are kept."""


class EventAttempt(OpenModel):
    """One output: the first one, or a repair of the one before."""

    attempt: Annotated[int, Field(ge=1)] = Field(description="1 is the first output, 2 its first repair")
    start_ms: Ms = Field(description="when it was asked for, milliseconds after the request came")
    generate_ms: Ms = Field(description="milliseconds until the model had answered")
    validate_ms: Ms | None = Field(default=None, description="milliseconds of validation; null where there was none")
    duration_ms: Ms = Field(description="milliseconds from asking for it to its verdict")
    first_token_ms: Ms | None = Field(default=None, description="milliseconds to its first token, where streamed")
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    output_bytes: Count | None = Field(default=None, description="size of the output in UTF-8")
    code_bytes: Count | None = Field(default=None, description="that of the code in it, without prose and fences")
    compile_pass: bool | None = Field(default=None, description="it compiles; null where it was not validated")
    canonical_pass: bool | None = Field(default=None, description="its canonical form validates; null: not looked at")
    diagnostics_before: Histogram | None = Field(
        default=None, description="by category, of the output that it repairs; null for the first one"
    )
    diagnostics: Histogram | None = Field(
        default=None, description="by category, of this output; null where it was not validated"
    )
    strictness: list[Strictness | str] | None = Field(
        default=None, description="what it holds beside code; empty: nothing; null: not looked at"
    )
    surface_contract_failed: bool | None = Field(default=None, description="it broke the surface's own format")
    error: str | None = Field(default=None, description="why there is no output")


class GenerationEvent(OpenModel):
    """One request, from its coming to its last verdict."""

    schema_: Literal["mens_generation_event_v1"] = Field(alias="schema")
    schema_version: Literal[1] = 1
    ts: str = Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d", description="when the request came: ISO 8601 with its offset"
    )
    id: str = Field(description="of this request, unique")
    surface: str = Field(description="what served it: vox-cli, mcp, eval, …; an open set")
    model: str = Field(description="what generated: base model, and adapter where there is one")
    adapter: str | None = None
    revision: str | None = Field(default=None, description="of the adapter, or of the model without one")
    run_id: str | None = Field(default=None, description="the run that trained it, or the evaluation this is part of")
    condition: str | None = Field(default=None, description="what is compared with another: decoding, prompt, …")
    task_id: str | None = Field(default=None, description="what was to be made; requests of one task can be paired")
    task_set: str | None = Field(default=None, description="name and version of the set that the task is from")
    sample: Count | None = Field(default=None, description="which of several independent samples of the task")
    lane: str | None = Field(default=None, description="code, docs, chat, …; an open set")
    validate_requested: bool
    max_attempts: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="outputs allowed, the first one included"
    )
    attempts: list[EventAttempt] = Field(min_length=1)
    duration_ms: Ms = Field(description="milliseconds from the request to the last verdict")
    time_to_first_valid_ms: Ms | None = Field(
        description="milliseconds from the request to the verdict on the first valid output; null where none was"
    )
    success: bool = Field(description="whether the caller got an output that is valid, or any where none was validated")
    compile_pass: bool | None = Field(description="the last output compiles; null where it was not validated")
    canonical_pass: bool | None = None
    task_success: bool | None = Field(
        default=None, description="it passed the golden behavioural checks; null where there are none"
    )
    semantic_task_success: bool | None = Field(
        default=None, description="it has the expected shape (IR, routes, components); null: not checked"
    )
    repair_stalled: bool | None = Field(
        description="the last two repairs left no fewer diagnostics; null where fewer than two were made"
    )
    tokenizer: Literal["model", "other", "whitespace", "unknown"] | str = Field(
        description="how tokens were counted: by the model's own tokenizer, another one, or by blanks"
    )
    tokenizer_name: str | None = None
    prompt_tokens: Count | None = Field(default=None, description="over all attempts; null where not counted")
    output_tokens: Count | None = Field(default=None, description="over all attempts; null where not counted")
    failure_category: str | None = Field(
        default=None, description="category of most diagnostics of the last output, where it failed"
    )
    error: str | None = None
