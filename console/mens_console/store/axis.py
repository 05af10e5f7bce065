"""Metrics that are logged together share one axis of steps and wall times; rows of several sources meet here.

Each step stands once, with the value of the source of best precedence. A run that was resumed from a checkpoint
goes back in steps: the new line takes over from there and the overlap it rewound is kept beside it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mens_console.ingest.records import NO_TIME
from mens_console.signals.byvalue import ByValue
from mens_console.store.columns import Column
from mens_console.store.origin import CLOCK_SLACK_S, RECENT, Origin, first_told, follows_kin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(slots=True, frozen=True)
class Writer(ByValue):
    """Who wrote rows: a format, one file of it, and the file's precedence (lower wins).

    For rows without a time: `arrived` is when they were seen to be written, `written` when the file last was (both in
    seconds since the epoch).
    """

    format: str
    file: str
    rank: int
    arrived: float = NO_TIME
    written: float = NO_TIME


@dataclass(slots=True)
class Rewound:
    """The part of an earlier segment that a resume went back over."""

    steps: Ints
    walls: Floats
    values: dict[str, Floats]


@dataclass(slots=True, frozen=True)
class SegmentStart(ByValue):
    """Where a segment of the run's line begins."""

    step: int
    wall: float


@dataclass(slots=True)
class Change:
    """What one append did to an axis: rows `[start, stop)` are new at its end.

    `inserted` tells that rows went in before the end or changed there, `rewound_to` the step a resume went back to.
    """

    start: int
    stop: int
    inserted: bool = False
    rewound_to: int | None = None


