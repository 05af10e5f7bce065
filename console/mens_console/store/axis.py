"""Metrics that are logged together share one axis of steps and wall times; rows of several sources meet here.

Each step stands once, with the value of the source of best precedence. A run that was resumed from a checkpoint
goes back in steps: the new line takes over from there and the overlap it rewound is kept beside it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mens_console.ingest.records import NO_TIME
from mens_console.store.columns import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_RECENT = 16
_INTERLEAVED_AFTER = 2
"""Repeated steps among the latest `_RECENT` rows that mark a source as several writers taking turns."""
_CLOCK_SLACK_S = 2.0
"""How far apart two sources may stamp the same row."""


@dataclass(slots=True, frozen=True)
class Writer:
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
class Origin:
    """How far one file has written on an axis, and which segment it is in."""

    first: int
    last_step: int
    peak: int
    segment: int = 0
    repeats: deque[bool] = field(default_factory=lambda: deque(maxlen=_RECENT))
    last_wall: float = NO_TIME
    last_row: tuple[float, ...] = ()

    @classmethod
    def at(cls, first: int) -> Origin:
        """Return a file of which nothing was read yet; its first row is at step `first`."""
        return cls(first, first - 1, first - 1)

    def join(self, other: Origin) -> None:
        """Take in how far `other` came: this one stands for all files of its format."""
        self.peak, self.segment = max(self.peak, other.peak), max(self.segment, other.segment)
        self.last_wall = float(np.fmax(self.last_wall, other.last_wall))

    @property
    def takes_turns(self) -> bool:
        """Whether several writers give themselves away by repeating steps."""
        return sum(self.repeats) >= _INTERLEAVED_AFTER

    def repeats_at(self, step: int, wall: float, row: Callable[[], tuple[float, ...]]) -> bool:
        """Whether `step`, not above the last one, is a repeat or a turn of another writer, and not a resume.

        Where writers take turns a small step back means nothing. A file that never repeated a step, and later tells
        other values at its last one, was resumed just before it; where no time tells, it is one row written twice.
        """
        if step < self.last_step:
            return self.takes_turns and self.peak - step <= _RECENT
        is_steady = len(self.repeats) == _RECENT and not any(self.repeats)
        is_later = wall > self.last_wall + _CLOCK_SLACK_S
        return not (is_steady and is_later) or row() == self.last_row

    def cut(
        self, steps: Ints, walls: Floats, values: Mapping[str, Floats], cuts: Collection[int]
    ) -> list[tuple[slice, bool]]:
        """Cut rows into parts of increasing steps; the flag says that a part begins with a resume.

        `cuts` are the steps at which others told of resumes that this file has not come to.
        """

        def row(i: int) -> tuple[float, ...]:
            return tuple(float(column[i]) for column in values.values())

        if steps[0] > self.last_step and (len(steps) == 1 or bool(np.all(np.diff(steps) > 0))):
            self.repeats.extend([False] * min(len(steps), _RECENT))
            self.last_step, self.last_row = int(steps[-1]), row(-1)
            self.peak = max(self.peak, self.last_step)
            return [(slice(0, len(steps)), False)]
        parts: list[tuple[slice, bool]] = []
        begin, rewind = 0, False
        for i, step in enumerate(steps.tolist()):
            repeat = False
            if step <= self.last_step:
                self.last_wall, self.last_row = (
                    (float(walls[i - 1]), row(i - 1)) if i else (self.last_wall, self.last_row)
                )
                repeat = self.repeats_at(step, float(walls[i]), partial(row, i))
                repeat = repeat and (self.takes_turns or not cuts or step < min(cuts))
                if i > begin:
                    parts.append((slice(begin, i), rewind))
                begin, rewind = i, not repeat
                if rewind:
                    self.peak = step
            self.repeats.append(repeat)
            self.last_step = step
            self.peak = max(self.peak, step)
        parts.append((slice(begin, len(steps)), rewind))
        self.last_row = row(-1)
        return parts


@dataclass(slots=True)
class Rewound:
    """The part of an earlier segment that a resume went back over."""

    steps: Ints
    walls: Floats
    values: dict[str, Floats]


@dataclass(slots=True, frozen=True)
class SegmentStart:
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
            k: replace(o, repeats=deque(o.repeats, maxlen=_RECENT), last_row=()) for k, o in self.origins.items()
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
        known.last_wall = _first_told(float(walls[-1]), writer.arrived, writer.written)
        changes = []
        for part, rewind in parts:
            chunk = {n: v[part] for n, v in values.items()}
            changes.append(self._merge(known, writer.rank, steps[part], walls[part], chunk, rewind))
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
        known.segment = kin.segment
        return known, _follows(kin, steps, _first_told(float(walls[0]), writer.arrived))

    def _merge(
        self, known: Origin, rank: int, steps: Ints, walls: Floats, values: dict[str, Floats], rewind: bool
    ) -> Change:
        """Merge rows whose steps increase, all of one segment of their origin."""
        first, rewound_to = int(steps[0]), None
        if not self.segments:
            self.segments.append(SegmentStart(first, float(walls[0])))
        if rewind:
            known.segment += 1
            if known.segment >= len(self.segments):
                self._cut(first)
                self.segments.append(SegmentStart(first, float(walls[0])))
                rewound_to = first
        else:
            known.segment = max(known.segment, self._segment_at(float(walls[0])))
            if known.segment == 0 and first < self.segments[0].step:
                self.segments[0] = SegmentStart(first, float(walls[0]))
        if known.segment == len(self.segments) - 1:
            before = self.steps.n
            inserted = self._upsert(rank, steps, walls, values)
            return Change(self.steps.n if inserted else before, self.steps.n, inserted, rewound_to)
        border = int(np.searchsorted(steps, self.segments[known.segment + 1].step))
        beyond = max(border, self._outlived(known.segment, steps, walls))
        gone, later = slice(border, beyond), slice(beyond, len(steps))
        self._keep_rewound(known.segment, steps[gone], walls[gone], {n: v[gone] for n, v in values.items()})
        inserted = self._upsert(rank, steps[:border], walls[:border], {n: v[:border] for n, v in values.items()})
        if beyond == len(steps):
            return Change(self.steps.n, self.steps.n, inserted, rewound_to)
        known.segment += 1
        change = self._merge(known, rank, steps[later], walls[later], {n: v[later] for n, v in values.items()}, False)
        return replace(change, inserted=inserted or change.inserted, rewound_to=rewound_to)

    def _outlived(self, segment: int, steps: Ints, walls: Floats) -> int:
        """Return the index of the first row that is of a later segment: by its time, else by how far this one came."""
        following = self.segments[segment + 1]
        if math.isfinite(following.wall) and math.isfinite(walls[-1]):
            return int(np.searchsorted(walls, following.wall - _CLOCK_SLACK_S))
        reached = self.rewound[segment].steps if segment < len(self.rewound) else steps[:0]
        if not len(reached):
            return int(np.searchsorted(steps, following.step))
        stride = int(reached[-1] - reached[-2]) if len(reached) > 1 else 1
        return int(np.searchsorted(steps, int(reached[-1]) + stride))

    def _segment_at(self, wall: float) -> int:
        """Return the segment that was being written at `wall` (0 where that cannot be told)."""
        starts = [i for i, s in enumerate(self.segments) if s.wall <= wall + _CLOCK_SLACK_S]
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

    def _cut(self, step: int) -> None:
        """Begin a new segment at `step`: what the line holds from there on is rewound."""
        line = self.steps.view()
        keep = int(np.searchsorted(line, step))
        tail = {n: c.view()[keep:].copy() for n, c in self.members.items()}
        while len(self.rewound) < len(self.segments) - 1:
            self.rewound.append(_nothing(tail))
        self.rewound.append(Rewound(line[keep:].copy(), self.walls.view()[keep:].copy(), tail))
        for column in (self.steps, self.walls, self._rank, *self.members.values()):
            column.replace(column.view()[:keep])
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


def _first_told(*walls: float) -> float:
    return next((wall for wall in walls if math.isfinite(wall)), NO_TIME)


def _follows(kin: Origin, steps: Ints, wall: float) -> bool:
    """Whether a file that begins at `wall` goes back over what its kin wrote before, and is not written beside them.

    Where no times tell, a file that begins further in than the stride of its own rows, and goes beyond what there
    was, was begun by a resume.
    """
    first = int(steps[0])
    if first > kin.peak:
        return False
    if math.isfinite(wall) and math.isfinite(kin.last_wall):
        return wall > kin.last_wall + _CLOCK_SLACK_S
    return len(steps) > 1 and first - kin.first > 2 * abs(int(steps[1]) - first) and int(steps[-1]) > kin.peak


def _nothing(members: Mapping[str, Any]) -> Rewound:
    return Rewound(np.empty(0, np.int64), np.empty(0), {n: np.empty(0) for n in members})
