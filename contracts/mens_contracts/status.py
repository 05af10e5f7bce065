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
Trend = Literal["improving", "stable", "degrading", "unknown"]
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
    since: Number | None = Field(description="when this episode began")
    since_step: int | None = None
    last_seen: Number | None = Field(default=None, description="when the condition was observed last")
    last_step: int | None = None
    first_seen: Number | None = Field(default=None, description="when the first episode began")
    first_step: int | None = None
    resolved_at: Number | None = None
    held: bool = Field(default=False, description="resolved by nothing but the end of its run, up to which it held")
    count: int = Field(ge=1, description="observations of the condition, over all episodes")
    flaps: int = Field(default=0, ge=0, description="how often it fired anew within an hour after it was resolved")
    value: Number | None = Field(description="the newest that was observed")
    threshold: Number | None
    unit: str = Field(default="", description="of value and threshold")
    message: str = Field(description="in words, of the newest value")
    fired_on: str = Field(default="", description="what the message was when it fired or became worse")
    evidence: list[str] = Field(default=[], description="what it fired on, in plain words")
    recommendation: str
    acknowledged: bool = False
    acknowledged_by: str = ""
    note: str = Field(default="", description="what whoever acknowledged it wrote")
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


class Accuracy(_Model):
    """Mean accuracy over the newest points, as ratios."""

    last_20: Number | None
    last_50: Number | None
    n: int
    trend: Trend


class FixedEval(_Model):
    """The newest evaluation on a fixed set; `ece_expected` is what a perfectly calibrated model would score."""

    step: int
    em: Number | None
    ce: Number | None = Field(description="nats per token")
    ece: Number | None
    ece_expected: Number | None
    n: int | None
    trend: Trend


class Keep(_Model):
    """The checkpoint to keep, and why."""

    step: int
    path: str
    reason: str
    evidence: list[str]
    warnings: list[str]


class NextCheckpoint(_Model):
    """When the next checkpoint is due (seconds since the epoch), and whether it fits on its volume."""

    step: int | None
    at: Number | None
    bytes: Number | None
    free_bytes: Number | None
    fits: Literal["fits", "does not fit", "unknown"]
    reason: str


class Pair(_Model):
    """An adapter pair: what it is doing and its newest figures; null where nothing was measured."""

    name: str
    state: Literal["active", "frozen", "unused", "dead", "vanishing", "exploding", "warming", "unknown"]
    r: int | None = None
    grad: Number | None = Field(default=None, description="norm of the gradient of both matrices")
    grad_a: Number | None = None
    grad_b: Number | None = None
    update: Number | None = Field(default=None, description="norm of what an optimizer step changed")
    ratio: Number | None = Field(default=None, description="update over the norm of the weights")
    rank: Number | None = Field(default=None, description="effective rank")


class Lora(_Model):
    """The adapters of a run as last looked at."""

    step: int | None
    text: str
    counts: dict[str, int]
    imbalance: Number | None
    top: list[dict[str, str | float]]
    looks: dict[str, int]
    pairs: list[Pair]


class Stage(_Model):
    """One stage of the pipeline; it is done only when `measured` met `signal`."""

    id: str
    state: Literal["pending", "running", "done", "underfed", "failed"]
    started: Number | None
    ended: Number | None
    wall_s: Number | None
    cpu_percent: Number | None
    max_rss_bytes: Number | None
    exit_code: int | None
    signal: str
    measured: str
    detail: list[str] = []


class Feed(_Model):
    """Which of the producer's fields feeds a reader, such as a panel."""

    reader: str
    wants: str = Field(description="the name that the reader knows it by")
    state: Literal["fed", "alias", "underfed"] = Field(description="alias: it came under another name")
    field: str = Field(default="", description="the producer's own name of it")
    source: str = Field(default="", description="formats that it came in")
    rows: int = Field(default=0, ge=0, description="points")
    nearest: str = Field(default="", description="the most similar field that was seen, where none feeds it")


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
    loss_trend: Trend
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
    loss_variance: Number | None = None
    token_entropy: Number | None = Field(default=None, description="EMA, nats per token")
    accuracy: Accuracy | None = None
    fixed_eval: FixedEval | None = None
    keep: Keep | None = None
    next_checkpoint: NextCheckpoint | None = None
    lora: Lora | None = None
    patterns: dict[str, object] | None = Field(default=None, description="payload of the event pattern_heatmap")
    stages: list[Stage] = []
    feeds: list[Feed] = Field(default=[], description="who feeds every reader of a run, and what nobody feeds")
    backlog: Backlog | None = None


class AttemptLogs(_Model):
    """The attempt logs of one folder. A log that was not read whole is looked at from either end."""

    name: str
    paths: list[str] = Field(description="in the order they were written")
    bytes: int = Field(ge=0, description="size of those that were looked at")
    bytes_looked_at: int = Field(ge=0)
    attempts: int = Field(ge=0, description="rows among those bytes")
    problems: list[str] = Field(default=[], description="why files cannot be read")
    feeds: list[Feed] = Field(default=[], description="who feeds every indicator of generation health")


class SoakVerdict(_Model):
    """Where a soak stands against one target. Bounds are one-sided at 95 %."""

    band: Literal["pass", "conditional", "fail", "undecided", "nodata"]
    value: Number | None = Field(description="a share in [0, 1], or a count of failures")
    low: Number | None = None
    high: Number | None = None
    n: int = 0
    of: str = Field(default="", description="what n counts")
    reason: str | None = Field(default=None, description="why nothing is decided")


class Soak(_Model):
    """Hours of load on a server, so far; the minutes of it are in `mens-console soak report DIR --json`."""

    id: str
    path: str
    state: Literal["starting", "running", "finished", "stopped", "died", "unknown", "imported"]
    reading: bool = False
    problem: str | None = None
    why: str = Field(default="", description="what the state rests on")
    source: str = Field(default="", description="who made the load: mens-console, guidellm, vllm, aiperf, locust, k6")
    model: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    elapsed_s: Number | None = None
    target_s: Number | None = None
    offered_rate: Number | None = Field(default=None, description="requests a second by schedule")
    achieved_rate: Number | None = None
    requests: int = Field(default=0, description="requests that ended")
    errors: dict[str, int] = Field(default={}, description="requests that failed, by class")
    verdicts: dict[str, SoakVerdict] = Field(default={}, description="uptime, error_rate and failures")
    incidents: int | None = Field(default=0, description="null where nobody looked for any")
    incident_open: bool = False
    problems: list[str] = []


class Status(_Model):
    """All runs of a box."""

    schema_: Literal["mens-status/1"] = Field(alias="schema")
    generated_at: float
    host: str
    roots: list[str] = []
    problems: list[str] = []
    machine: dict[str, object] | None = Field(
        default=None, description="GPUs, host, volumes and processes, sampled once"
    )
    runs: list[Run]
    attempt_logs: list[AttemptLogs] = Field(default=[], description="by folder; `mens-console health` judges them")
    soaks: list[Soak] = Field(default=[], description="those that go on first, then the newest")
    box_alerts: list[Alert] = Field(default=[], description="alerts about the machine rather than a run")
    silences: list[Silence] = []
