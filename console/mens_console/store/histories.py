"""When histories are judged: once read whole, and again where rows went in before their end."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from mens_console.store.memory import give_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.signals.alerts import AlertReducer
    from mens_console.store.run import RunState

REFOLD_S: Final = 5.0
"""Between two judgements of a run anew because rows went in before its end."""
LARGE_BYTES: Final = 8_000_000
"""A history that leaves so much behind leaves as much freed: it is given back to the system."""
TIDY_S: Final = 1.0
"""And once more so long after: by then nobody looks at a snapshot of the time before any more."""


class Histories:
    """Folds the histories of `runs`; `recall` acknowledges again what was before its alerts were judged anew."""

    def __init__(self, runs: Mapping[str, RunState], recall: Callable[[AlertReducer], None]) -> None:
        self._runs, self._recall = runs, recall
        self._tidy_at = math.inf

    def begin_again(self) -> None:
        """Put no judgement off: the clock was set back."""
        for run in self._runs.values():
            run.folded_at = float("-inf")

    def fold(self, now: float) -> None:
        """Judge what was read whole, and what had rows put in before its end (not more often than it is worth)."""
        for run in self._runs.values():
            late = run.stale_signals and now - run.folded_at >= REFOLD_S
            if (run.history or late) and run.caught_up:
                run.folded_at = now
                for _ in run.fold():
                    time.sleep(0)
                self._recall(run.signals.alerts)
                if run.nbytes > LARGE_BYTES:
                    give_back()
                    self._tidy_at = now + TIDY_S
        if now >= self._tidy_at:
            self._tidy_at = math.inf
            give_back()
