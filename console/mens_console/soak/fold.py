"""From the rows of a journal to minutes: one fold for the driver, for the one that resumes, and for every reader.

What a minute comes to depends on the rows alone, in their order, and never on when they were read: folding anew from
any closed minute's `next` gives the same minutes. Nothing here reads or writes files.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from mens_console.ingest.text import safe_text
from mens_console.soak import rows, schedule
from mens_console.soak.opened import Open
from mens_console.soak.types import MINUTE, Event

if TYPE_CHECKING:
    from mens_console.soak.types import Minute, Plan

SILENCE_S: Final = 5.0
"""A driver that lives writes at least each second: a longer silence is time in which it did not run, or was held up."""
_SLACK_S: Final = 60.0
"""No driver sends later than this, or waits for so much longer than the time limit."""
NORMAL_OF: Final = 100
"""The normal latency is the median of so many first successes."""
_TEXT: Final = 500
_WORD: Final = 40
_MOST_TRAILING: Final = 1000
_HALTS: Final = frozenset({"resume", "stop", "end"})
"""After these, nothing that was in flight before can still end."""
_ENDINGS: Final = _HALTS | {"start"}
_SPANS: Final = frozenset({"gap", "held", "resume"})


class Place(NamedTuple):
    """Where a row begins: the number of its segment, and its byte therein (unpacked)."""

    segment: int
    offset: int


NOWHERE: Final = Place(0, 0)
"""Before the first row of the first segment."""


@dataclass(slots=True)
class Tally:
    """Rows that are in no minute, by the reason."""

    bad: int = 0
    """No rows at all, or with numbers that no soak brings about."""
    unknown: int = 0
    """Of a kind that this console does not know."""
    late: int = 0
    """Of a minute that was closed before they came."""
    doubled: int = 0
    """Told a second time."""

    def copy(self) -> Tally:
        """Return one that goes its own way."""
        return Tally(self.bad, self.unknown, self.late, self.doubled)


@dataclass(slots=True)
class Closed:
    """A minute to which nothing more will come, with all that is needed to go on after it."""

    minute: Minute
    next: Place
    """Where to read on: no row of a later minute lies before it."""
    at: Place
    """The row that closed it: what lies before is counted, here or in an earlier one."""
    now: float
    """How far the soak had come before the row at `next`."""
    normal_ms: float | None = None
    firsts: list[float] = field(default_factory=list)
    """The successes of which the normal latency will be made, as long as there are too few."""
    events: list[Event] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


class Folding:
    """What the rows came to so far. `feed` each one with its place; it returns the minutes that it closed."""

    def __init__(self, plan: Plan, after: Closed | None = None) -> None:
        """Begin, or go on `after` a closed minute: then the rows from its `next` on are fed."""
        self.plan = plan
        self.last = schedule.minutes(plan) - 1
        """The index of the plan's last minute."""
        self.first = after.minute.index + 1 if after else 0
        """The index of the first minute that is not closed."""
        self.now_s = after.now if after else 0.0
        self.normal_ms = after.normal_ms if after else None
        self.firsts = list(after.firsts) if after else []
        self.tally = after.tally.copy() if after else Tally()
        self.faults: deque[str] = deque(maxlen=20)
        """The newest rows that were refused, with place and reason, safe to show."""
        self.trailing: list[Event] = []
        """Events after the plan's last minute."""
        self.ending: str | None = None
        """The kind of the newest event that began or ended a driver."""
        self._counted = after.at if after else NOWHERE
        self._open: dict[int, Open] = {}
        self._begun: dict[int, tuple[Place, float]] = {}
        self._newest = self.first - 1  # the last minute of which it is known where its rows begin

    # ------------------------------------------------------------------ in

    def feed(self, row: rows.Row | rows.Unknown, place: Place) -> list[Closed]:
        """Take one row in, and return the minutes that are closed now, ascending."""
        if isinstance(row, rows.Unknown):
            self.tally.unknown += place > self._counted
            return []
        before, at = self.now_s, row.at
        self._mark(row, place, before, at)
        if isinstance(row, rows.Request | rows.Sent | rows.Gone) and (wrong := self._misfit(row)):
            self.refuse(place, wrong)
            return []
        kind = row.kind if isinstance(row, rows.Happening) else ""
        silent = at - before > SILENCE_S
        if silent or kind == "resume":
            row = self._unseen(row, before, at, place)
        self.now_s = max(before, at)
        self._take(row, place)
        return self._close(place, thorough=bool(kind) or silent or int(self.now_s) > int(before))

    def _misfit(self, row: rows.Request | rows.Sent | rows.Gone) -> str:
        """Say why a request cannot be one of the plan; "" where it can."""
        index, number = row.id
        if index > self.last:
            return f"minute {index} is not in the plan"
        late, longest = row.sent - row.due, self.plan.timeout_s + _SLACK_S
        if late > _SLACK_S or (isinstance(row, rows.Request) and (row.e2e or 0.0) > longest * 1000):
            return f"no request is sent {late:.1f} s late, or takes longer than {longest:.0f} s"
        opened = None if index < self.first else self._open.get(index) or Open(self.plan, index)
        return "" if opened is None or opened.has(number, row.due) else f"no request {row.id} is due at {row.due}"

    def refuse(self, place: Place, why: str) -> None:
        """Count a line that is no row."""
        if place > self._counted:
            self.tally.bad += 1
            self.faults.append(f"journal {place.segment}, byte {place.offset}: {safe_text(why, 200)}")

    def _mark(self, row: rows.Row, place: Place, before: float, at: float) -> None:
        """Remember where the rows of each minute begin, and how far the soak had come there."""
        concerns = self._index(at if at > before else before)
        if isinstance(row, rows.Request | rows.Sent | rows.Gone):
            concerns = max(concerns, row.id[0])
        elif isinstance(row, rows.Happening) and row.end is not None:
            concerns = max(concerns, self._index(row.end))
        for index in range(self._newest + 1, min(concerns, self.last + 1) + 1):
            self._begun[index], self._newest = (place, before), index

    def _index(self, at: float) -> int:
        """Return the minute of a moment; the one after the last from the plan's end on."""
        return self.last + 1 if at >= self.plan.duration_s else int(at // MINUTE)

    def _take(self, row: rows.Row, place: Place) -> None:
        if isinstance(row, rows.Request):
            self._request(row, place)
        elif isinstance(row, rows.Sent):
            if opened := self._of(row.id[0], place):
                opened.sent(row)
        elif isinstance(row, rows.Gone):
            if opened := self._of(row.id[0], place):
                opened.gone(row)
        elif isinstance(row, rows.Look):
            if opened := self._after(row.t, place):
                opened.probe(row)
        elif isinstance(row, rows.Level):
            if opened := self._after(row.t, place):
                opened.level(row)
        elif isinstance(row, rows.Happening):
            self._happening(row, place)

    def _of(self, index: int, place: Place) -> Open | None:
        """Return an open minute of the plan; None, and it is counted, where the row comes too late for it."""
        if self.first <= index <= self.last:
            return self._opened(index)
        if index < self.first and place > self._counted:
            self.tally.late += 1
        return None

    def _after(self, at: float, place: Place) -> Open | None:
        """Return the minute of a moment, or where that is closed the first that is not; None where it was counted.

        A probe is told when it was answered, and belongs to when it was made: its minute may be closed by then.
        """
        index = int(at // MINUTE)
        if index < self.first and place <= self._counted:
            return None
        index = max(index, self.first)
        return self._opened(index) if index <= self.last else None

    def _opened(self, index: int) -> Open:
        if index not in self._open:
            self._open[index] = Open(self.plan, index)
        return self._open[index]

    def _request(self, row: rows.Request, place: Place) -> None:
        opened = self._of(row.id[0], place)
        if opened is None:
            return
        if not opened.request(row):
            self.tally.doubled += place > self._counted
            return
        wanted = self.normal_ms is None and len(self.firsts) < NORMAL_OF and place > self._counted
        if wanted and row.err is None and row.e2e is not None:
            self.firsts.append(row.e2e)

    # ------------------------------------------------------------------ events

    def _happening(self, row: rows.Happening, place: Place) -> None:
        if row.kind in _SPANS and row.begin is not None and row.end is not None:
            self._span(row.begin, row.end)
        if row.kind in _ENDINGS:
            self.ending = row.kind
        if row.kind in _HALTS:
            for opened in self._open.values():
                opened.halted(row.t)
        if row.kind == "normal" and row.e2e is not None and self.normal_ms is None:
            self.normal_ms = row.e2e
        self._tell(Event(row.t, safe_text(row.kind, _WORD), safe_text(row.text, _TEXT), row.begin, row.end), place)

    def _unseen(self, row: rows.Row, begin: float, end: float, place: Place) -> rows.Row:
        """Count a silence as unobserved; the row that ends it may tell so itself, and better."""
        if begin >= end:
            return row
        if isinstance(row, rows.Happening) and row.kind in _SPANS:
            if row.begin is None or row.end is None:
                return msgspec.structs.replace(row, begin=begin, end=end)
            if row.begin - begin <= SILENCE_S and end - row.end <= SILENCE_S:
                return row
        self._span(begin, end)
        text = f"nothing was recorded for {end - begin:.1f} s"
        self._tell(Event(begin, "gap", text, begin, end), place)
        return row

    def _span(self, begin: float, end: float) -> None:
        first, last = max(int(begin // MINUTE), self.first), min(int(end // MINUTE), self.last)
        for index in range(first, last + 1):
            self._opened(index).unseen(begin, end)
        for opened in self._open.values():
            opened.held(begin, end)

    def _tell(self, event: Event, place: Place) -> None:
        if opened := self._after(event.at, place):
            opened.tell(event)
        elif int(event.at // MINUTE) > self.last or place > self._counted:
            self.trailing = [*self.trailing, event][:_MOST_TRAILING]

    # ------------------------------------------------------------------ out

    @property
    def proposal(self) -> float | None:
        """The normal latency that the first successes show, until a row pins it (ms)."""
        return median(self.firsts) if self.normal_ms is None and len(self.firsts) >= NORMAL_OF else None

    @property
    def complete(self) -> bool:
        """Whether all minutes of the plan are closed."""
        return self.first > self.last

    def minutes(self, *, over: bool = False) -> list[Minute]:
        """Return what the open minutes came to so far, up to `now_s`; with `over` nothing is in flight any more."""
        until = min(self._index(self.now_s), self.last)
        return [self._opened(i).minute(self.now_s, self.normal_ms, over=over) for i in range(self.first, until + 1)]

    def events(self) -> list[Event]:
        """Return the events of the open minutes, and those after the last one."""
        told = [event for index in sorted(self._open) for event in self._open[index].events]
        return told + self.trailing

    def _close(self, place: Place, *, thorough: bool) -> list[Closed]:
        done: list[Closed] = []
        while self.first <= self.last and self.now_s >= self._end(self.first):
            opened = self._opened(self.first)
            if not opened.settled(self.now_s, thorough=thorough or bool(done)):
                break
            done.append(self._closed(opened, place))
        return done

    def _end(self, index: int) -> float:
        return min((index + 1) * MINUTE, self.plan.duration_s)

    def _closed(self, opened: Open, place: Place) -> Closed:
        index = self.first
        minute = opened.minute(self.now_s, self.normal_ms, over=True)
        minute.closed = True
        self._open.pop(index)
        self._begun.pop(index, None)
        self.first = index + 1
        following, now = self._begun.get(index + 1, (place, self.now_s))
        self._counted = max(self._counted, place)
        firsts = [] if self.normal_ms is not None else list(self.firsts)
        return Closed(minute, following, place, now, self.normal_ms, firsts, opened.events, self.tally.copy())
