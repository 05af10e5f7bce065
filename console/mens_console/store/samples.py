"""Samples of the machine over a run's time: series beside the training's own, never among them.

They are ordered by time and say at which step they were taken. Many may be taken within one step, or none in many, so
they share no axis with metrics, and nothing about the run's progress is read from them.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.ingest.records import NO_TIME
from mens_console.signals.byvalue import ByValue
from mens_console.signals.system import LATELY_S, THROTTLED, Lately, slowed_words
from mens_console.store.columns import Column
from mens_console.store.frame import worth_keeping
from mens_console.store.series import Cache, SeriesView

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mens_console.signals.system import SystemSample

MAX_SERIES: Final = 1024
SOURCE: Final = "system"
_TAIL: Final = 1024
"""Newest samples that may count as lately."""
_MOST_SLOWED: Final = 64
"""Newest moments kept at which a GPU was slowed down anew."""


@dataclass(frozen=True, slots=True)
class Slowed(ByValue):
    """A moment at which heat or a power fault began to lower a GPU's clocks, in words."""

    step: int
    wall: float
    text: str


@dataclass(slots=True)
class _Track:
    """Figures that were always measured together: steps that never fall, wall times, and one column a figure."""

    steps: Column = field(default_factory=lambda: Column(np.int64))
    walls: Column = field(default_factory=lambda: Column(np.float64))
    members: dict[str, Column] = field(default_factory=dict)
    rewound: list[tuple[NDArray[np.int64], NDArray[np.float64], dict[str, NDArray[np.float64]]]] = field(
        default_factory=list
    )
    points: int = 0
    version: int = 0
    caches: dict[str, tuple[int, Cache]] = field(default_factory=dict)

    def extend(self, told: Sequence[SystemSample]) -> None:
        """Add samples that all hold exactly these figures."""
        steps = np.array([sample.step for sample in told], np.int64)
        walls = np.array([sample.wall for sample in told])
        values = {name: np.array([sample.values[name] for sample in told]) for name in self.members}
        # Where steps fall, the training went back: what was sampled beyond is put aside.
        falls = np.flatnonzero(np.diff(steps) < 0) + 1
        for first, stop in pairwise((0, *falls.tolist(), len(told))):
            if self.steps.n and steps[first] < self.steps.view()[-1]:
                self._rewind(int(steps[first]))
            self.steps.extend(steps[first:stop])
            self.walls.extend(walls[first:stop])
            for name, column in self.members.items():
                column.extend(values[name][first:stop])
            self.points += stop - first

    def _rewind(self, step: int) -> None:
        """Put aside what was sampled beyond `step`: the training went back to it."""
        cut = int(np.searchsorted(self.steps.view(), step, side="right"))
        parts = {name: column.view()[cut:] for name, column in self.members.items()}
        self.rewound.append((self.steps.view()[cut:], self.walls.view()[cut:], parts))
        self._keep(np.arange(cut))
        self.points = cut

    def _keep(self, rows: NDArray[np.int64]) -> None:
        for column in (self.steps, self.walls, *self.members.values()):
            column.replace(column.view()[rows])
        self.version += 1

    def split(self, names: set[str]) -> _Track:
        """Move figures to a track of their own with the same past, and return it."""
        other = _Track(Column(np.int64, self.steps.view()), Column(np.float64, self.walls.view()), points=self.points)
        other.members = {name: self.members.pop(name) for name in list(self.members) if name in names}
        for steps, walls, parts in self.rewound:
            other.rewound.append((steps, walls, {name: parts.pop(name) for name in list(parts) if name in names}))
        return other

    def thin(self, points: int) -> None:
        if self.steps.n > points:
            self._keep(worth_keeping(self.steps.n, list(self.members.values()), points))

    def view(self, name: str, began: float) -> SeriesView:
        version, cache = self.caches.get(name, (-1, None))
        if cache is None or version != self.version:
            cache = Cache()
            self.caches[name] = (self.version, cache)
        pieces = tuple(
            SeriesView(name, steps, parts[name], walls, len(steps), began=began)
            for steps, walls, parts in self.rewound
            if name in parts
        )
        return SeriesView(
            name, self.steps.view(), self.members[name].view(), self.walls.view(), self.points, SOURCE, pieces, cache,
            began=began,
        )  # fmt: skip

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return self.steps.nbytes + self.walls.nbytes + sum(column.nbytes for column in self.members.values())


