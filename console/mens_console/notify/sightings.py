"""The alerts of a snapshot, whose they are, which of them are history, and what changed between two snapshots.

Pure bookkeeping over snapshots; nothing is sent, written or printed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mens_console.signals.alerts import AlertState
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mens_console.signals.alerts import AlertView
    from mens_console.store.snapshot import Snapshot

ON: Final = frozenset({AlertState.FIRING, AlertState.RECOVERING})
_DATED: Final = 1_000_000_000.0
"""An event time before 2001 is a stopwatch's, and tells nothing of when it was."""

Key = tuple[str, str]
"""Place and rule: what an alert is known by across restarts and roots."""
Kind = Literal["standing", "firing", "escalated", "recovering", "resolved", "acknowledged"]


@dataclass(frozen=True, slots=True)
class Sighting(ByValue):
    """An alert as a snapshot has it.

    `owner` is the absolute path of its run, "" for the machine; `run` the run's name and `run_id` its id; `heard` when
    the run's newest byte was written (s, NaN unknown).
    """

    view: AlertView
    owner: str
    run: str
    run_id: str
    heard: float

    @property
    def key(self) -> Key:
        """What the alert is known by."""
        return self.view.place or self.owner or self.view.entity, self.view.rule

    @property
    def earlier_key(self) -> Key:
        """What earlier versions knew it by."""
        return self.owner or self.view.entity, self.view.rule

    @property
    def on(self) -> bool:
        """Say whether it fires; what recovers is not over."""
        return self.view.state in ON

    @property
    def began(self) -> float:
        """When the episode began as far as anything tells (s), NaN if nothing does.

        Rules that ask the clock date an episode when it was noticed, so the run's own last word stands if earlier.
        """
        times = [t for t in (self.view.since, self.heard) if math.isfinite(t) and t > _DATED]
        return min(times, default=math.nan)

    def quiet(self, now: float) -> bool:
        """Say whether it is silenced at `now`, or follows from another alert."""
        return bool(self.view.inhibited_by) or self.view.silenced_until > now


@dataclass(frozen=True, slots=True)
class Round:
    """One look at a snapshot: its alerts, those of them that are history, and whose alerts could be seen at all.

    `owners` are ids of runs, "" for the machine.
    """

    seen: tuple[Sighting, ...]
    standing: frozenset[Key]
    owners: frozenset[str]


class History:
    """Tells news from history.

    An alert of a run that was there before is news. Of a run that was not, it is news only if it began after
    `baseline` (s): old runs are found, copied and mounted, and what was wrong with them is known to somebody. So is
    what is `known` from before a restart.
    """

    def __init__(self, baseline: float, known: Callable[[Sighting], bool] = lambda _: False) -> None:
        self.baseline = baseline
        self._known = known
        self._present: frozenset[str] = frozenset()

    def look(self, snapshot: Snapshot) -> Round:
        """Look at a snapshot. Runs whose history is still being read are left out, and later looked at as new."""
        seen = tuple(_sightings(snapshot))
        owners = frozenset(run.id for run in snapshot.runs if run.backlog is None) | {""}
        standing = frozenset(
            s.key
            for s in seen
            if s.on and s.run_id not in self._present and (not s.began >= self.baseline or self._known(s))
        )
        # A run that is read anew, because its file was replaced, was there all the same.
        self._present |= owners
        return Round(seen, standing, owners)


def _sightings(snapshot: Snapshot) -> Iterator[Sighting]:
    for run in snapshot.runs:
        if run.backlog is None:
            owner = str(run.path)
            for view in run.alerts:
                yield Sighting(view, owner, run.name, run.id, run.updated_at)
    for view in snapshot.box_alerts:
        yield Sighting(view, "", "", "", math.nan)


@dataclass(frozen=True, slots=True)
class Transition:
    """What became of an alert; `standing` is said once of what was on before anybody looked."""

    kind: Kind
    sighting: Sighting


class Transitions:
    """Compares each round with the one before."""

    def __init__(self) -> None:
        self._before: dict[Key, Sighting] = {}
        self._recovering: set[Key] = set()
        """Alerts whose recovery was told and that did not fire anew since: wavering is not told each time."""

    def step(self, look: Round) -> list[Transition]:
        """Return what changed, in the order of the snapshot."""
        found = []
        for seen in look.seen:
            kind = _change(self._before.get(seen.key), seen, history=seen.key in look.standing)
            if kind == "recovering" and seen.key in self._recovering:
                continue
            if kind == "recovering":
                self._recovering.add(seen.key)
            elif kind is not None:
                self._recovering.discard(seen.key)
            if kind is not None:
                found.append(Transition(kind, seen))
        kept = {key: seen for key, seen in self._before.items() if seen.run_id not in look.owners}
        self._before = kept | {seen.key: seen for seen in look.seen}
        return found


def _change(before: Sighting | None, now: Sighting, *, history: bool) -> Kind | None:
    """Return what happened to one alert between two looks, None if nothing worth a line did."""
    view = now.view
    was_on = before is not None and before.on
    if before is None or not was_on:
        return ("standing" if history else "firing") if now.on else None
    if not now.on:
        if view.state is not AlertState.RESOLVED:
            return None
        acknowledged = view.latched and view.acknowledged and not before.view.acknowledged
        return "acknowledged" if acknowledged else "resolved"
    if view.severity.rank > before.view.severity.rank:
        return "escalated"
    if not _is_same_episode(before.view, view):
        return "firing"
    if view.acknowledged and not before.view.acknowledged:
        return "acknowledged"
    recovers = view.state is AlertState.RECOVERING and before.view.state is AlertState.FIRING
    return "recovering" if recovers else None


def _is_same_episode(a: AlertView, b: AlertView) -> bool:
    return a.since_step == b.since_step if b.since_step is not None else True
