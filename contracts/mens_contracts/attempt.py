"""One line of an attempt log: one attempt to generate one persona. Contract `mens_generation_attempt_v1`.

Rows carry no id; a log is known by its fields. A reader counts what is missing or of a wrong type and uses the rest.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel, Share

ID = "mens_generation_attempt_v1"
Status = Literal["success", "fail", "repair"]


class GenerationAttempt(OpenModel):
    """One attempt, whatever became of it."""

    ts: str = Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d",
        description="when it ended: ISO 8601, such as 2026-01-31T14:32:01.234Z; without an offset it is UTC",
    )
    run_id: str = Field(description="names the run; what stands before the first _ is its tier where it is a size: 25K")
    persona_id: str | int = Field(description="UUID or sequence number of what is generated")
    stage: str = Field(description="B, C, validation, …; an open set")
    attempt: Annotated[int, Field(ge=1)] = Field(description="1 is the first, each retry counts on")
    status: Status = Field(description="success, fail, or repair: a success that took repairs")
    latency_ms: Count = Field(description="wall time of the attempt, milliseconds")
    prompt_tokens: Count = Field(description="tokens read")
    completion_tokens: Count = Field(description="tokens written")
    repairs: list[str] = Field(default=[], description="kinds of repair that were applied")
    validator_scores: dict[str, Share] = Field(default={}, description="score of each validator, 0 to 1")
    opening_move: str | None = Field(default=None, description="rhetorical move that the text opens with")
    constraint_categories: list[str] = Field(default=[], description="constraints that applied")
    anchors_used: list[str] = Field(default=[], description="concrete details that appear in the text")
    error: str | None = Field(default=None, description="why it failed")
