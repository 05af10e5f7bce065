"""What the engine publishes: frozen views that screens and headless commands read, and nothing else does.

A view holds references into the store's columns, fenced by length, so that publishing copies no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mens_console.ingest.discover import Checkpoint
    from mens_console.ingest.records import BadLine
    from mens_console.signals.alerts import AlertView, Silence
    from mens_console.signals.checkpoints import CheckpointForecast
    from mens_console.signals.diagnosis import Diagnosis
    from mens_console.signals.generation import HealthReport
    from mens_console.signals.kpivalues import KpiReport
    from mens_console.signals.machine import MachineView
    from mens_console.signals.pairs import PairState, PairSummary, PairTable
    from mens_console.signals.run import SignalSummary
    from mens_console.signals.stages import StageView
    from mens_console.soak.types import Analysis
    from mens_console.store.series import SeriesView

GENERATION: Final = "generation"
"""What the entities of alerts about attempt logs begin with."""
SOAK: Final = "soak"
"""What the entities of alerts about soaks begin with."""

Facet = Literal["series", "state", "alerts", "sources", "facts", "layers"]
FACETS: tuple[Facet, ...] = ("series", "state", "alerts", "sources", "facts", "layers")


@dataclass(frozen=True, slots=True)
class SourceView(ByValue):
    """One file that feeds a run. `updated` is its newest byte's time; `problem` says why it cannot be read now."""

    path: Path
    format: str
    rows: int
    bad_rows: int
    bytes_read: int
    size: int
    updated: float
    bad: tuple[BadLine, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class StrayView(ByValue):
    """A log stream that belongs to no run: its folder's id, its bytes, and when it was written to (epoch s)."""

    owner: str
    path: Path
    size: int
    updated: float


@dataclass(frozen=True, slots=True)
class SegmentView(ByValue):
    """A stretch between resumes: first and last step, and when its first row was logged (NaN where unknown)."""

    start_step: int
    end_step: int
    start_wall: float


@dataclass(frozen=True, slots=True)
class Mark(ByValue):
    """A moment of the run that belongs on the axis of its charts."""

    kind: Literal["resume", "checkpoint", "eval", "throttle", "nan", "alert"]
    step: int
    wall: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of history read, of how many."""

    done: int
    total: int

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0


@dataclass(frozen=True, slots=True)
class RunView(ByValue):
    """Everything known about one run at one revision.

    `loss` and its like are the newest logged values (NaN is a value, None means never logged). `total_steps` and
    `epoch` come from whichever source said so last. `revs` counts changes by facet, so that a screen repaints only
    what moved.
    """

    id: str
    name: str
    path: Path
    rev: int
    revs: Mapping[Facet, int]
    diagnosis: Diagnosis
    signals: SignalSummary
    step: int | None
    total_steps: int | None
    epoch: float | None
    total_epochs: float | None
    series: Mapping[str, SeriesView]
    segments: tuple[SegmentView, ...]
    marks: tuple[Mark, ...]
    alerts: tuple[AlertView, ...]
    sources: tuple[SourceView, ...]
    logs: tuple[Path, ...]
    checkpoints: tuple[Checkpoint, ...]
    config: Mapping[str, str]
    status: Mapping[str, Any]
    updated_at: float
    backlog: Progress | None = None
    preview: Mapping[str, float] = field(default_factory=dict)
    """The newest values, read ahead while the history before them is still being read."""
    cold: bool = False
    layers: LayersView | None = None
    """Adapter pairs over time, None where the run tells nothing of them."""
    patterns: Mapping[str, Any] | None = None
    """Accuracy by task pattern and answer length (`mens_contracts.telemetry.PatternHeatmap`), None where unknown."""
    next_checkpoint: CheckpointForecast | None = None
    """When the next checkpoint is due and whether it fits, None for a run that saved none."""
    stages: tuple[StageView, ...] = ()
    """All stages of the pipeline once one of them was recorded."""
    spelled: Mapping[str, str] = field(default_factory=dict)
    """The producer's own names of series that have another name here, by that name."""
    place: str = ""
    """The real path that the run is known by, whichever roots are searched."""

    def last(self, metric: str) -> float | None:
        """Return the newest logged value of a metric, None if it never was."""
        if metric in self.preview:
            return self.preview[metric]
        series = self.series.get(metric)
        return series.last if series is not None and series.points else None

    def read(self, metric: str) -> float | None:
        """Return the newest value as it is to be read: NaN where a trainer logged something else for it."""
        series = self.series.get(metric)
        if metric in self.preview or series is None or not len(series.shown):
            return self.last(metric)
        return float(series.shown[-1])

    @property
    def progress(self) -> float | None:
        """Share of the steps made, None where the total is unknown; more than 1 where the producer overran it."""
        if self.step is None or not self.total_steps:
            return None
        return self.step / self.total_steps

    @property
    def moving(self) -> bool:
        """Whether the run makes progress, so that its pace says when it will end."""
        return self.diagnosis.state in MOVING_STATES

    @property
    def live(self) -> bool:
        """Whether the run may still go on."""
        return self.diagnosis.state in LIVE_STATES


MOVING_STATES = frozenset({"running", "slow", "saving", "evaluating"})
"""States in which the end can be foreseen from the pace."""
LIVE_STATES = frozenset({"running", "slow", "stalled", "hung", "saving", "evaluating", "waiting"})


@dataclass(frozen=True, slots=True)
class LayersView(ByValue):
    """Every adapter pair over time.

    `steps` and `walls` (s) have one entry a column; `values[metric]` is a float32 matrix of pairs × columns, NaN where
    nothing was measured and infinity where the value was not finite. Old columns are merged two by two as a run grows,
    keeping the larger value. `latest[metric]` is the newest look, one value a pair; `states` what each pair is doing.
    """

    rev: int
    table: PairTable
    steps: NDArray[np.int64]
    walls: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float32]]
    latest: Mapping[str, NDArray[np.float64]]
    states: tuple[PairState, ...]
    summary: PairSummary


