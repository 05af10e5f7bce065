"""A minute that is being made of rows: who of its schedule was sent, what ended, what was not observed."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.load import types as load
from mens_console.load.histogram import Histogram
from mens_console.soak import rows, schedule
from mens_console.soak.gaps import Gaps
from mens_console.soak.types import MINUTE, Event, Minute, ProbeAt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.soak.types import Plan

OVERDUE_S: Final = 5.0
"""A driver that was held up sends what is overdue by less, and skips the rest."""
PATIENCE_S: Final = 30.0
"""Past the time limit of a minute's last request nothing more is waited for, though an outcome is missing."""
_BIN_S: Final = 10.0
MOST: Final = 1000
"""Probes and events of one minute; no driver makes as many."""
_COUNTERS: Final = frozenset({"server", "whitespace", "chunks"})
_REASONS: Final = 8
_REASON: Final = 60
_WHY: Final = 120
_NOTHING, _SENT, _GONE, _ENDED = range(4)


class Open:
    """One minute. Its requests are told by their numbers in its schedule."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan = plan
        self._minute = Minute(index)
        self._begin = index * MINUTE
        self._end = min(self._begin + MINUTE, plan.duration_s)
        self._due = schedule.due(plan, index)
        self._state = bytearray(len(self._due))
        self._gaps = Gaps(self._minute.latencies["itl"])
        self._ends: list[float] = []
        self._seconds = [0] * 60
        self._fails: dict[str, dict[int, int]] = {}
        self._gone: dict[int, str] = {}
        self._samples: dict[str, list[float]] = {}
        self._spans: list[tuple[float, float]] = []
        self._halt = -1.0
        self._reached = -1
        """The last request that was told to be sent: where any was, those that were not told were not sent."""
        self._patience = self._end + plan.timeout_s + PATIENCE_S
        self.events: list[Event] = []

    # ------------------------------------------------------------------ in

    def has(self, number: int, due: float) -> bool:
        """Whether a request of this number is due then."""
        return 0 <= number < len(self._due) and abs(self._due[number] - due) < 1e-3

    def request(self, row: rows.Request) -> bool:
        """Count a request that ended, and that it has; False where it was counted before."""
        if self._state[row.id[1]] == _ENDED:
            return False
        self._state[row.id[1]] = _ENDED
        minute, ten = self._minute, self._minute.tens[min(int((row.due - self._begin) / _BIN_S), 5)]
        minute.ended += 1
        ten[0] += 1
        second = min(max(int(row.due - self._begin), 0), 59)
        self._seconds[second] += 1
        lag = max((row.sent - row.due) * 1000, 0.0)
        minute.latencies["lag"].add(lag)
        if row.err is not None:
            ten[1] += 1
            error = row.err if row.err in load.ERRORS else "other"
            minute.failed[error] = minute.failed.get(error, 0) + 1
            reason = _count_reason(minute.reasons, _reason(error, row))
            fails = self._fails.setdefault(reason, {})
            fails[second] = fails.get(second, 0) + 1
        else:
            self._success(row, row.e2e or 0.0, lag)
        return True

    def _success(self, row: rows.Request, e2e: float, lag: float) -> None:
        minute = self._minute
        self._ends.append(e2e)
        minute.latencies["e2e"].add(e2e)
        minute.latencies["scheduled"].add(e2e + lag)
        if row.ttft is not None:
            minute.latencies["ttft"].add(row.ttft)
        self._gaps.add(row.gaps)
        mean = sum(row.gaps) / len(row.gaps) if row.gaps else 0.0
        if row.ttft is not None and row.ttft <= self._plan.slo_ttft_ms and mean <= self._plan.slo_itl_ms:
            minute.good += 1
        if row.tok is not None:
            by = row.by if row.by in _COUNTERS else "other"
            minute.output_tokens += row.tok
            minute.counted_by[by] = minute.counted_by.get(by, 0) + 1

    def sent(self, row: rows.Sent) -> None:
        """Note a request that was sent, and that it has."""
        self._state[row.id[1]] = max(self._state[row.id[1]], _SENT)
        self._reached = max(self._reached, row.id[1])

    def gone(self, row: rows.Gone) -> None:
        """Note a request of which nothing can be said, and why."""
        number = row.id[1]
        if self._state[number] != _ENDED:
            self._state[number] = _GONE
            self._gone[number] = row.why if row.why in rows.GONE else "other"
        self._reached = max(self._reached, number)

    def probe(self, row: rows.Look) -> None:
        """Note a health check."""
        if len(self._minute.probes) < MOST:
            self._minute.probes.append(ProbeAt(row.t, row.ok, row.ms, safe_text(row.why, _WHY)))

    def level(self, row: rows.Level) -> None:
        """Note a sample of what should stay level."""
        told = (("rss", row.rss), ("gpu_memory", row.gpu_memory), ("kv_cache", row.kv_cache))
        for name, value in told:
            if value is not None:
                self._minute.levels[name] = value
                self._samples.setdefault(name, []).append(value)

    def tell(self, event: Event) -> None:
        """Note an event; where there are too many, that is the last one."""
        if len(self.events) < MOST - 1:
            self.events.append(event)
        elif len(self.events) < MOST:
            self.events.append(Event(event.at, "warning", "more happened in this minute than is told"))

    def unseen(self, begin: float, end: float) -> None:
        """Note a time in which nothing was observed."""
        if end - begin > 0 and begin < self._end:
            self._spans.append((begin, end))

    def held(self, begin: float, end: float) -> None:
        """Note that the driver was held up: what it waited for, or sent late, is waited for from then on."""
        if begin < self._patience:
            self._patience = max(self._patience, end + self._plan.timeout_s + PATIENCE_S)

    def halted(self, at: float) -> None:
        """Note that whatever was in flight is lost: its driver ended."""
        self._halt = max(self._halt, at)

    # ------------------------------------------------------------------ out

    def settled(self, now: float, *, thorough: bool) -> bool:
        """Whether nothing more can come to a minute that is over; what takes long is looked at where `thorough`."""
        if self._minute.ended == len(self._due):
            return True
        if not thorough:
            return False
        if now >= self._patience:
            return True
        return not any(self._waits(number, now) for number in self._unended(len(self._due)))

    def minute(self, now: float, normal_ms: float | None, *, over: bool) -> Minute:
        """Return what it came to by `now`; with `over` nothing is in flight any more."""
        made = self._minute
        self._gaps.settle()
        due = bisect_right(self._due, now)
        lost = skipped = waiting = 0
        lost_by: dict[str, int] = {}
        for number in self._unended(due):
            if self._waits(number, now) and not (over or now >= self._patience):
                waiting += 1
            elif self._state[number] == _NOTHING and (self._reached >= 0 or self._covered(self._due[number])):
                skipped += 1
            else:
                lost += 1
                if why := self._gone.get(number):
                    lost_by[why] = lost_by.get(why, 0) + 1
        made.lost, made.lost_by, made.skipped = lost, lost_by, skipped
        made.due = made.ended + lost + skipped + waiting
        made.sent = made.due - skipped
        made.unobserved_s = _length(self._spans, self._begin, min(self._end, max(now, self._begin)))
        made.degraded = None if normal_ms is None else sum(e2e > 2 * normal_ms for e2e in self._ends)
        made.ranges = {name: _range(told) for name, told in self._samples.items()}
        return _copy(made, self._seconds if made.failed else [], _flat(self._fails))

    def _unended(self, until: int) -> Iterable[int]:
        state = self._state
        return (number for number in range(until) if state[number] != _ENDED)

    def _waits(self, number: int, now: float) -> bool:
        """Whether the outcome of a request may still come."""
        due = self._due[number]
        if due < self._halt:
            return False
        if self._state[number] in (_SENT, _GONE):
            return self._state[number] == _SENT
        if number < self._reached:
            return False
        covers = [end for begin, end in self._spans if begin <= due < end]
        return not covers or max(covers) - due <= OVERDUE_S

    def _covered(self, at: float) -> bool:
        return any(begin <= at < end for begin, end in self._spans)


def _reason(error: str, row: rows.Request) -> str:
    """Return the class of an error with its status, or with what was said of it."""
    detail = str(row.st) if error == load.HTTP and row.st is not None else safe_text(row.why, _REASON)
    return f"{error} {detail}".strip()


def _count_reason(reasons: dict[str, int], reason: str) -> str:
    """Count it by itself as long as there are few; return what it was counted as."""
    if reason not in reasons and len(reasons) >= _REASONS:
        reason = "other"
    reasons[reason] = reasons.get(reason, 0) + 1
    return reason


def _range(samples: list[float]) -> list[float]:
    """Return the least, the greatest, the mean between them, and the number of some samples."""
    least, greatest = min(samples), max(samples)
    return [least, greatest, min(max(sum(samples) / len(samples), least), greatest), float(len(samples))]


def _flat(fails: dict[str, dict[int, int]]) -> dict[str, list[int]]:
    return {why: [one for pair in sorted(told.items()) for one in pair] for why, told in fails.items()}


def _length(spans: list[tuple[float, float]], begin: float, end: float) -> float:
    """Return how much of `begin` to `end` some spans cover, each moment once."""
    covered, reached = 0.0, begin
    for one, other in sorted(spans):
        one, other = max(one, reached), min(other, end)
        if other > one:
            covered += other - one
            reached = other
    return round(covered, 6)


def _copy(minute: Minute, seconds: list[int], fails: dict[str, list[int]]) -> Minute:
    """Return a minute that the next row does not change; its histograms are those that go on being counted."""
    return Minute(
        minute.index, minute.due, minute.sent, minute.ended, dict(minute.failed), minute.lost, minute.skipped,
        minute.degraded, minute.good, minute.unobserved_s, minute.output_tokens, dict(minute.counted_by),
        list(minute.probes), [list(ten) for ten in minute.tens], _frozen(minute.latencies), dict(minute.levels),
        reasons=dict(minute.reasons), seconds=list(seconds), fails=fails, lost_by=minute.lost_by, ranges=minute.ranges,
    )  # fmt: skip


def _frozen(latencies: dict[str, Histogram]) -> dict[str, Histogram]:
    made = {}
    for name, histogram in latencies.items():
        made[name] = one = Histogram()
        one.merge(histogram)
    return made
