"""The pipeline of a run in stages: what each is for, and what was recorded of it. Pure data and folds over events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageState = Literal["pending", "running", "done", "underfed", "failed"]


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage as it stands.

    `started` and `ended` are seconds since the epoch, NaN where unknown; `wall_s`, `cpu_percent` (of one core) and
    `max_rss_bytes` are the command's, NaN unknown. `signal` says what must be measured for the stage to be done and
    `measured` what was. `detail` are finished lines about sub-steps.
    """

    id: str
    title: str
    state: StageState
    started: float
    ended: float
    wall_s: float
    cpu_percent: float
    max_rss_bytes: float
    exit_code: int | None
    signal: str
    measured: str
    detail: tuple[str, ...] = ()
