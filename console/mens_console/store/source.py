"""One file that feeds a run: how far it was read, what was wrong in it, and when the training last spoke there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mens_console.ingest.records import NO_TIME, BadLine
from mens_console.store.snapshot import SourceView

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.ingest.formats.base import Format
    from mens_console.ingest.records import Batch

BAD_SAMPLES = 8
"""Bad rows of one source kept as samples."""


@dataclass(slots=True)
class SourceState:
    """How far one file was read, and what was wrong in it."""

    path: Path
    format: Format
    follow: bool = False
    rows: int = 0
    bad_rows: int = 0
    bad: list[BadLine] = field(default_factory=list)
    done: int = 0
    size: int = 0
    mtime: float = NO_TIME
    problem: str | None = None
    caught_up: bool = False
    place: int = 0
    """Its place among the files of its format: at the same step the first of them stands."""
    sampled: bool = False
    """Whether it holds samples of the machine: a file that only they make grow says nothing of progress."""
    heard: float = NO_TIME
    """When the newest thing was written that is no such sample, by the producer's clock."""
    newest: float = NO_TIME
    """When the newest thing of all was, by the same clock."""
    begun: tuple[float, str] = (0.0, "")
    """What sorts the files of a format by when they were begun."""
    before: tuple[SourceState, ...] = ()
    """The files whose history is read before its own."""

    @property
    def spoke(self) -> float:
        """When the training last said something here: its newest byte, unless that may be of a sample.

        Then as much earlier as the rows are apart: the producer's clock may be another one than this box's.
        """
        if not self.sampled:
            return self.mtime
        return self.mtime - max(self.newest - self.heard, 0.0)

    def note(self, batch: Batch) -> None:
        """Note when the training said what was read, and when that was written which only tells of the machine."""
        self.sampled |= bool(batch.system)
        for wall in (batch.heard, *(columns.walls[-1] for columns in batch.columns if len(columns))):
            self.heard = _later(self.heard, wall)
        self.newest = _later(self.newest, self.heard)
        if batch.system:
            self.newest = _later(self.newest, batch.system[-1].wall)

    def view(self) -> SourceView:
        """Return the frozen view."""
        return SourceView(
            self.path,
            self.format.name,
            self.rows,
            self.bad_rows,
            self.done,
            self.size,
            self.mtime,
            tuple(self.bad),
            self.problem,
        )


def _later(one: float, other: float) -> float:
    """Return the later of two times, of which NaN is none."""
    return other if math.isnan(one) or other > one else one
