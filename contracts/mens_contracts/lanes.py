"""How clean one lane of a model is: code that stays code, and what repairs cost. Contract `mens_lane_metrics_v1`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mens_contracts.common import Count, Histogram, Interval, OpenModel, Share

ID = "mens_lane_metrics_v1"


class Rate(OpenModel):
    """A share with what it rests on. Null is one that nobody measured."""

    value: Share | None
    n: Count = Field(description="tasks or outputs; 0 where nothing was measured")
    passed: Count | None = Field(default=None, description="how many of n")
    interval: Interval | None = None
    method: str = Field(default="", description="of the interval, such as Wilson")


class Figure(OpenModel):
    """A mean, percentile or rate of something measured. Null is one that nobody measured."""

    value: float | None
    n: Count
    unit: str = ""
    interval: Interval | None = None
    method: str = ""


class LaneMetrics(OpenModel):
    """One lane of one model; `before` and `after` a blend of training data is two of these."""

    schema_: Literal["mens_lane_metrics_v1"] | None = Field(default=None, alias="schema")
    lane: str = Field(description="code, docs, chat, …; an open set")
    model: str | None = None
    blend: str | None = Field(default=None, description="the mixture of training data, such as before and after")
    n: Count = Field(description="requests of the lane")
    leakage: Rate = Field(description="outputs of a code lane with prose, fences or narration")
    compactness_loss: Figure = Field(
        description="size of outputs over that of a reference lane, model or golden text, minus 1; 0 is no loss"
    )
    repair_burden: Figure = Field(description="repairs per request")
    diagnostics: Histogram | None = None
