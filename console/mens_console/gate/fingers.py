"""Whether keys come from fingers: not from before the question could be read, and no faster than anybody types.

Times are seconds of any clock that only goes forward; the terminal and the screen each have their own. Pure.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

REACTION_S: Final = 0.3
"""Nobody reads what appeared and answers it sooner; what comes earlier was meant for something else."""
BURST_KEYS: Final = 5
BURST_S: Final = 0.04
"""So many keys within that are no fingers: a fast typist has 10 a second, and a repeating key 30."""
PAUSE_S: Final = 0.5
"""After a burst keys count again when nothing came for this long."""
EARLY: Final = "Keys from before this could be read do not count."
FAST: Final = "That came faster than anybody types: it does not count. Wait a moment, and type it."


class Fingers:
    """The times of one line's keys. Nothing counts before `begin`."""

    def __init__(self) -> None:
        self.bursting = False
        """A burst came, and has not ended yet."""
        self._since = math.inf
        self._times: deque[float] = deque(maxlen=BURST_KEYS - 1)

    def close(self) -> None:
        """Let nothing count until `begin`."""
        self._since, self.bursting = math.inf, False
        self._times.clear()

    def begin(self, at: float) -> None:
        """Let keys count once the question, which is there from `at` on, could be read."""
        self._since = at + REACTION_S

    def counts(self, at: float) -> bool:
        """Say whether a key counts at all; one in the wake of a burst makes the wait longer."""
        if at >= self._since:
            self.bursting = False
            return True
        if self.bursting:
            self._since = at + PAUSE_S
        return False

    def too_fast(self, at: float) -> bool:
        """Take the time of a key that writes, and say whether it ends a burst: then nothing counts for a while."""
        fast = len(self._times) == BURST_KEYS - 1 and at - self._times[0] < BURST_S
        self._times.append(at)
        if fast:
            self._times.clear()
            self.bursting, self._since = True, at + PAUSE_S
        return fast
