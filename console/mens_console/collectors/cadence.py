"""When costly looks are due: by steps and by seconds both, more often while a run is young. No looking is done here."""

from __future__ import annotations

from typing import Final

FIRST: Final = 3
"""Steps at the start of a process that are always looked at."""
GROWTH: Final = 1.5
"""A run this many times as long as at its last look need not wait for the seconds: a dozen looks more in 1000 steps."""


class LookCadence:
    """Grants a look to a step. Asked again about the same step it says the same.

    A look is due at the first three steps, and then once `every_steps` steps have passed since the last one, and
    either `every_s` seconds too or half as many steps again as were made until then: so quick steps are looked at
    early in a run, and ever more seldom. Steps that fall back (a resume) and a clock that does count as having passed.
    """

    def __init__(self, every_steps: int, every_s: float) -> None:
        self._every_steps = max(every_steps, 1)
        self._every_s = every_s
        self._first: int | None = None
        self._granted: int | None = None
        self._at = 0.0

    def due(self, step: int, now: float) -> bool:
        """Say whether to look at `step`; `now` is in seconds."""
        if self._first is None:
            self._first = step
        if step == self._granted:
            return True
        if not self._opening(step, self._first) and not self._enough(step, self._first, now):
            return False
        self._granted, self._at = step, now
        return True

    @staticmethod
    def _opening(step: int, first: int) -> bool:
        return 0 <= step - first < FIRST or 1 <= step <= FIRST

    def _enough(self, step: int, first: int, now: float) -> bool:
        granted = self._granted
        if granted is None:
            return True
        if abs(step - granted) < self._every_steps:
            return False
        young = step - first >= GROWTH * (granted - first) > 0
        return young or not 0.0 <= now - self._at < self._every_s
