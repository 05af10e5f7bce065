"""When requests are due, one after the other, by the plan alone: answers hasten and delay nothing.

What to do with a slot is the driver's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mens_console.soak.schedule import due
from mens_console.soak.types import MINUTE

if TYPE_CHECKING:
    from mens_console.soak.types import Plan


class Slot(NamedTuple):
    """One request of the plan: its minute, its place therein, and when it is due (seconds in the soak)."""

    minute: int
    place: int
    due: float


class Slots:
    """The slots of a plan from a moment on, in order; `head` is the next one, None where there are no more."""

    def __init__(self, plan: Plan, since: float) -> None:
        self._plan = plan
        self._minute, self._place = max(int(since // MINUTE), 0), 0
        self._dues = due(plan, self._minute)
        self.head: Slot | None = None
        self._advance()
        self.skip(since)

    def take(self) -> Slot:
        """Return the head, and go on to the next. Raises `IndexError` where there is none."""
        slot = self.head
        if slot is None:
            raise IndexError("no slot is left")
        self._advance()
        return slot

    def skip(self, before: float) -> None:
        """Leave out all that is due before a moment."""
        if self.head is None or before <= self.head.due:
            return
        minute = int(before // MINUTE)
        if minute > self._minute:  # days may have passed: whole minutes are not drawn
            self._minute, self._place = minute, 0
            self._dues = due(self._plan, minute)
            self._advance()
        while self.head is not None and self.head.due < before:
            self._advance()

    def _advance(self) -> None:
        while self._place >= len(self._dues):
            self._minute += 1
            self._place = 0
            if self._minute * MINUTE >= self._plan.duration_s:
                self.head = None
                self._dues = []
                return
            self._dues = due(self._plan, self._minute)
        at = self._dues[self._place]
        self.head = Slot(self._minute, self._place, at) if at < self._plan.duration_s else None
        self._place += 1
