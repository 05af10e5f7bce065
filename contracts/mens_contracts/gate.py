"""What `mens-console gate check --json` prints: a release judged by a profile. Schema `mens-gate/1`.

Null is a value that nothing gives; the reason says what is missing. Times are seconds since the epoch; percent run from
0 to 100. Fields are only added. `mens-gate-diff/1` is how two such documents differ.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel

ID = "mens-gate/1"
DIFF_ID = "mens-gate-diff/1"
Verdict = Literal["PASS", "CONDITIONAL", "FAIL", "UNDERFED"]
Bounds = Annotated[
    list[float | None],
    Field(
        min_length=2,
        max_length=2,
        description="lower and upper bound, each one-sided at 95 %; null where none exists at this n",
    ),
]


class GateEvidence(OpenModel):
    """One value, and where it stands."""

    path: str
    sha256: str
    mtime: float | None
    pointer: str = Field(description="JSON pointer, or line, inside the file")
    metric: str = ""
    value: float | None = None
    unit: str = ""
    n: Count | None = None
    at: float | None = Field(default=None, description="when it was measured")
    tool: str = ""
    tags: dict[str, str] = Field(default={})
    note: str = ""


class GateWaiver(OpenModel):
    """Somebody answers for a CONDITIONAL until a date."""

    criterion: str
    owner: str
    due: float | None
    reason: str
    by: str
    at: float | None
    counts: bool = Field(description="whether it lets its criterion through now")


class GateMark(OpenModel):
    """What a person says of a manual check."""

    criterion: str
    passed: bool
    note: str
    by: str
    at: float | None


class GatePart(OpenModel):
    """One metric that a criterion requires besides its own."""

    metric: str
    verdict: Verdict
    reason: str
    value: float | None
    unit: str
    statistic: str
    n: Count | None
    interval: Bounds | None
    pass_: str | None = Field(alias="pass")
    conditional: str | None


class GateCriterion(OpenModel):
    """One criterion, judged."""

    id: str
    title: str
    dimension: str
    verdict: Verdict
    reason: str
    value: float | None
    unit: str
    statistic: str
    n: Count | None
    interval: Bounds | None
    pass_: str | None = Field(alias="pass", description="the condition, such as >=115")
    conditional: str | None
    evidence: list[GateEvidence]
    remedy: str
    metric: str = ""
    decides: bool = Field(default=True, description="false where it is shown only, and neither blocks nor counts")
    manual: bool = False
    waived: bool = False
    needed_n: Count | None = Field(default=None, description="about how many decide at this value")
    requires: list[GatePart] = Field(default=[])


class GateCheck(OpenModel):
    """One item of the profile's checklist; null: the sign-off itself settles it."""

    title: str
    verdict: Verdict | None
    criteria: list[str] = Field(default=[])


class GateDocument(OpenModel):
    """The document."""

    schema_: Literal["mens-gate/1"] = Field(alias="schema")
    profile: str
    release: str
    evidence_digest: str
    approvals: list[str] = Field(description="distinct principals who said GO")
    waivers: list[GateWaiver]
    decision_ready: bool = Field(description="nothing but people's GO is missing, marks of manual checks included")
    verdict: Verdict
    blockers: list[str]
    criteria: list[GateCriterion]
    generated_at: float | None = None
    digest: str = Field(default="", description="over profile, evidence, marks, waivers and release: what is signed")
    profile_title: str = ""
    profile_sha256: str = ""
    approvals_needed: Count = 0
    pending: list[str] = Field(default=[], description="what only people can add")
    marks: list[GateMark] = Field(default=[])
    checklist: list[GateCheck] = Field(default=[])
    problems: list[str] = Field(default=[], description="files that gave nothing, and why")


class GateChange(OpenModel):
    """How one criterion differs between two evaluations."""

    id: str
    title: str
    change: Literal["worse", "better", "same", "added", "removed"]
    old_verdict: Verdict | None
    new_verdict: Verdict | None
    old_value: float | None
    new_value: float | None
    unit: str
    text: str


class GateDiff(OpenModel):
    """Two evaluations side by side, the changes for the worse first."""

    schema_: Literal["mens-gate-diff/1"] = Field(alias="schema")
    old: str = Field(description="release, and digest of the evaluation")
    new: str
    verdict: list[Verdict] = Field(min_length=2, max_length=2)
    ready: list[bool] = Field(min_length=2, max_length=2)
    worse: bool = Field(description="a criterion, the verdict or the readiness got worse, or a criterion is gone")
    changes: list[GateChange]
    notes: list[str] = Field(default=[], description="profile or conditions that changed")
    evidence: list[str] = Field(default=[], description="files that were added, removed or changed")
