"""The lines of `telemetry.jsonl`: what a training writes while it runs. Schema `mens-telemetry/1`.

Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity"; null means not measured, or none. Within
version 1 fields and events are only added; readers ignore those that they do not know.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

Number = float | Literal["NaN", "Infinity", "-Infinity"]
Step = Annotated[int, Field(ge=0, description="optimizer step")]
Column = Annotated[list[Number | None], Field(description="one figure a pair, null where it was not measured")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow")


class TrainStart(_Model):
    """A process begins, or goes on, to train. Beside these: its settings, flat, secrets left out."""

    total_steps: int | None = None
    total_epochs: Number | None = None
    pid: int
    host: str
    run_id: str | None = Field(default=None, description="the same as in run_summary.json")


class StepRow(_Model):
    """One optimizer step, as far as it is known. Further numbers are series of their own."""

    step: Step
    epoch: Number | None = None
    loss: Number | None = Field(default=None, description="nats")
    learning_rate: Number | None = None
    grad_norm: Number | None = None
    streaming_ce: Number | None = Field(default=None, description="bias-corrected EMA of the loss")
    loss_variance: Number | None = Field(default=None, description="of the last 100 losses")
    token_entropy: Number | None = Field(default=None, description="mean over predicted tokens, nats")
    tokens_per_sec: Number | None = Field(default=None, description="over the last five updates")
    tokens_per_sec_avg: Number | None = Field(default=None, description="over the last 50 updates")
    num_tokens: Number | None = Field(default=None, description="since this process began")
    accuracy: Number | None = Field(default=None, description="share")
    accuracy_last_20: Number | None = None
    accuracy_last_50: Number | None = None


class Pair(_Model):
    """One pair of LoRA matrices, A (r × in) and B (out × r)."""

    name: str = Field(description="path of the adapted module")
    r: int | None = Field(default=None, description="rank, 0 where unknown")
    scaling: Number | None = None
    trainable_a: bool = True
    trainable_b: bool = True
    size: int | None = Field(default=None, description="elements of both matrices")


class LoraPairs(_Model):
    """The pairs that `lora` rows count in: before the first of each process, when they change, every 200 rows."""

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    pairs: list[Pair]


class LoraRow(_Model):
    """One look at all pairs, in the order of the table `pairs` names."""

    step: Step
    pairs: str = Field(pattern=r"^[0-9a-f]{8}$")
    grad: Column | None = Field(
        default=None, description="norm of the pair's gradient, where A and B are not told apart"
    )
    grad_a: Column | None = Field(default=None, description="gradient norm of A, unscaled and accumulated")
    grad_b: Column | None = None
    update: Column | None = Field(default=None, description="norm of what A and B together changed by")
    ratio: Column | None = Field(default=None, description="update over the norm of A and B")
    rank: Column | None = Field(default=None, description="effective rank of BA")
    update_steps: int = Field(default=1, ge=0, description="optimizer steps that the update spans")
    learning_rate: Number | None = None


class Evaluation(_Model):
    """An evaluation on held-out data; further numbers are series of their own."""

    step: Step
    eval_loss: Number | None = None


class FixedEval(_Model):
    """An evaluation on a fixed set."""

    step: Step
    em: Number | None = Field(default=None, description="exact match, share")
    ce: Number | None = Field(default=None, description="cross-entropy of the right answer, nats per token")
    ece: Number | None = Field(default=None, description="expected calibration error, 15 equal bins")
    ece_expected: Number | None = Field(default=None, description="what a calibrated model would score at this n")
    n: int = Field(ge=0, description="examples")
    trend: Literal["improving", "stable", "degrading", "unknown"] | None = None


class PatternHeatmap(_Model):
    """Right answers by task pattern (rows) and answer length (columns), since the process began."""

    step: Step | None = None
    patterns: list[str]
    lengths: list[str] = Field(description="names of the length buckets, shortest first")
    correct: list[list[Annotated[int, Field(ge=0)]]]
    n: list[list[Annotated[int, Field(ge=0)]]]

    @model_validator(mode="after")
    def _fits(self) -> PatternHeatmap:
        for name, table in (("correct", self.correct), ("n", self.n)):
            if len(table) != len(self.patterns) or any(len(row) != len(self.lengths) for row in table):
                raise ValueError(f"{name} is no table of {len(self.patterns)} patterns by {len(self.lengths)} lengths")
        return self


class CheckpointSaved(_Model):
    """A checkpoint was written."""

    step: Step
    path: str
    bytes: int | None = None


Amount = Annotated[float, Field(ge=0)]


class ProcessUse(_Model):
    """The process that trains. Rates are over the time since the sample before."""

    cpu_percent: Amount | None = Field(default=None, description="of one core")
    rss_bytes: Amount | None = Field(default=None, description="resident memory")
    disk_read_bytes_per_s: Amount | None = Field(default=None, description="fetched from a disk, its workers included")


class WorkersUse(_Model):
    """Whatever it started: data loader workers."""

    count: Amount | None = None
    cpu_percent: Amount | None = Field(default=None, description="of one core, all together, with those that ended")
    rss_bytes: Amount | None = Field(default=None, description="added up; pages that they share count for each")
    waiting: Amount | None = Field(default=None, description="of them in uninterruptible sleep: usually for a disk")


class HostUse(_Model):
    """The whole host."""

    cpu_percent: Amount | None = Field(default=None, description="of all processors")
    iowait_percent: Amount | None = Field(default=None, description="of all processors, idle while a disk is awaited")
    io_stall_percent: Amount | None = Field(default=None, description="of time, some task waited for a disk (PSI)")
    memory_stall_percent: Amount | None = Field(default=None, description="of time, some task waited for memory (PSI)")
    load1: Amount | None = Field(default=None, description="load average of one minute")
    memory_total_bytes: Amount | None = None
    memory_available_bytes: Amount | None = None
    memory_limit_bytes: Amount | None = Field(default=None, description="of the container, where it is lower")
    limit_used_bytes: Amount | None = Field(default=None, description="what counts against that limit")
    disk_read_bytes_per_s: Amount | None = Field(default=None, description="of all disks")
    disk_write_bytes_per_s: Amount | None = None
    net_received_bytes_per_s: Amount | None = Field(default=None, description="of all interfaces but the loopback")
    net_sent_bytes_per_s: Amount | None = None


class GpuUse(_Model):
    """A GPU that the process may use, or a MIG slice of one."""

    index: int = Field(ge=0, description="NVML's number of the GPU")
    uuid: str | None = None
    mig_instance: int | None = Field(default=None, ge=0, description="the slice; only memory is its own")
    util_percent: Amount | None = None
    memory_used_bytes: Amount | None = None
    memory_total_bytes: Amount | None = None
    power_watts: Amount | None = None
    temperature_celsius: Amount | None = None
    sm_clock_mhz: Amount | None = None
    memory_clock_mhz: Amount | None = None
    throttle: list[str] | None = Field(default=None, description="why clocks are lowered; empty: nothing lowers them")
    allocated_peak_bytes: Amount | None = Field(default=None, description="most that PyTorch ever allocated")
    reserved_peak_bytes: Amount | None = Field(default=None, description="most that PyTorch ever reserved")


class SystemUse(_Model):
    """What the machine did when it was sampled, on a thread beside the training. What was not measured is not there."""

    step: Step | None = Field(default=None, description="the newest optimizer step; absent before the first")
    process: ProcessUse | None = None
    workers: WorkersUse | None = None
    host: HostUse | None = None
    gpus: list[GpuUse] | None = None


class AlertChange(_Model):
    """An alert of the training side fired, grew worse, recovers, or is over."""

    rule: str
    severity: Literal["info", "warning", "critical"]
    state: Literal["firing", "recovering", "resolved"]
    message: str
    step: int | None = None


class TrainEnd(_Model):
    """The process stopped training."""

    status: Literal["completed", "crashed", "interrupted"]
    step: Step | None = None
    error: str | None = None


class Dropped(_Model):
    """Rows that are missing here: they came too fast, or the disk refused them."""

    rows: int = Field(ge=1)


class _Event(BaseModel):
    model_config = ConfigDict(extra="allow")
    ts_ms: int = Field(description="milliseconds since the epoch")


class TrainStartEvent(_Event):
    """Envelope of `train_start`."""

    event: Literal["train_start"]
    payload: TrainStart


class StepEvent(_Event):
    """Envelope of `step`."""

    event: Literal["step"]
    payload: StepRow


class LoraPairsEvent(_Event):
    """Envelope of `lora_pairs`."""

    event: Literal["lora_pairs"]
    payload: LoraPairs


class LoraEvent(_Event):
    """Envelope of `lora`."""

    event: Literal["lora"]
    payload: LoraRow


class EvalEvent(_Event):
    """Envelope of `eval`."""

    event: Literal["eval"]
    payload: Evaluation


class FixedEvalEvent(_Event):
    """Envelope of `fixed_eval`."""

    event: Literal["fixed_eval"]
    payload: FixedEval


class PatternHeatmapEvent(_Event):
    """Envelope of `pattern_heatmap`."""

    event: Literal["pattern_heatmap"]
    payload: PatternHeatmap


class CheckpointEvent(_Event):
    """Envelope of `checkpoint`."""

    event: Literal["checkpoint"]
    payload: CheckpointSaved


class SystemEvent(_Event):
    """Envelope of `system`."""

    event: Literal["system"]
    payload: SystemUse


class AlertEvent(_Event):
    """Envelope of `alert`."""

    event: Literal["alert"]
    payload: AlertChange


class TrainEndEvent(_Event):
    """Envelope of `train_end`."""

    event: Literal["train_end"]
    payload: TrainEnd


class DroppedEvent(_Event):
    """Envelope of `dropped`."""

    event: Literal["dropped"]
    payload: Dropped


KnownEvent = Annotated[
    TrainStartEvent
    | StepEvent
    | LoraPairsEvent
    | LoraEvent
    | EvalEvent
    | FixedEvalEvent
    | PatternHeatmapEvent
    | CheckpointEvent
    | SystemEvent
    | AlertEvent
    | TrainEndEvent
    | DroppedEvent,
    Field(discriminator="event"),
]


class TelemetryRow(RootModel[KnownEvent]):
    """One line of `telemetry.jsonl`."""
