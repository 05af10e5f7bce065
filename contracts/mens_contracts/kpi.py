"""What `mens-console kpi --json` prints: product KPIs with their evidence. Schema `mens-kpi/1`.

Null is a value that nothing feeds; its `reason` says what is missing. Times are seconds since the epoch. Fields are
only added.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mens_contracts.common import Count, Interval, OpenModel

ID = "mens-kpi/1"
Role = Literal["decides", "explains", "context only"]


class Kpi(OpenModel):
    """One figure of one model."""

    id: str
    name: str
    tier: Literal[1, 2, 3]
    role: Role
    unit: str
    better: Literal["higher", "lower", "neither"]
    value: float | None
    n: Count = Field(description="how many of `of` it rests on")
    of: str = Field(default="", description="tasks, requests, tokens, …")
    interval: Interval | None
    method: str = Field(default="", description="of the interval")
    source: str = Field(default="", description="the records that it comes from")
    reason: str = Field(default="", description="what is missing, or what weakens it")
    decides: bool = Field(default=True, description="false where its evidence may not decide")
    definition: str = ""


class Category(OpenModel):
    """How often a class of diagnostics occurred."""

    name: str
    diagnostics: Count
    tasks: Count = Field(description="tasks in which it occurred")


class Lane(OpenModel):
    """Contamination of one lane."""

    name: str
    n: Count
    leakage: Kpi
    compactness_loss: Kpi
    repair_burden: Kpi


class Model(OpenModel):
    """One model or condition."""

    model: str
    values: list[Kpi]
    categories: list[Category] = Field(default=[])
    lanes: list[Lane] = Field(default=[])
    tasks: Count = 0
    updated: float | None = None


class Delta(OpenModel):
    """A KPI of one model against another's."""

    id: str
    base: float | None
    other: float | None
    difference: float | None = Field(description="other - base")
    interval: Interval | None
    n: Count
    paired: bool = Field(description="whether the same tasks were compared one by one")
    verdict: Literal["better", "worse", "undecided", "nodata"]
    method: str = ""
    reason: str = ""


class Comparison(OpenModel):
    """Two models side by side."""

    base: str
    other: str
    deltas: list[Delta]


class Feed(OpenModel):
    """Which field feeds a reader."""

    reader: str
    wants: str
    state: Literal["fed", "alias", "underfed"]
    field: str = Field(default="", description="the producer's field that came")
    source: str = ""
    rows: Count = 0
    nearest: str = Field(default="", description="the most similar field that was seen, where none feeds it")


class Source(OpenModel):
    """One file as far as it was read."""

    path: str
    kind: str
    rows: Count
    bad_rows: Count = 0
    problem: str | None = None
    updated: float | None = None


class KpiDocument(OpenModel):
    """The document."""

    schema_: Literal["mens-kpi/1"] = Field(alias="schema")
    generated_at: float | None = None
    models: list[Model]
    comparison: Comparison | None = None
    sources: list[Source] = Field(default=[])
    feeds: list[Feed] = Field(default=[])
    problems: list[str] = Field(default=[])
