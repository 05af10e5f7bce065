"""What a profile of the gate may say: criteria of a release in TOML, and the source of its exported JSON Schema.

Closed: a key that nobody knows is an error, for a criterion with a misspelt threshold would decide on something else.
Bands are expressions such as `>=115`, `105..115` or `>=5, <10`; times have a unit, such as `72h` or `7d`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = "mens-gate-profile/1"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2000)]
Band = Annotated[str, Field(min_length=1, max_length=80)]


class Table(BaseModel):
    """A table that has these keys and no other."""

    model_config = ConfigDict(extra="forbid", strict=True)


class BaselineTable(Table):
    """The evidence that a criterion compares with, pinned so that nobody can move it."""

    path: Annotated[str, Field(max_length=1000)] = Field("", description="the file, relative to the profile's")
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = Field("", description="digest of that file")
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="how much worse than the baseline still passes, in the metric's unit; where there are "
        "bands beside it, both must pass"
    )  # fmt: skip
    relative: bool = Field(False, description="the margin is a share of the baseline: 0.05 is 5 % of it")


class RequiredTable(Table):
    """A further metric that must hold as well; the worse of all counts."""

    metric: Annotated[str, Field(min_length=1, max_length=64)]
    unit: Annotated[str, Field(max_length=40)] = Field("", description="unit of its bands; must be the metric's")
    passes: Band = Field(alias="pass")
    conditional: Band | None = None


class CriterionTable(Table):
    """One condition: a metric with its bands, a metric with a margin to a baseline, or what a person marks."""

    id: Name
    title: Line
    dimension: Annotated[str, Field(max_length=40)] = Field(
        "", description="what it is grouped by (default: the metric's; checklist where a person marks it)"
    )
    metric: Annotated[str, Field(max_length=64)] = Field("", description="id of a metric (docs/gate-profiles.md)")
    statistic: Literal["value", "mean", "share", "quantile", "count", "slope", "bound"] | None = Field(
        None, description="what kind of figure the metric is; checked where it stands"
    )
    unit: Annotated[str, Field(max_length=40)] = Field("", description="unit of the bands; must be the metric's")
    passes: Band | None = Field(None, alias="pass", description="PASS where the value lies in it")
    conditional: Band | None = Field(None, description="CONDITIONAL where the value lies in it and does not pass")
    fails: Band | None = Field(
        None, alias="fail", description="said for the linter to find gaps; what lies in no band fails in any case"
    )
    requires: Annotated[list[RequiredTable], Field(max_length=20)] = Field([])
    where: dict[str, str] = Field({}, description="tags that evidence must carry")
    min_n: Annotated[int, Field(ge=1)] = Field(1, description="fewer than this is UNDERFED")
    max_age: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?[smhdw]$")] | None = Field(
        None, description="evidence older than this is UNDERFED, such as 7d"
    )
    decide_on: Literal["point", "bound"] = Field(
        "point", description="bound: the one-sided 95 % bound must lie in the band, not only the value"
    )
    baseline: BaselineTable | None = None
    manual: bool = Field(False, description="a person marks it, with a note; with a metric, both must pass")
    decides: bool = Field(True, description="false: judged and shown, and blocks nothing")
    remedy: Text = Field("", description="what to do where it misses")
    note: Text = Field("", description="how a contradiction of the sources was read, and other fine print")


class CheckTable(Table):
    """One item of the release checklist."""

    title: Line
    criteria: list[str] = Field([], description="ids of criteria that settle it; none: the sign-off itself does")


class ProfileTable(Table):
    """A profile: what a release must show before somebody may say GO."""

    schema_: Literal["mens-gate-profile/1"] = Field(alias="schema")
    id: Name
    title: Line
    description: Text = ""
    approvals: Annotated[int, Field(ge=1, le=20)] = Field(1, description="distinct people who must say GO")
    conditional_passes: bool = Field(False, description="CONDITIONAL may pass with a named owner and a due date")
    unsigned: bool = Field(False, description="a decision may be recorded without a signature, and says UNSIGNED")
    allowed_signers: Annotated[str, Field(max_length=1000)] = Field(
        "", description="file of those who may sign, as ssh-keygen has it, relative to the profile's; never `*`"
    )
    template: bool = Field(False, description="to be copied and filled in; it judges nothing before")
    criteria: Annotated[list[CriterionTable], Field(max_length=500)]
    checklist: Annotated[list[CheckTable], Field(max_length=100)] = Field([])
