"""An evaluation of one model on one version of one set. Schema `mens-eval/1`.

A score stands under the id of the gate's metric. Scores of different versions of a set are never compared, so the
version is required. Null is a score that could not be taken; its `reason` says why, and it is never a zero.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, Interval, OpenModel

ID = "mens-eval/1"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]
Role = Literal["candidate", "shipped", "baseline", "quantized", "qlora"]


class EvalSet(OpenModel):
    """What was asked."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1, description="two evaluations are compared only where name and version agree")
    sha256: Sha256 | None = Field(default=None, description="of the file of gold answers")
    items: Count | None = None


class EvaluatedModel(OpenModel):
    """What answered."""

    id: str = Field(description="names it in comparisons")
    base: str | None = None
    adapter: str | None = None
    revision: str | None = None
    quantization: str | None = None
    dataset_version: str | None = Field(default=None, description="of the data that it was trained on")


class EvalFile(OpenModel):
    """A file that a score was computed from."""

    path: str
    sha256: Sha256
    rows: Count | None = None


class Score(OpenModel):
    """One metric."""

    metric: str = Field(description="id of the gate's metric, such as json_validity or weighted_score")
    value: float | None
    unit: str = Field(min_length=1, description="as the gate's metric has it, such as %, or share for 0 to 1")
    n: Count | None = Field(description="items that it rests on")
    successes: Count | None = Field(default=None, description="of a share: how many of the n")
    samples: list[float] = Field(default=[], description="single runs behind a mean")
    interval: Interval | None = None
    bucket: Literal["tool_use", "style", "guardrail", "overall"] | str | None = None
    source: str | None = Field(default=None, description="the file or tool that it comes from")
    reason: str = Field(default="", description="why there is no value, or what weakens it")


class Evaluation(OpenModel):
    """The document."""

    schema_: Literal["mens-eval/1"] = Field(alias="schema")
    at: float = Field(description="when it was evaluated, seconds since the epoch")
    model: EvaluatedModel
    role: Role | None = Field(default=None, description="what it is compared as; null where it stands for itself")
    eval_set: EvalSet
    scores: list[Score] = Field(min_length=1)
    files: list[EvalFile] = Field(default=[], description="predictions, gold answers and reports of style tools")
    notes: list[str] = Field(default=[])
