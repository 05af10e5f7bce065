"""What is known about a run from outside its metrics: the facts that a diagnosis rests on.

Plain values that the engine fills in; nothing here looks anything up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from mens_console.signals.byvalue import ByValue
from mens_console.signals.cadence import Cadence
from mens_console.signals.system import Lately, SystemSample

State = Literal[
    "waiting", "running", "slow", "stalled", "hung", "saving", "evaluating", "finished",
    "killed", "crashed", "out_of_memory", "disk_full", "diverged", "unknown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProcessFact(ByValue):
    """A process that was matched to the run, as last looked at.

    `status` is the kernel's word (``running``, ``sleeping``, ``disk-sleep``, ``stopped``, ``zombie``), `cpu_percent`
    of one core since the look before (None unknown), `reason` says what tied it to the run.
    """

    pid: int
    alive: bool
    status: str = ""
    cpu_percent: float | None = None
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ErrorFact(ByValue):
    """An error that a log or a status file of the run reported.

    Kinds with a meaning of their own are ``oom``, ``disk``, ``killed``, ``device`` and ``traceback``; any other is an
    error.
    """

    kind: str
    message: str
    wall: float = math.nan
    at_step: int | None = None
    after_last_row: bool = False


@dataclass(frozen=True, slots=True)
class EndMarker(ByValue):
    """The producer's own word that the run ended. `stale` when rows of a later attempt follow it."""

    text: str
    wall: float = math.nan
    stale: bool = False


@dataclass(frozen=True, slots=True)
class NanFact:
    """Non-finite (or hidden) losses at the end of the run: since which step, how many in a row."""

    since_step: int
    count: int
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class LossFact(ByValue):
    """Recent level of the loss, its best level, and for how many points in a row it has been above 3 × that."""

    recent: float
    best: float
    points_above: int
    since_step: int | None = None


@dataclass(frozen=True, slots=True)
class RateFact(ByValue):
    """Rate of progress now (median over `n` updates) and usually, in `unit` per second."""

    now: float
    usual: float
    n: int
    unit: str = "steps"


@dataclass(frozen=True, slots=True)
class Evidence(ByValue):
    """Everything `diagnose` looks at. Walls are seconds since the epoch, NaN or None where unknown.

    `last_append` is when the newest byte of any metric source was written, samples of the machine left out. `processes`
    is None when nobody looked; `process_scan_complete` says that every process of the box could be read, so that
    finding none means none. `host_matches` is None when the run does not say where it ran. `more` are finished evidence
    lines of other sensors, shown as they are.
    """

    now: float
    rows: int = 0
    last_append: float = math.nan
    last_row_wall: float = math.nan
    step: int | None = None
    total_steps: int | None = None
    cadence: Cadence = field(default_factory=Cadence)
    phase: str = ""
    phase_since: float = math.nan
    end: EndMarker | None = None
    errors: tuple[ErrorFact, ...] = ()
    processes: tuple[ProcessFact, ...] | None = None
    process_scan_complete: bool = False
    pid_seen_alive_earlier: bool = False
    host_matches: bool | None = None
    last_write_after_boot: bool = True
    nan: NanFact | None = None
    loss: LossFact | None = None
    rate: RateFact | None = None
    disk_free_bytes: float | None = None
    more: tuple[str, ...] = ()
    sample: SystemSample | None = None
    """The machine as the training last told of it."""
    lately: Lately | None = None
    """The same over the last minutes."""

    @property
    def last_sign(self) -> float:
        """Return when the run was last heard of: the newer of its last byte and its last row, NaN if never."""
        known = [wall for wall in (self.last_append, self.last_row_wall) if math.isfinite(wall)]
        return max(known) if known else math.nan

    @property
    def silence_s(self) -> float:
        """Return for how long the run has said nothing, NaN if it never spoke; never negative."""
        return max(self.now - self.last_sign, 0.0) if math.isfinite(self.last_sign) else math.nan
