"""What `mens-console status --json` prints: schema `mens-status/1`.

Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity"; null means that nobody said.
Within version 1 fields are only added; readers ignore those that they do not know.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Number = float | Literal["NaN", "Infinity", "-Infinity"]
State = Literal[
    "waiting",
    "running",
    "slow",
    "stalled",
    "hung",
    "saving",
    "evaluating",
    "finished",
    "killed",
    "crashed",
    "out_of_memory",
    "disk_full",
    "diverged",
    "unknown",
]
Severity = Literal["info", "warning", "critical"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow")


class Diagnosis(_Model):
    """What is the matter with a run, and why we say so."""

    state: State
    since: Number | None = Field(description="seconds since the epoch")
    evidence: list[str] = Field(description="the facts behind the state, in plain words")


class Source(_Model):
    """One file that feeds a run."""

    path: str = Field(description="relative to the run where it lies inside it")
    format: str
    rows: int = Field(ge=0, description="rows read")
    bad_rows: int = Field(ge=0, description="rows that could not be read")
    bytes: int = Field(ge=0, description="bytes read")
    bad: list[str] = Field(default=[], description="samples of bad rows, as file:line: reason")
    problem: str | None = Field(default=None, description="why the file cannot be read now")


class Segment(_Model):
    """A stretch between resumes; a later segment starts over the end of the one before."""

    start_step: int
    end_step: int


class Series(_Model):
    """Summary of one metric."""

    points: int = Field(ge=0, description="distinct steps on the run's line")
    last_step: int | None
    last: Number | None
    rewound_points: int = Field(
        default=0, ge=0, description="points that a resume went back over, kept beside the line"
    )
    source: str = Field(default="", description="formats that fed it, best precedence first where they disagree")


class Alert(_Model):
    """One row per fingerprint, which stands for rule and entity whatever the value. Times: seconds since the epoch."""

    fingerprint: str
    rule: str
    entity: str = Field(default="", description="what it is about: a run's id, or a part of the machine (gpu:<uuid>)")
    severity: Severity
    state: Literal["pending", "firing", "recovering", "resolved"]
    nodata: bool = Field(default=False, description="its source is silent: the state is the last one known")
    latched: bool = Field(default=False, description="ends only when it is acknowledged or a new run begins")
    since: Number | None
    since_step: int | None = None
    last_seen: Number | None = None
    last_step: int | None = None
    resolved_at: Number | None = None
    count: int = Field(ge=1, description="observations of the condition, over all episodes")
    flaps: int = Field(default=0, ge=0, description="how often it fired anew within an hour after it was resolved")
    value: Number | None
    threshold: Number | None
    unit: str = Field(default="", description="of value and threshold")
    message: str
    evidence: list[str] = Field(default=[], description="what it fired on, in plain words")
    recommendation: str
    acknowledged: bool = False
    acknowledged_by: str = ""
    silenced_until: Number | None = Field(
        default=None, description="null when it is not silenced, Infinity until the run ends"
    )
    inhibited_by: str = Field(default="", description="the rule of the alert that it follows from, which is on too")


class Silence(_Model):
    """An operator's wish to hear nothing of some alerts. Times: seconds since the epoch."""

    id: str
    rule: str = Field(description="a rule, or * for any")
    entity: str = Field(description="a run's id, a part of the machine, or * for any")
    author: str
    comment: str
    start: Number
    end: Number = Field(description="Infinity: until the run ends")


class Eta(_Model):
    """Time to the last step with its 90 % interval, in seconds."""

    low: Number
    high: Number
    confidence: float


class Backlog(_Model):
    """Progress of reading what was written before the console came."""

    bytes_read: int
    bytes_total: int


class Run(_Model):
    """One training run."""

    id: str
    path: str
    name: str = ""
    state: State
    diagnosis: Diagnosis
    sources: list[Source]
    step: int | None
    total_steps: int | None
    epoch: Number | None
    loss: Number | None
    streaming_ce: Number | None
    loss_trend: Literal["improving", "stable", "degrading", "unknown"]
    eval_loss: Number | None
    learning_rate: Number | None
    grad_norm: Number | None
    tokens_per_sec: Number | None
    steps_per_sec: Number | None
    eta_s: Number | None
    eta: Eta | None = None
    progress: Number | None = Field(description="share of total_steps done, 0 to 1")
    segments: list[Segment]
    series: dict[str, Series]
    alerts: list[Alert]
    checkpoints: list[dict[str, str | int | float | None]] = []
    config: dict[str, str] = {}
    updated_at: Number | None = None
    backlog: Backlog | None = None


class Status(_Model):
    """All runs of a box."""

    schema_: Literal["mens-status/1"] = Field(alias="schema")
    generated_at: float
    host: str
    roots: list[str] = []
    problems: list[str] = []
    runs: list[Run]
    box_alerts: list[Alert] = Field(default=[], description="alerts about the machine rather than a run")
    silences: list[Silence] = []
