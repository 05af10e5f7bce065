"""`run_summary.json`: what a run is, where it comes from and what became of it. Schema `mens-run-summary/1`.

Written at the start and at the end of a training process. Numbers that are not finite are the strings "NaN", "Infinity"
and "-Infinity"; null means unknown. Secrets in `argv` and `config` are `***`. Fields are only added.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Number = float | Literal["NaN", "Infinity", "-Infinity"]
Status = Literal["running", "completed", "crashed", "interrupted"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow")


class Pointer(_Model):
    """A file of the run."""

    path: str = Field(description="relative to the run directory")
    bytes: int = Field(ge=0)
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="null of files over 1 MiB and of files that still grow"
    )


class BestEval(_Model):
    """The evaluation with the lowest loss of this process."""

    step: int = Field(ge=0)
    eval_loss: Number


class AlertCounts(_Model):
    """Alerts of the training side at the end: on by severity, and resolved before."""

    critical: int = 0
    warning: int = 0
    info: int = 0
    active: int = 0
    resolved: int = 0


class Earlier(_Model):
    """The attempt whose summary stood here before."""

    run_id: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    status: str | None = None
    git_sha: str | None = None
    pid: int | None = None
    host: str | None = None


class RunSummary(_Model):
    """The document."""

    schema_: Literal["mens-run-summary/1"] = Field(alias="schema")
    run_id: str = Field(description="names this attempt")
    status: Status
    started_at: float = Field(description="seconds since the epoch")
    ended_at: float | None = None
    last_step: int | None = None
    total_steps: int | None = None
    total_epochs: Number | None = None
    world_size: int | None = None
    config: dict[str, str | bool | int | Number | None] = {}
    base_model: str = ""
    dataset_version: str = ""
    git_sha: str | None = Field(default=None, description="commit of the program's own work tree")
    git_dirty: bool | None = Field(default=None, description="tracked files differ from that commit")
    host: str
    pid: int
    argv: list[str] = []
    versions: dict[str, str] = Field(default={}, description="of Python and of the training libraries that were loaded")
    environment_digest: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 over the sorted name==version lines of installed distributions"
    )
    pointers: list[Pointer] = []
    final_metrics: dict[str, Number | None] = {}
    best_eval: BestEval | None = None
    alerts: AlertCounts = AlertCounts()
    error: str | None = None
    previous: Earlier | None = None
