"""Which views of runs are out of date, and in which order they are made anew: those in sight first, others in turn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.signals.stages import stage_views
from mens_console.store.probe import lives
from mens_console.store.view import view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mens_console.store.desk import Desk
    from mens_console.store.run import RunState
    from mens_console.store.snapshot import RunView

VIEWS_PER_S: Final = 50
"""Views of runs out of sight rebuilt in a second: each costs some 200 µs, and thousands of runs may move at once."""

ASK_S: Final = 2.0
"""Between two questions whether stages that are shown as running still do: one that was killed says nothing more."""


class Views:
    """The frozen views of `runs` by id; `desk` dresses their alerts."""

    def __init__(self, runs: Mapping[str, RunState], desk: Desk) -> None:
        self.by_id: dict[str, RunView] = {}
        self.wanted: str | None = None
        """The run that is being looked at."""
        self.in_sight: frozenset[str] = frozenset()
        """It and the others on the screen."""
        self._runs, self._desk = runs, desk
        self._made_at = self._asked_at = float("-inf")
        self._turn = 0

    def want(self, run_id: str | None, in_sight: Iterable[str]) -> None:
        """Learn what is being looked at."""
        self.wanted = run_id
        self.in_sight = frozenset(in_sight) | ({run_id} if run_id is not None else set())

    def begin_again(self) -> None:
        """Put no view off: the clock was set back."""
        self._made_at = self._asked_at = float("-inf")

    def drop(self, run_id: str) -> bool:
        """Forget a view; True where there was one."""
        return self.by_id.pop(run_id, None) is not None

    def renew(self, now: float, *, hurried: bool) -> bool:
        """Make views anew, as many as are worth it or, `hurried`, all; True where any changed."""
        changed = False
        if now - self._asked_at >= ASK_S:
            self._asked_at = now
            self._ask_after_stages()
        room = math.inf if hurried else VIEWS_PER_S * min(now - self._made_at, 1.0)
        for run in self._stale():
            run_id = run.found.id
            if not run.shown(now):
                changed |= self.drop(run_id)
            elif room <= 0 and run_id not in self.in_sight and run_id in self.by_id:
                break
            else:
                self.by_id[run_id] = view(run, now, self._desk.dress, lives)
                run.dirty = False
                changed, self._made_at = True, now
                room -= 1
        return changed

    def _ask_after_stages(self) -> None:
        """Have those views made anew in which a stage runs that runs no more."""
        for run_id, shown in self.by_id.items():
            run = self._runs.get(run_id)
            if run is not None and any(stage.state == "running" for stage in shown.stages):
                found = stage_views(run.facts.stages, lives)
                if [stage.state for stage in found] != [stage.state for stage in shown.stages]:
                    run.touch("state")

    def _stale(self) -> Iterator[RunState]:
        """Yield the runs whose views are out of date: those in sight, then the others in turn."""
        for run_id in self.in_sight:
            if run_id in self._runs and self._runs[run_id].dirty:
                yield self._runs[run_id]
        runs, start = list(self._runs.values()), self._turn
        for i in range(start, start + len(runs)):
            run = runs[i % len(runs)]
            if run.dirty:
                yield run
                self._turn = i % len(runs)