class Axis:
    """Strictly increasing steps with their wall times, and the metrics measured at all of them."""

    __slots__ = ("_kin", "_rank", "members", "origins", "rewound", "segments", "steps", "version", "walls")

    def __init__(self) -> None:
        self.steps = Column(np.int64)
        self.walls = Column(np.float64)
        self._rank = Column(np.uint8)
        self.members: dict[str, Column] = {}
        self.origins: dict[tuple[str, str], Origin] = {}
        """How far each file of each format came."""
        self._kin: dict[str, Origin] = {}
        """The same for each format as a whole."""
        self.segments: list[SegmentStart] = []
        self.rewound: list[Rewound] = []
        self.version = 0
        """Counts the changes other than an append: whoever caches per row starts again when it moves."""

    @property
    def last_step(self) -> int | None:
        """The newest step of the line."""
        return int(self.steps.view()[-1]) if self.steps.n else None

    @property
    def nbytes(self) -> int:
        """Resident bytes of the columns and of what was rewound."""
        own = self.steps.nbytes + self.walls.nbytes + self._rank.nbytes
        kept = sum(r.steps.nbytes * (2 + len(r.values)) for r in self.rewound)
        return own + kept + sum(c.nbytes for c in self.members.values())

    def split(self, names: set[str]) -> Axis:
        """Move the metrics `names` to an axis of their own with the same history, and return it."""
        other = Axis()
        other.steps, other.walls = Column(np.int64, self.steps.view()), Column(np.float64, self.walls.view())
        other._rank = Column(np.uint8, self._rank.view())
        other.members = {n: self.members.pop(n) for n in list(self.members) if n in names}
        other.origins = {
            k: replace(o, repeats=deque(o.repeats, maxlen=RECENT), last_row=()) for k, o in self.origins.items()
        }
        other._kin = {format: replace(kin) for format, kin in self._kin.items()}
        for origin in self.origins.values():
            origin.last_row = ()
        other.segments = list(self.segments)
        for piece in self.rewound:
            moved = {n: piece.values.pop(n) for n in list(piece.values) if n in names}
            other.rewound.append(Rewound(piece.steps, piece.walls, moved))
        return other

    def thin_rows(self, keep: Ints) -> None:
        """Keep only these rows of the axis itself (its metrics are the caller's)."""
        for column in (self.steps, self.walls, self._rank):
            column.replace(column.view()[keep])
        self.version += 1

    def append(
        self, writer: Writer, steps: Ints, walls: Floats, values: Mapping[str, Floats], *, document: bool
    ) -> list[Change]:
        """Merge rows of one file in the order they were written.

        `values` holds every member. A `document` restates the current line as a whole, so its steps never mean a
        resume.
        """
        if not len(steps):
            return []
        known, follows = self._origin(writer, steps, walls)
        before = np.append(known.last_wall, walls[:-1])
        if document:
            order = np.argsort(steps, kind="stable")
            keep = order[np.append(np.diff(steps[order]) > 0, True)]
            steps, walls, values = steps[keep], walls[keep], {n: v[keep] for n, v in values.items()}
            known.last_step = known.peak = int(steps[-1])
            known.segment = max(0, len(self.segments) - 1)
            parts = [(slice(0, len(steps)), False)]
        else:
            parts = known.cut(steps, walls, values, [s.step for s in self.segments[known.segment + 1 :]])
            if follows:
                parts[0] = (parts[0][0], True)
        known.last_wall = first_told(float(walls[-1]), writer.arrived, writer.written)
        changes = []
        for part, rewind in parts:
            chunk = {n: v[part] for n, v in values.items()}
            wall = float(walls[part.start])
            if rewind:
                since = math.inf if before[part.start] > wall else wall  # a clock set back tells nothing
                rewound_to = self._rewind(known, int(steps[part.start]), wall, since)
            else:
                rewound_to = None
                self._go_on(known, int(steps[part.start]), wall)
            change = self._merge(known, writer.rank, steps[part], walls[part], chunk)
            changes.append(replace(change, rewound_to=rewound_to))
        self._kin[writer.format].join(known)
        return changes

    def _origin(self, writer: Writer, steps: Ints, walls: Floats) -> tuple[Origin, bool]:
        """Return what is known of the file, and whether it is new and the run was resumed into it."""
        known = self.origins.get((writer.format, writer.file))
        if known is not None:
            return known, False
        known = self.origins[writer.format, writer.file] = Origin.at(int(steps[0]))
        kin = self._kin.get(writer.format)
        if kin is None:
            self._kin[writer.format] = replace(known)
            return known, False
        follows = follows_kin(kin, steps, float(walls[0]), writer.arrived)
        if follows:
            known.segment = kin.segment
        return known, follows

    def _rewind(self, known: Origin, step: int, wall: float, since: float) -> int | None:
        """Enter the segment that was begun at `step` and `wall`; return the step if nobody had told of it."""
        following = known.segment + 1
        if following < len(self.segments) and not wall + CLOCK_SLACK_S < self.segments[following].wall:
            known.segment = max(following, self._segment_at(wall))
            return None
        for other in (*self.origins.values(), *self._kin.values()):
            other.segment += other is not known and other.segment >= following
        known.segment = following
        self._cut(following, step, since)
        self.segments.insert(following, SegmentStart(step, wall))
        return step

    def _go_on(self, known: Origin, step: int, wall: float) -> None:
        """Enter the segment that was being written at `wall`."""
        if not self.segments:
            self.segments.append(SegmentStart(step, wall))
        known.segment = max(known.segment, self._segment_at(wall))
        if known.segment == 0 and step < self.segments[0].step:
            self.segments[0] = SegmentStart(step, wall)

    def _merge(self, known: Origin, rank: int, steps: Ints, walls: Floats, values: dict[str, Floats]) -> Change:
        """Merge rows whose steps increase, from the segment of their origin on."""
        if known.segment == len(self.segments) - 1:
            before = self.steps.n
            inserted = self._upsert(rank, steps, walls, values)
            return Change(self.steps.n if inserted else before, self.steps.n, inserted)
        border = int(np.searchsorted(steps, min(later.step for later in self.segments[known.segment + 1 :])))
        beyond = max(border, self._outlived(known.segment, steps, walls))
        gone, later = slice(border, beyond), slice(beyond, len(steps))
        self._keep_rewound(known.segment, steps[gone], walls[gone], {n: v[gone] for n, v in values.items()})
        inserted = self._upsert(rank, steps[:border], walls[:border], {n: v[:border] for n, v in values.items()})
        if beyond == len(steps):
            return Change(self.steps.n, self.steps.n, inserted)
        known.segment += 1
        change = self._merge(known, rank, steps[later], walls[later], {n: v[later] for n, v in values.items()})
        return replace(change, inserted=inserted or change.inserted)

    def _outlived(self, segment: int, steps: Ints, walls: Floats) -> int:
        """Return the index of the first row that is of a later segment: by its time, else by how far this one came."""
        following = self.segments[segment + 1]
        if math.isfinite(following.wall) and math.isfinite(walls[-1]):
            return int(np.searchsorted(walls, following.wall - CLOCK_SLACK_S))
        reached = self.rewound[segment].steps if segment < len(self.rewound) else steps[:0]
        if not len(reached):
            return int(np.searchsorted(steps, following.step))
        stride = int(reached[-1] - reached[-2]) if len(reached) > 1 else 1
        return int(np.searchsorted(steps, int(reached[-1]) + stride))

    def _segment_at(self, wall: float) -> int:
        """Return the segment that was being written at `wall` (0 where that cannot be told)."""
        starts = [i for i, s in enumerate(self.segments) if s.wall <= wall + CLOCK_SLACK_S]
        return starts[-1] if starts else 0

    def _upsert(self, rank: int, steps: Ints, walls: Floats, values: dict[str, Floats]) -> bool:
        """Put rows into the line; True where that changed anything before its end."""
        if not len(steps):
            return False
        line = self.steps.view()
        if not len(line) or steps[0] > line[-1]:
            self.steps.extend(steps)
            self.walls.extend(walls)
            self._rank.extend(np.full(len(steps), rank, np.uint8))
            for name, column in self.members.items():
                column.extend(values[name])
            return False
        at = np.searchsorted(line, steps)
        there = (at < len(line)) & (line[np.minimum(at, len(line) - 1)] == steps)
        better = there.copy()
        better[there] = self._rank.view()[at[there]] >= rank
        fresh = ~there
        if not (better.any() or fresh.any()):
            return False
        self._rewrite(self.steps, at, better, fresh, steps)
        self._rewrite(self.walls, at, better & ~np.isnan(walls), fresh, walls)
        self._rewrite(self._rank, at, better, fresh, np.full(len(steps), rank, np.uint8))
        for name, column in self.members.items():
            self._rewrite(column, at, better, fresh, values[name])
        self.version += 1
        return bool(fresh.any())

    @staticmethod
    def _rewrite(column: Column, at: Ints, better: NDArray[Any], fresh: NDArray[Any], data: NDArray[Any]) -> None:
        """Overwrite the `better` rows and insert the `fresh` ones."""
        content = column.view().copy()
        content[at[better]] = data[better]
        column.replace(np.insert(content, at[fresh], data[fresh]) if fresh.any() else content)

    def _cut(self, segment: int, step: int, since: float) -> None:
        """Make room for a `segment` that begins at `step`: what the line holds from there on is rewound.

        Only what was lived before `since` is. Rows that another source told later than that are of the new segment
        already: its resume had gone unnoticed.
        """
        beyond = self.steps.view() >= step
        gone = beyond & ~(self.walls.view() >= since)
        lost = {n: c.view()[gone] for n, c in self.members.items()}
        while len(self.rewound) < segment - 1:
            self.rewound.append(_nothing(lost))
        self.rewound.insert(segment - 1, Rewound(self.steps.view()[gone], self.walls.view()[gone], lost))
        for column in (self.steps, self.walls, self._rank, *self.members.values()):
            column.replace(column.view()[~gone])
        self.version += 1

    def _keep_rewound(self, segment: int, steps: Ints, walls: Floats, values: dict[str, Floats]) -> None:
        """Add rows of an earlier segment, told by a slower source, to what was rewound."""
        while len(self.rewound) <= segment:
            self.rewound.append(_nothing(values))
        piece = self.rewound[segment]
        new = ~np.isin(steps, piece.steps)
        if not new.any():
            return
        merged = np.concatenate([piece.steps, steps[new]])
        order = np.argsort(merged, kind="stable")
        piece.steps = merged[order]
        piece.walls = np.concatenate([piece.walls, walls[new]])[order]
        piece.values = {n: np.concatenate([v, values[n][new]])[order] for n, v in piece.values.items()}
        self.version += 1


def _nothing(members: Mapping[str, Any]) -> Rewound:
    return Rewound(np.empty(0, np.int64), np.empty(0), {n: np.empty(0) for n in members})
