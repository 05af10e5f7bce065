"""Types that several contracts share: open and closed objects, counts, shares, intervals, histograms of diagnostics."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[list[float], Field(min_length=2, max_length=2, description="lower and upper end, 95 %")]
Histogram = Annotated[
    dict[str, Count],
    Field(description="diagnostics by category; names as in mens_diagnostic_taxonomy_v1, others are kept"),
]


class OpenModel(BaseModel):
    """An object that may carry further fields; readers keep them."""

    model_config = ConfigDict(extra="allow")


class ClosedModel(BaseModel):
    """An object that carries these fields and no other."""

    model_config = ConfigDict(extra="forbid", strict=True)