@dataclass(frozen=True, slots=True)
class NotifierView(ByValue):
    """The heartbeat of `mens-console watch --notify`: who it is, when it last beat, and what it watches."""

    pid: int
    host: str
    beat_at: float
    roots: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HealthView:
    """Attempt logs that belong together (those of one folder, rotated ones included), counted and judged.

    `paths` in the order they are read; `rev` changes with the report. Bytes read and waiting are the report's own.
    """

    id: str
    name: str
    paths: tuple[Path, ...]
    report: HealthReport
    rev: int

    @property
    def caught_up(self) -> bool:
        """Whether all that there was when somebody looked last has been counted, but for a torn last line."""
        return not any(source.waits for source in self.report.sources)

    def owns(self, entity: str) -> bool:
        """Return whether an alert about `entity` is about these logs, or a run in them."""
        own = f"{GENERATION}:{self.id}"
        return entity == own or entity.startswith(own + "/")


@dataclass(frozen=True, slots=True)
class SoakView:
    """A soak, or what another tool recorded of one. `report` is None until something of it was read.

    `path` is the folder of its driver, or the imported file; `reading` while more of it is known to wait; `problem`
    says why nothing (or nothing more) can be read.
    """

    id: str
    path: Path
    report: Analysis | None
    rev: int
    reading: bool = False
    problem: str = ""

    @property
    def entity(self) -> str:
        """What an alert about it is about."""
        return f"{SOAK}:{self.id}"

    @property
    def caught_up(self) -> bool:
        """Whether its history was read, so that what happens in it happens now."""
        return self.report is not None and not self.reading


@dataclass(frozen=True, slots=True)
class Snapshot(ByValue):
    """All runs of the box at one revision. `scanning` until every root was searched and all history was read."""

    rev: int
    at: float
    runs: tuple[RunView, ...] = ()
    problems: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    scanning: bool = True
    replay: bool = False
    machine: MachineView | None = None
    """GPUs, host and volumes as last sampled, None before the first sample."""
    box_alerts: tuple[AlertView, ...] = ()
    """Alerts about the machine rather than a run."""
    silences: tuple[Silence, ...] = ()
    left_at: float = math.nan
    """When the console was last left on this box, NaN where it never was; what happened since is news."""
    notifier: NotifierView | None = None
    """The daemon that sends notifications, None where none was ever started."""
    by_id: Mapping[str, RunView] = field(default_factory=dict, compare=False, repr=False)
    health: tuple[HealthView, ...] = ()
    """What the attempt logs of the box say, empty where there is none."""
    kpi: KpiReport | None = None
    """What records of generation and benchmarks say, None where there is none."""
    unread: int = 0
    """Attempt logs and records of KPIs that are there and were left unread, because a short answer was wanted."""
    unread_logs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict, compare=False, repr=False)
    """The attempt logs among them, by folder."""
    soaks: tuple[SoakView, ...] = ()
    """Soaks of the box, those that still run first, then the newest."""
    strays: tuple[StrayView, ...] = ()
    """Log streams that belong to no run, such as a model server's, by path."""

    def get(self, run_id: str) -> RunView | None:
        """Return one run."""
        return self.by_id.get(run_id)


EMPTY = Snapshot(0, 0.0)
