"""A soak's directory, read as it grows: closed minutes from their file, the open ones from the journal's end.

Only reads, and never hinders the driver. What cannot be read is told in `problems`, and nothing is raised for it.
"""

# Names are ASCII of our own, in a folder whose name may hold any bytes.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.soak import minutes as files
from mens_console.soak import plan as plans
from mens_console.soak.filed import Filed
from mens_console.soak.fold import NOWHERE, Folding
from mens_console.soak.holes import Hole
from mens_console.soak.reading import Reading
from mens_console.soak.resume import feed
from mens_console.soak.standing import Standing, judge

if TYPE_CHECKING:
    from mens_console.soak.fold import Closed
    from mens_console.soak.types import Event, Minute, Plan, State

AHEAD: Final = 2 << 20
"""Bytes of the journal that are passed over where the file of minutes tells what they came to."""
OVER: Final = frozenset({"finished", "stopped", "died"})
_MOST_EVENTS: Final = 100_000


class Record:
    """What is known of a soak. One thread; no descriptor between two polls.

    `minutes` are in order and without a hole, the closed ones first: a minute whose record is damaged is made anew from
    the journal, and until that is done (`more`) those behind it are not told. A closed minute stays the same object,
    unless the files were replaced: then all are new.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.plan: Plan | None = None
        self.minutes: list[Minute] = []
        self.events: list[Event] = []
        self.problems: tuple[str, ...] = ()
        self.state: State = "unknown"
        self.why = ""
        self.more = False
        """Whether something is known to wait: poll again at once."""
        self._path = os.fspath(self.folder)
        self._filed: Filed | None = None
        self._begin()

    def _begin(self) -> None:
        self._tail: Folding | None = None
        self._reading = Reading(self._path, NOWHERE)
        self._made: dict[int, Closed] = {}
        self._closed: list[Minute] = []
        self._told: list[Event] = []
        self._hole: Hole | None = None
        self._stories: list[str] = []
        self._missing: list[str] = []

    @property
    def normal_ms(self) -> float | None:
        """The normal latency, once it is pinned (ms)."""
        return self._tail.normal_ms if self._tail else None

    @property
    def now_s(self) -> float:
        """How far the soak has come by its rows, in seconds."""
        return self._tail.now_s if self._tail else 0.0

    @property
    def far(self) -> tuple[int, int]:
        """About how many bytes of the journal were read that have to be, and how many there are."""
        return (self._reading if self._hole is None else self._hole.reading).far()

    def close(self) -> None:
        """Let go of everything that is open; what was read stays."""
        self._hole = None
        self._reading = Reading(self._path, self._reading.place)

    # ------------------------------------------------------------------ reading

    def poll(self, now: float) -> bool:
        """Read what is new; True where anything changed. `now` is wall time in seconds since the epoch."""
        self.more = False
        try:
            self.plan = self.plan or plans.read(self._path)
        except plans.PlanError as error:
            return self._stand(Standing("unknown", "there is no plan to go by"), (str(error),))
        filed = self._filed = self._filed or Filed(os.path.join(self._path, files.NAME), Folding(self.plan).last)
        fresh = filed.poll()
        if fresh is None:
            self._begin()
        read = self._read(self.plan, filed)
        if fresh is not False or read or self._hole is not None:
            self._join(self.plan, filed)
        tail = self._tail
        standing = judge(self.folder, tail, now)
        changed = self._stand(standing, self._problems(filed)) or fresh is not False or read
        if changed and tail is not None:
            over = standing.state in OVER
            self.minutes = self._closed + (tail.minutes(over=over) if self._whole else [])
            self.events = (self._told + tail.events())[-_MOST_EVENTS:]
        return changed

    def _stand(self, standing: Standing, problems: tuple[str, ...]) -> bool:
        """Take a standing over; True where it, or what is wrong, is other than before."""
        problems = (*problems, *((f"the driver: {standing.problem}",) if standing.problem else ()))
        before = (self.state, self.why, self.problems)
        self.state, self.why, self.problems = standing.state, standing.why, problems
        return before != (self.state, self.why, self.problems)

    def _read(self, plan: Plan, filed: Filed) -> bool:
        """Fold what is new in the journal, of a few megabytes at most; True where there was something."""
        newest = filed.newest
        if self._tail is None or (newest is not None and self._is_ahead(self._tail, newest)):
            self._tail = Folding(plan, newest)
            self._reading = Reading(self._path, newest.next if newest else NOWHERE)
        lines = self._reading.poll()
        for line in lines:
            for closed in feed(self._tail, line):
                self._made[closed.minute.index] = closed
        self.more |= self._reading.more
        for first, last in self._reading.missing:
            which = f"segment {first}" if first == last else f"segments {first} to {last}"
            self._missing.append(f"the journal lacks {which}: what is told nowhere else is unobserved")
        self._reading.missing.clear()
        return bool(lines)

    def _is_ahead(self, tail: Folding, newest: Closed) -> bool:
        place = self._reading.place
        if newest.minute.index < tail.first:
            return False
        return newest.at.segment > place.segment or newest.at.offset > place.offset + AHEAD

    # ------------------------------------------------------------------ joining

    @property
    def _whole(self) -> bool:
        """Whether all minutes that are closed are told."""
        return self._tail is not None and len(self._closed) >= self._tail.first

    def _join(self, plan: Plan, filed: Filed) -> None:
        """Go on with the closed minutes, one after the other, as far as there is no hole."""
        assert self._tail is not None
        while (index := len(self._closed)) < self._tail.first:
            closed = filed.closed.get(index) or self._made.get(index)
            if closed is not None:
                self._take(closed)
            elif not self._fill(plan, filed, index):
                self.more = True
                return
        for index in [one for one in self._made if one < len(self._closed) - 1]:
            del self._made[index]

    def _take(self, closed: Closed) -> None:
        self._closed.append(closed.minute)
        self._told += closed.events

    def _fill(self, plan: Plan, filed: Filed, index: int) -> bool:
        """Make the minutes of a hole that begins at `index`; False where that takes longer."""
        if self._hole is None:
            behind = min(one for one in (*filed.closed, *self._made) if one > index)
            before = filed.closed.get(index - 1) or self._made.get(index - 1)
            self._hole = Hole(self._path, plan, before, filed.closed.get(behind) or self._made[behind])
        self._hole.work()
        if not self._hole.done:
            return False
        for number, minute in enumerate(self._hole.minutes(), index):
            self._closed.append(minute)
            if number in self._hole.made:
                self._made[number] = self._hole.made[number]
                self._told += self._hole.made[number].events
        self._stories.append(self._hole.story)
        self._hole = None
        return True

    # ------------------------------------------------------------------ telling

    def _problems(self, filed: Filed) -> tuple[str, ...]:
        told = [one for one in (filed.problem, self._reading.problem) if one]
        if filed.refused:
            others = f" ({filed.refused} such lines)" if filed.refused > 1 else ""
            told.append(f"{filed.faults[0]}{others}")
        if len(self.events) >= _MOST_EVENTS:
            told.append(f"only the newest {_MOST_EVENTS} events are told")
        told += [*self._stories[-5:], *self._missing[-5:]]
        tail = self._tail
        if tail is None:
            return tuple(told)
        if not tail.now_s and (self.folder / "driver.json").exists():
            told.append("neither minutes.ndjson nor a journal tells anything: of what was done nothing is known")
        if tail.tally.bad:
            newest = f"; the newest: {tail.faults[-1]}" if tail.faults else ""
            told.append(f"the journal holds {_rows(tail.tally.bad)} that cannot be, left out{newest}")
        if tail.tally.late:
            told.append(f"{_rows(tail.tally.late)} came after their minute was closed, and are counted nowhere")
        if tail.tally.doubled:
            told.append(f"{_rows(tail.tally.doubled)} told a request a second time, and count once")
        if tail.tally.unknown:
            told.append(f"{_rows(tail.tally.unknown)} of a kind that this console does not know were left out")
        return tuple(told)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
