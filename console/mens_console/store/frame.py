"""All series of one run: columns from any number of sources merged into one line per metric.

Metrics that are always logged together share one `Axis`; a metric that first appears alone gets its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mens_console.signals.byvalue import ByValue
from mens_console.store.axis import Axis, Rewound, SegmentStart
from mens_console.store.columns import Column
from mens_console.store.series import Cache, SeriesView
from mens_console.store.veil import NORMS, Veil, veiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mens_console.ingest.records import Columns
    from mens_console.store.axis import Writer

MAX_METRICS = 2048
"""Series one run may have. A producer that invents a metric name a row would otherwise fill the memory."""

PRIMARY = ("loss", "eval_loss")
"""Whose segments are the run's, first match; otherwise the longest series'."""


@dataclass(slots=True, frozen=True)
class Growth(ByValue):
    """What one append did to one metric. `fresh` are the rows added at the end of its line."""

    name: str
    steps: NDArray[np.int64]
    walls: NDArray[np.float64]
    values: NDArray[np.float64]
    inserted: bool
    rewound_to: int | None


class Frame:
    """The series of one run, merged as their sources are read."""

    def __init__(self) -> None:
        self._axis_of: dict[str, Axis] = {}
        self._source: dict[str, set[str]] = {}
        self._weak: set[str] = set()
        """Metrics that have no other rows than those whose steps were counted."""
        self._caches: dict[str, tuple[tuple[int, int], Cache]] = {}
        self._veils = {name: Veil() for name in NORMS}
        self._thinned: dict[str, int] = {}
        self.dropped_metrics: set[str] = set()

    @property
    def names(self) -> list[str]:
        """Metric names in order of first appearance."""
        return list(self._axis_of)

    @property
    def axes(self) -> list[Axis]:
        """The distinct axes."""
        return list({id(a): a for a in self._axis_of.values()}.values())

    @property
    def nbytes(self) -> int:
        """Resident bytes of all columns."""
        return sum(a.nbytes for a in self.axes)

    @property
    def resident_points(self) -> int:
        """Values held in memory."""
        return sum(a.steps.n * len(a.members) for a in self.axes)

    def append(
        self, columns: Columns, writer: Writer, *, document: bool = False, weak: bool = False
    ) -> Iterator[Growth]:
        """Merge rows of one file (see `Axis.append`) and tell per metric what is new at the end of its line.

        Metrics of another rank than 0 are kept apart as ``name@rankN``. `weak` rows carry no step of their own (it was
        counted), so they only serve metrics that no other source has, and go when another one comes.
        """
        names = columns.names if not columns.rank else tuple(f"{n}@rank{columns.rank}" for n in columns.names)
        better = set() if weak else self._weak.intersection(names)
        for name in better:
            self.discard(name)
        taken = [(i, n) for i, n in enumerate(names) if self._admit(n, writer.format, weak)]
        steps = np.frombuffer(columns.steps, np.int64)
        walls = np.frombuffer(columns.walls, np.float64)
        values = {n: np.frombuffer(columns.values[i], np.float64) for i, n in taken}
        for axis, members in self._group(list(values)):
            for change in axis.append(writer, steps, walls, {n: values[n] for n in members}, document=document):
                grown = change.stop - change.start
                part = slice(change.start, change.stop)
                for name in members:
                    if name in self._thinned:
                        self._thinned[name] += grown
                    yield Growth(
                        name,
                        axis.steps.view()[part],
                        axis.walls.view()[part],
                        axis.members[name].view()[part],
                        change.inserted or name in better,
                        change.rewound_to,
                    )

    def _admit(self, name: str, origin: str, weak: bool) -> bool:
        sources = self._source.get(name)
        if sources is None:
            if len(self._source) >= MAX_METRICS:
                if len(self.dropped_metrics) < MAX_METRICS:
                    self.dropped_metrics.add(name)
                return False
            self._source[name] = {origin}
            if weak:
                self._weak.add(name)
            return True
        if weak and sources != {origin}:
            return False
        sources.add(origin)
        return True

    def _group(self, names: list[str]) -> Iterator[tuple[Axis, list[str]]]:
        """Pair the axes with the metrics of theirs among `names`; an axis only partly named is split first."""
        new = [n for n in names if n not in self._axis_of]
        if new:
            axis = Axis()
            for name in new:
                axis.members[name] = Column(np.float64)
                self._axis_of[name] = axis
        groups: dict[int, list[str]] = {}
        for name in names:
            groups.setdefault(id(self._axis_of[name]), []).append(name)
        for members in groups.values():
            axis = self._axis_of[members[0]]
            if len(members) < len(axis.members):
                axis = axis.split(set(members))
                for name in members:
                    self._axis_of[name] = axis
            yield axis, members

    def discard(self, name: str) -> None:
        """Forget a metric."""
        axis = self._axis_of.pop(name, None)
        self._source.pop(name, None)
        self._weak.discard(name)
        self._caches.pop(name, None)
        self._thinned.pop(name, None)
        if name in self._veils:
            self._veils[name] = Veil()
        if axis is not None:
            axis.members.pop(name, None)
            for piece in axis.rewound:
                piece.values.pop(name, None)

    def primary(self) -> Axis | None:
        """Return the axis that stands for the run's progress."""
        for name in PRIMARY:
            if name in self._axis_of:
                return self._axis_of[name]
        return max(self.axes, key=lambda a: a.steps.n, default=None)

    def segments(self) -> list[tuple[SegmentStart, int]]:
        """Return the run's segments: where each began, and the last step it reached."""
        axis = self.primary()
        if axis is None or not axis.segments:
            return []
        out = []
        for i, start in enumerate(axis.segments[:-1]):
            piece = axis.rewound[i] if i < len(axis.rewound) else None
            reached = int(piece.steps[-1]) if piece is not None and len(piece.steps) else axis.segments[i + 1].step
            out.append((start, reached))
        last = axis.last_step
        out.append((axis.segments[-1], last if last is not None else axis.segments[-1].step))
        return out

    def history(self, name: str) -> Iterator[Growth]:
        """Yield the metric's rows segment by segment, in the order in which they were lived through."""
        axis = self._axis_of[name]
        line, walls, values = axis.steps.view(), axis.walls.view(), axis.members[name].view()
        for i, start in enumerate(axis.segments):
            begin = int(np.searchsorted(line, start.step)) if i else 0
            later = i + 1 < len(axis.segments)
            end = int(np.searchsorted(line, axis.segments[i + 1].step)) if later else len(line)
            part = (line[begin:end], walls[begin:end], values[begin:end])
            if later and i < len(axis.rewound):
                piece = axis.rewound[i]
                part = (
                    np.concatenate([part[0], piece.steps]),
                    np.concatenate([part[1], piece.walls]),
                    np.concatenate([part[2], piece.values[name]]),
                )
            yield Growth(name, *part, inserted=False, rewound_to=start.step if i else None)

    def view(self, name: str) -> SeriesView:
        """Return a frozen view of one metric."""
        axis = self._axis_of[name]
        values = axis.members[name].view()
        drawn, rev = self._veiled(name, axis)
        version, cache = self._caches.get(name, ((-1, -1), None))
        if cache is None or version != (axis.version, rev):
            cache = Cache()
            self._caches[name] = ((axis.version, rev), cache)
        return SeriesView(
            name,
            axis.steps.view(),
            values,
            axis.walls.view(),
            max(len(values), self._thinned.get(name, 0)),
            "+".join(sorted(self._source[name])),
            tuple(_piece(name, r) for r in axis.rewound if name in r.values and len(r.steps)),
            cache,
            drawn,
        )

    def _veiled(self, name: str, axis: Axis) -> tuple[NDArray[np.float64] | None, int]:
        """Return how the metric is drawn where that is not as it was logged, and what a summary of it depends on."""
        norm = NORMS.get(name, "")
        other = self._axis_of.get(norm)
        if other is None:
            return None, 0
        veil, norms = self._veils[name], other.members[norm].view()
        shown = veil.over(axis.steps.view(), axis.members[name].view(), axis.version, other.steps.view(), norms)
        return shown, veil.rev

    def thin(self, points: int) -> None:
        """Keep about `points` rows an axis, the extremes of its metrics among them: the run went cold."""
        for axis in self.axes:
            n = axis.steps.n
            if n <= points:
                continue
            keep = worth_keeping(n, list(axis.members.values()), points)
            for name, column in axis.members.items():
                self._thinned[name] = max(n, self._thinned.get(name, 0))
                column.replace(column.view()[keep])
            axis.thin_rows(keep)


def _piece(name: str, rewound: Rewound) -> SeriesView:
    values, norms = rewound.values[name], rewound.values.get(NORMS.get(name, ""))
    drawn = None if norms is None else veiled(rewound.steps, values, rewound.steps, norms)
    return SeriesView(name, rewound.steps, values, rewound.walls, len(rewound.steps), drawn=drawn)


def worth_keeping(n: int, members: list[Column], points: int) -> NDArray[np.int64]:
    """Return which of `n` rows to keep: first, last, and each member's extremes in even stretches, some `points`."""
    stretches = max(1, points // (2 * max(1, len(members))))
    borders = np.linspace(0, n, stretches + 1).astype(np.int64)
    keep = {0, n - 1}
    for column in members:
        values = column.view()
        for a, b in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            part = values[a:b]
            if np.isnan(part).all():
                keep.add(a)
                continue
            keep.update((a + int(np.nanargmin(part)), a + int(np.nanargmax(part))))
    return np.array(sorted(keep), np.int64)
