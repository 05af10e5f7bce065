"""A minute that the file of minutes does not tell, made anew from the journal where its rows still are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.soak import schedule
from mens_console.soak.fold import NOWHERE, Closed, Folding
from mens_console.soak.reading import Reading
from mens_console.soak.resume import feed
from mens_console.soak.types import MINUTE, Minute

if TYPE_CHECKING:
    from mens_console.soak.types import Plan


class Hole:
    """The minutes from `first` up to `until`, which are missing between `before` and `behind`."""

    def __init__(self, folder: str, plan: Plan, before: Closed | None, behind: Closed) -> None:
        self.first = before.minute.index + 1 if before else 0
        self.until = behind.minute.index
        self.made: dict[int, Closed] = {}
        self.done = False
        self._plan, self._behind = plan, behind
        self._folding = Folding(plan, before)
        self.reading = Reading(folder, before.next if before else NOWHERE)

    def work(self) -> None:
        """Read on for a while; `done` says whether that was all."""
        lines = self.reading.poll()
        for line in lines:
            for closed in feed(self._folding, line):
                if closed.minute.index < self.until:
                    self.made[closed.minute.index] = closed
        over = self.reading.place > self._behind.at or self._folding.first >= self.until
        self.done = over or not (lines or self.reading.more)

    @property
    def story(self) -> str:
        """What became of it, for whoever reads the soak."""
        span = f"minute {self.first}" if self.until - self.first == 1 else f"minutes {self.first} to {self.until - 1}"
        unseen = sum(minute.unobserved_s >= MINUTE for minute in self.minutes())
        made = f"minutes.ndjson does not tell {span}; made anew from the journal"
        if not unseen:
            return made
        return f"{made}, in which {unseen} of them are missing too: they count as unobserved"

    def minutes(self) -> list[Minute]:
        """Return them all; one that cannot be made is unobserved, and nothing is known of its requests."""
        return [
            self.made[index].minute if index in self.made else unknown(self._plan, index)
            for index in range(self.first, self.until)
        ]


def unknown(plan: Plan, index: int) -> Minute:
    """Return a minute of which no record is left: what was due in it is neither good nor bad."""
    due = len(schedule.due(plan, index))
    length = min((index + 1) * MINUTE, plan.duration_s) - index * MINUTE
    return Minute(index, due=due, sent=due, lost=due, unobserved_s=length, closed=True)
