"""`training_status.json`: the newest state of a training, replaced whole every few seconds. `mens-training-status/1`.

Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity"; null means that nobody measured it, but a
`loss` that is null while the status is training reads as NaN, so an unknown one is left out. Fields are only added.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mens_contracts.telemetry import PatternHeatmap

Number = float | Literal["NaN", "Infinity", "-Infinity"]
Trend = Literal["improving", "stable", "degrading", "unknown"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow")


class LossPoint(_Model):
    """One loss of the recent past."""

    step: int = Field(ge=0)
    loss: Number
    lr: Number | None = None


class ActiveAlert(_Model):
    """An alert that is on."""

    severity: Literal["info", "warning", "critical"]
    rule: str
    message: str
    recommendation: str
    state: Literal["firing", "recovering"]
    since_step: int | None
    count: int = Field(ge=1, description="points that breached, over all episodes")


class LayerStats(_Model):
    """The newest figures of one adapter pair; null where not measured."""

    grad_norm: Number | None = None
    grad_a: Number | None = None
    grad_b: Number | None = None
    update_magnitude: Number | None = None
    update_ratio: Number | None = None
    effective_rank: Number | None = None
    state: Literal["active", "frozen", "unused", "dead", "vanishing", "exploding", "warming", "unknown"]


class TopLayer(_Model):
    """A pair that moves most."""

    name: str
    share: Number = Field(description="of the squared gradient norm of all pairs")


class LoraSummary(_Model):
    """How many adapter pairs do what."""

    step: int | None = None
    total_layers: int = Field(ge=0)
    active_layers: int = Field(ge=0)
    dead_layers: int = Field(ge=0)
    imbalance: Number | None = Field(default=None, description="largest over smallest gradient norm of active pairs")
    top_layers: list[TopLayer] = []


class AlertSummary(_Model):
    """How many alerts are on, by severity, and how many were and are over."""

    critical: int = Field(ge=0)
    warning: int = Field(ge=0)
    info: int = Field(ge=0)
    active: int = Field(ge=0)
    resolved: int = Field(ge=0)


class TrainingStatus(_Model):
    """The document."""

    status: Literal["idle", "training", "evaluating", "saving", "crashed", "interrupted", "completed"]
    current_step: int = Field(ge=0)
    total_steps: int | None = None
    total_epochs: Number | None = None
    epoch: Number | None = None
    loss: Number | None = None
    learning_rate: Number | None = None
    pid: int
    host: str
    timestamp: float = Field(description="seconds since the epoch; a living process renews it every few seconds")
    fixed_eval_em: Number | None = None
    fixed_eval_ce: Number | None = None
    fixed_eval_ece: Number | None = None
    fixed_eval_trend: Trend | None = None
    accuracy: Number | None = None
    accuracy_last_20: Number | None = None
    accuracy_last_50: Number | None = None
    accuracy_trend: Trend | None = None
    streaming_ce: Number | None = None
    loss_variance: Number | None = None
    token_entropy: Number | None = None
    loss_trend: Trend | None = None
    tokens_per_sec: Number | None = None
    tokens_per_sec_avg: Number | None = None
    throughput_trend: Trend | None = None
    active_alerts: list[ActiveAlert] | None = None
    alert_summary: AlertSummary | None = None
    lora_summary: LoraSummary | None = None
    lora_stats: dict[str, LayerStats] | None = Field(
        default=None, description="by module path; of more than 512 pairs those that are not well come first"
    )
    pattern_heatmap: PatternHeatmap | None = None
    train_loss_history: Annotated[list[LossPoint], Field(max_length=200)] = []
    error_type: str | None = None
    error_message: str | None = None
