"""How the points of all runs stay within the memory that the operator grants: who was not looked at goes cold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.store.run import RunState

WEIGH_S: Final = 1.0
"""Between two weighings of the points in memory."""
COLD_POINTS: Final = 512
"""Rows an axis keeps of a run that went cold."""


class Budget:
    """Keeps the points of `runs` within `limit` bytes; `restart` has a run read again from its files."""

    def __init__(self, runs: Mapping[str, RunState], limit: int, restart: Callable[[RunState], None]) -> None:
        self.grew = False
        """Whether points came since they were last weighed."""
        self._runs, self._limit, self._restart = runs, limit, restart
        self._turn = 0
        self._weighed_at = float("-inf")

    def begin_again(self) -> None:
        """Weigh at the next turn: the clock was set back."""
        self._weighed_at = float("-inf")

    def keep(self, run_id: str | None, now: float) -> None:
        """Bring back the run that is wanted, and let those nobody looked at for longest go cold until all fit."""
        wanted = self._runs.get(run_id) if run_id is not None else None
        if wanted is not None:
            self._turn += 1
            wanted.wanted_at = self._turn
            if wanted.cold:
                wanted.cold = False
                self._restart(wanted)
        if not self.grew or now - self._weighed_at < WEIGH_S:
            return
        self.grew, self._weighed_at = False, now
        total = sum(run.nbytes for run in self._runs.values())
        if total <= self._limit:
            return
        for run in sorted((r for r in self._runs.values() if not r.history and r is not wanted), key=_warmth):
            if total <= self._limit:
                break
            before = run.nbytes
            run.chill(COLD_POINTS)
            total -= before - run.nbytes


def _warmth(run: RunState) -> tuple[float, float]:
    updated = run.updated_at
    return run.wanted_at, updated if updated == updated else 0.0
