"""The driver's clock: seconds in the soak, from a clock that nobody sets and that goes on while the box is suspended.

The wall clock only says where a soak begins; after that its jumps are noticed, and move nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP_S: Final = 2.0
"""A wall clock that went this much faster or slower since it was last looked at was set."""


def steady() -> float:
    """Return seconds since the box started, suspended time included where the system tells it (Linux)."""
    return time.clock_gettime(_STEADY)


_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """Counts on from `at` seconds in the soak."""

    def __init__(self, at: float, wall: Callable[[], float] = time.time, steady: Callable[[], float] = steady) -> None:
        self.begun = at
        """Where it began, seconds in the soak."""
        self._wall, self._steady = wall, steady
        self._zero = steady() - at
        self._apart = wall() - steady()

    def now(self) -> float:
        """Return the seconds in the soak."""
        return self._steady() - self._zero

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return self._wall()

    def jump(self) -> float:
        """Return by how many seconds the wall clock was set since the last call; 0.0 where it was not."""
        apart = self._wall() - self._steady()
        moved, self._apart = apart - self._apart, apart
        return moved if abs(moved) >= JUMP_S else 0.0