class Samples:
    """All samples of one run, in the order in which they were told."""

    def __init__(self) -> None:
        self.latest: SystemSample | None = None
        self.slowed: deque[Slowed] = deque(maxlen=_MOST_SLOWED)
        self._track_of: dict[str, _Track] = {}
        self._seen: dict[str, dict[str, float]] = {}
        """When each GPU was last slowed down, for each reason…"""
        self._reasons: dict[str, tuple[str, ...]] = {}
        """…and the reasons when it last was."""

    def take(self, told: Sequence[SystemSample]) -> None:
        """Add samples."""
        for _, group in groupby(told, key=lambda sample: sample.values.keys()):
            alike = list(group)
            for track in self._tracks_for(alike[0].values):
                track.extend(alike)
        for sample in told:
            self._note(sample)
            self.latest = sample

    def _tracks_for(self, values: Mapping[str, float]) -> Iterable[_Track]:
        """Return the tracks that hold exactly these figures; one that holds others besides is split first."""
        new = [name for name in values if name not in self._track_of]
        parts: dict[str, _Track] = {}
        for name in new[: max(MAX_SERIES - len(self._track_of), 0)]:
            track = parts.setdefault(name.rpartition("/")[0], _Track())
            track.members[name] = Column(np.float64)
            self._track_of[name] = track
        groups: dict[int, tuple[_Track, set[str]]] = {}
        for name in values:
            if (known := self._track_of.get(name)) is not None:
                groups.setdefault(id(known), (known, set()))[1].add(name)
        for track, names in groups.values():
            if len(names) == len(track.members):
                yield track
                continue
            own = track.split(names)
            self._track_of.update(dict.fromkeys(names, own))
            yield own

    def _note(self, sample: SystemSample) -> None:
        """Remember the moments at which a GPU began to be slowed down, for a reason that has not held of late."""
        for gpu, reasons in sample.slowed.items():
            seen = self._seen.setdefault(gpu, {})
            fresh = [reason for reason in reasons if not sample.wall - seen.get(reason, -math.inf) <= LATELY_S]
            seen.update(dict.fromkeys(reasons, sample.wall))
            if reasons:
                self._reasons[gpu] = reasons
            if fresh:
                self.slowed.append(Slowed(sample.step, sample.wall, slowed_words(gpu, reasons)))

    def views(self, began: float) -> dict[str, SeriesView]:
        """Return the series by name, those of one GPU after the other's; `began` is the run's own begin (s)."""
        start = began if math.isfinite(began) else self._first
        return {name: self._track_of[name].view(name, start) for name in sorted(self._track_of, key=_order)}

    @property
    def _first(self) -> float:
        walls = [float(track.walls.view()[0]) for track in self._track_of.values() if track.walls.n]
        return min((wall for wall in walls if math.isfinite(wall)), default=NO_TIME)

    def lately(self, last_s: float = LATELY_S) -> Lately:
        """Return what the samples of the last `last_s` seconds before the newest one say."""
        means: dict[str, tuple[float, int]] = {}
        hot: dict[str, tuple[int, int, tuple[str, ...]]] = {}
        newest = NO_TIME if self.latest is None else self.latest.wall
        for name, track in self._track_of.items():
            tail = slice(max(track.steps.n - _TAIL, 0), None)
            recent = track.members[name].view()[tail][track.walls.view()[tail] >= newest - last_s]
            if not len(recent):
                continue
            means[name] = float(recent.mean()), len(recent)
            _, part, figure = name.split("/")
            if figure == THROTTLED:
                hot[part] = int((recent > 0.0).sum()), len(recent), self._reasons.get(part, ())
        return Lately(means, hot)

    def thin(self, points: int) -> None:
        """Keep about `points` samples a figure, extremes among them."""
        for track in self._tracks:
            track.thin(points)

    @property
    def _tracks(self) -> list[_Track]:
        return list({id(track): track for track in self._track_of.values()}.values())

    @property
    def nbytes(self) -> int:
        """Resident bytes of all columns."""
        return sum(track.nbytes for track in self._tracks)


def _order(name: str) -> tuple[int, list[int], str]:
    """Put GPUs first, by number, then the process, its workers and the host."""
    part = name.split("/")[1]
    if part.startswith("gpu"):
        return 0, [int("".join(filter(str.isdigit, piece)) or 0) for piece in part.split(".")], ""
    places = ("process", "workers", "host")
    return 1, [places.index(part) if part in places else len(places)], ""
