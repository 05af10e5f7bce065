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
Verdict = Literal["met", "missed", "UNDERFED"]
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
    target: float | None = Field(default=None, description="what it should reach, in `unit`")
    stretch: float | None = Field(default=None, description="what would be better still, in `unit`")
    required: bool = Field(default=True, description="whether its bucket and the verdict need it")
    verdict: Verdict | None = Field(default=None, description="against the target; UNDERFED where there is no value")
    remedy: str = Field(default="", description="what to do where it misses")


class BucketScore(OpenModel):
    """The mean of a bucket's required metrics, each as what was achieved of it; null where one is missing."""

    value: float | None
    unit: Literal["%"]
    weight: float = Field(description="in the weighted score")


class Evaluation(OpenModel):
    """The document."""

    schema_: Literal["mens-eval/1"] = Field(alias="schema")
    at: float = Field(description="when it was evaluated, seconds since the epoch")
    model: EvaluatedModel
    role: Role | None = Field(default=None, description="what it is compared as; null where it stands for itself")
    eval_set: EvalSet
    scores: list[Score] = Field(min_length=1)
    verdict: Verdict | None = Field(default=None, description="whether all required targets are met")
    buckets: dict[str, BucketScore] = Field(default={}, description="by tool_use, style, guardrail")
    throughput_tokens_per_s: float | None = Field(default=None, description="tracked, never judged")
    files: list[EvalFile] = Field(default=[], description="predictions, gold answers and reports of style tools")
    notes: list[str] = Field(default=[])


class LoggedScore(OpenModel):
    """One metric in the log."""

    metric: str
    value: float | None
    unit: str
    n: Count | None
    interval: Interval | None


class LoggedEvaluation(OpenModel):
    """One line of `eval_log.jsonl`, the twin of `eval_log.md`."""

    schema_: Literal["mens-eval-log/1"] = Field(alias="schema")
    date: str = Field(description="UTC, ISO 8601")
    at: float = Field(description="the same, seconds since the epoch")
    model: EvaluatedModel
    role: Role | None = None
    eval_set: EvalSet
    verdict: Verdict
    scores: list[LoggedScore] = Field(min_length=1)
