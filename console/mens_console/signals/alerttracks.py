"""What the reducer of alerts keeps of each alert besides its view, and when an episode of one began.

No clock and no file; how alerts go from state to state is the reducer's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mens_console.signals.alerttypes import AlertView, Observation

FLAP_S: Final = 3600.0
"""An alert that begins anew within so many seconds after it was resolved flaps."""


@dataclass(slots=True)
class Track:
    """What the reducer keeps of one alert besides its view."""

    view: AlertView | None = None
    before: AlertView | None = None
    """The resolved alert that this episode began after."""
    at: float = math.nan
    """Event time reached."""
    left: float = math.nan
    """When the condition was past its exit."""
    on: bool = False
    """Whether the condition held when last observed."""
    held: bool = False
    """Whether it was resolved as acknowledged with its run, and has not stopped since."""
    over: bool = False
    """Whether the run that has it is over."""

    def reach(self, at: float) -> None:
        """Move its time on."""
        if not at <= self.at:
            self.at = at


def flaps(before: AlertView | None, at: float) -> int:
    """Return how often an alert that begins at `at` has flapped, given the episode before it."""
    if before is None:
        return 0
    return before.flaps + (at - before.resolved_at <= FLAP_S)


def began(seen: Observation, at: float, least: float) -> float:
    """Return when a condition came to hold that is noticed at `at`: not before `least`, where that is known."""
    known = seen.began if seen.began < at else at
    return least if known < least else known
