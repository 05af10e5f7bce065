"""What sources say about a run besides numbers, and how long each saying holds.

An error or an end marker holds until the run goes on: rows after it, or a new start, void it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mens_console.ingest.records import Fact

_SLACK_S = 5.0
"""Rows stamped this much after an error may still have been on their way to disk when it struck."""
MAX_ERRORS = 64
MAX_STAGE_EVENTS = 512


@dataclass(slots=True)
class Ending:
    """An error or an end marker: what was said, by which file, and where that file was in its rows then."""

    kind: str
    text: str
    wall: float
    step: int | None
    source: Path
    rows_then: int


@dataclass(slots=True)
class RunFacts:
    """The latest of each kind of fact."""

    total_steps: int | None = None
    epoch: float | None = None
    total_epochs: float | None = None
    phase: str = ""
    phase_since: float = math.nan
    host: str = ""
    eta_s: float | None = None
    pids: set[int] = field(default_factory=set)
    config: dict[str, str] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    checkpoints: dict[int, tuple[str, float]] = field(default_factory=dict)
    finished: Ending | None = None
    errors: list[Ending] = field(default_factory=list)
    inferred: dict[Path, str] = field(default_factory=dict)
    patterns: dict[str, Any] | None = None
    stages: list[dict[str, Any]] = field(default_factory=list)
    spelled: dict[str, str] = field(default_factory=dict)
    """The producer's own names of series, where they have another here."""
    _total_rank: int = 255

    def take(self, fact: Fact, source: Path, *, rank: int, rows: int, wall: float) -> None:
        """Take in one fact of a source of precedence `rank` that had read `rows` rows, seen at `wall`."""
        when = fact.wall if not math.isnan(fact.wall) else wall
        match fact.kind:
            case "total_steps":
                if rank <= self._total_rank:
                    self.total_steps, self._total_rank = int(fact.value), rank
            case "finished" | "error" | "started":
                self._ending(fact, Ending(fact.detail or fact.kind, str(fact.value), when, fact.step, source, rows))
            case "checkpoint" if fact.step is not None:
                self.checkpoints[fact.step] = (str(fact.value), when)
            case "phase" if self.phase != fact.value:
                self.phase, self.phase_since = str(fact.value), when
            case "pid":
                self.pids.add(int(fact.value))
            case "config":
                self.config.update({str(k): str(v) for k, v in fact.value.items()})
            case "stage":
                self.stages.append(fact.value)
                if len(self.stages) > MAX_STAGE_EVENTS:  # facts go first: how a stage went is never forgotten for them
                    told = (i for i, event in enumerate(self.stages) if event.get("event") == "stage_step")
                    del self.stages[next(told, 0)]
            case "steps_inferred":
                self.inferred[source] = str(fact.value)
            case "epoch" | "total_epochs" | "eta_s" | "host" | "status" | "patterns":
                setattr(self, fact.kind, fact.value)

    def spell(self, told: Mapping[str, str]) -> None:
        """Take in how a source spells its series; the first source that tells of one is remembered."""
        for name, spelling in told.items():
            self.spelled.setdefault(name, spelling)

    def _ending(self, fact: Fact, ending: Ending) -> None:
        if fact.kind == "finished":
            self.finished = ending
        elif fact.kind == "error":
            self.errors.append(ending)
            del self.errors[:-MAX_ERRORS]
        else:  # the producer began again
            self.finished = None
            self.errors = [e for e in self.errors if e.source != ending.source]

    def notes(self) -> dict[str, str]:
        """Return what a reader of the run's numbers should know."""
        return {f"steps of {path.name}": why for path, why in self.inferred.items()}

    def rewound(self, origin_rows: int) -> None:
        """Void what ended the run before it was resumed."""
        if self.finished is not None and self.finished.rows_then < origin_rows:
            self.finished = None

    def standing_errors(self, rows: dict[Path, int], last_row_wall: float) -> list[Ending]:
        """Return the errors that nothing has followed: no more rows of their own source, none elsewhere later."""
        return [
            e
            for e in self.errors
            if rows.get(e.source, 0) <= e.rows_then
            and not (math.isfinite(e.wall) and math.isfinite(last_row_wall) and last_row_wall > e.wall + _SLACK_S)
        ]

    def standing_end(self, step: int | None) -> Ending | None:
        """Return the end marker, unless the run has gone beyond it."""
        end = self.finished
        if end is None or (end.step is not None and step is not None and step > end.step):
            return None
        return end
