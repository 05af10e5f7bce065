"""When costly looks are due: by steps and by seconds both, and always at the first steps. No looking is done here."""

from __future__ import annotations

from typing import Final

FIRST: Final = 3
"""Steps at the start of a process that are always looked at."""


class LookCadence:
    """Grants a look to a step. Asked again about the same step it says the same.

    A look is due at the first three steps, and then once `every_steps` steps and `every_s` seconds have passed since
    the last one. Steps that fall back (a resume) and a clock that does count as having passed.
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
        granted = self._granted
        if step == granted:
            return True
        opening = 0 <= step - self._first < FIRST or 1 <= step <= FIRST
        enough = granted is None or (
            abs(step - granted) >= self._every_steps and not 0.0 <= now - self._at < self._every_s
        )
        if opening or enough:
            self._granted, self._at = step, now
            return True
        return False
