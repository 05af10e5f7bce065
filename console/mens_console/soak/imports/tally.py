"""Somebody else's requests, counted into the minutes of a soak and in all.

A request belongs to the minute in which it was due, or sent where that is not told. Times are seconds of any one
clock, durations milliseconds. What has no time is counted in all, and in no minute.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from mens_console.load.histogram import Histogram
from mens_console.soak.types import LATENCIES, MINUTE, Minute

MOST_MINUTES: Final = 31 * 24 * 60
"""Of one file; times that lie further apart are damaged, or in another unit."""
_LONGEST_MS: Final = MOST_MINUTES * MINUTE * 1000
_NORMAL_OF: Final = 100
"""Successes whose median end-to-end latency is the normal one."""


@dataclass(slots=True)
class Tally:
    """Requests counted so far. `began` is the time of the first that was read, `last` the greatest time seen."""

    began: float = math.nan
    last: float = math.nan
    minutes: list[Minute] = field(default_factory=list)
    totals: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in LATENCIES})
    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    tokens: int = 0
    degraded: int = 0
    normal_ms: float | None = None
    astray: int = 0
    """Requests whose times lie too far from the first to be true."""
    strange: int = 0
    """Values that are no latencies: negative, or no numbers."""
    changed: set[int] = field(default_factory=set)
    """Minutes whose counts are not what they were when they were last drawn; who draws them clears it."""
    _first: list[tuple[float, int | None]] = field(default_factory=list)
    _shared: set[int] = field(default_factory=set)
    """Minutes that somebody else holds: a copy is counted on."""
    _seconds: dict[int, list[int]] = field(default_factory=dict)
    _fails: dict[int, dict[str, dict[int, int]]] = field(default_factory=dict)
    _fresh: dict[int | None, dict[str, Histogram]] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Requests that ended, well or not."""
        return self.done + self.failed.total()

    @property
    def span_s(self) -> float | None:
        """Seconds from the first request to the greatest time seen; None where nothing carries a time."""
        return self.last - self.began if self.last >= self.began else None

    def seen(self, at: float) -> None:
        """Note that the load went on at a time."""
        if not math.isfinite(at):
            return
        if math.isnan(self.began):
            self.began = at
        if math.isnan(self.last) or self.last < at <= self.began + MOST_MINUTES * MINUTE:
            self.last = at

    def good(
        self,
        at: float,
        *,
        ttft: float | None = None,
        gaps: Iterable[float] = (),
        e2e: float | None = None,
        tokens: int | None = None,
        lag: float | None = None,
    ) -> None:
        """Count a request that succeeded, due or sent at `at` (NaN: nobody knows); latencies, and its lag, in ms."""
        minute = self._ended(at, 1, 0, "")
        self.done += 1
        if tokens:
            self.tokens += tokens
            if minute is not None:
                minute.output_tokens += tokens
        index = minute.index if minute is not None else None
        scheduled = e2e + lag if e2e is not None and lag is not None else None
        singles = (("ttft", ttft), ("e2e", e2e), ("lag", lag), ("scheduled", scheduled))
        for name, values in (*((name, (value,)) for name, value in singles), ("itl", gaps)):
            self._count(index, name, values)
        if e2e is not None and 0 <= e2e < _LONGEST_MS:
            self._judge(e2e, index)

    def bad(self, at: float, error: str, *, lag: float | None = None) -> None:
        """Count a request that failed; how late it was sent (ms) counts all the same."""
        minute = self._ended(at, 1, 1, error)
        self.failed[error] += 1
        self._count(minute.index if minute is not None else None, "lag", (lag,))
        if minute is not None:
            minute.failed[error] = minute.failed.get(error, 0) + 1

    def due(self, at: float) -> None:
        """Count a request that a schedule asked for, whatever became of it."""
        minute = self._minute(at)
        if minute is not None:
            minute.due += 1

    def many(self, at: float, ended: int, failed: int, error: str) -> None:
        """Count requests of which nothing but their number is told, `failed` of the `ended`."""
        if ended <= 0:
            return
        failed = min(max(failed, 0), ended)
        minute = self._ended(at, ended, failed, error)
        self.done += ended - failed
        if failed:
            self.failed[error] += failed
            if minute is not None:
                minute.failed[error] = minute.failed.get(error, 0) + failed

    def settle(self) -> None:
        """Bring what was counted since the last time into the minutes and the totals."""
        for index, by_name in self._fresh.items():
            for name, histogram in by_name.items():
                self.totals[name].merge(histogram)
                if index is not None:
                    self.minutes[index].latencies[name].merge(histogram)
        self._fresh.clear()

    def share(self, *, closed: bool) -> tuple[Minute, ...]:
        """Return the minutes, which never change once they were handed out; `closed` where nothing more will come."""
        for minute in self.minutes:
            if minute.closed != closed:
                self._own(minute.index).closed = closed
        for index in range(len(self.minutes)):
            if index not in self._shared and self.minutes[index].failed:
                self._tell_seconds(self.minutes[index])
        self._shared = set(range(len(self.minutes)))
        return tuple(self.minutes)

    def _tell_seconds(self, minute: Minute) -> None:
        minute.seconds = list(self._seconds.get(minute.index, ()))
        minute.fails = {
            why: [one for pair in sorted(told.items()) for one in pair]
            for why, told in self._fails.get(minute.index, {}).items()
        }

    def _count(self, index: int | None, name: str, values: Iterable[float | None]) -> None:
        histogram: Histogram | None = None
        for value in values:
            if value is None:
                continue
            if not 0 <= value < _LONGEST_MS:
                self.strange += 1
                continue
            if histogram is None:
                histogram = self._fresh.setdefault(index, {}).setdefault(name, Histogram())
            histogram.add(value)

    def _ended(self, at: float, ended: int, failed: int, error: str) -> Minute | None:
        """Count ended requests in the minute of a time and in its second, and return it."""
        self.seen(at)
        minute = self._minute(at)
        if minute is not None:
            minute.sent += ended
            minute.ended += ended
            second = min(max(int(at - self.began - minute.index * MINUTE), 0), 59)
            ten = minute.tens[second // 10]
            ten[0] += ended
            ten[1] += failed
            self._seconds.setdefault(minute.index, [0] * 60)[second] += ended
            if failed:
                told = self._fails.setdefault(minute.index, {}).setdefault(error, {})
                told[second] = told.get(second, 0) + failed
        return minute

    def _minute(self, at: float) -> Minute | None:
        if not math.isfinite(at):
            return None
        index = int((at - self.began) // MINUTE)
        if index >= MOST_MINUTES or index < -MOST_MINUTES:
            self.astray += 1
            return None
        index = max(index, 0)  # the first to end was not the first to be sent
        while len(self.minutes) <= index:
            self.minutes.append(Minute(index=len(self.minutes)))
        return self._own(index)

    def _own(self, index: int) -> Minute:
        """Return a minute that nobody else holds."""
        self.changed.add(index)
        if index in self._shared:
            self._shared.discard(index)
            self.minutes[index] = _copy(self.minutes[index])
        return self.minutes[index]

    def _judge(self, e2e: float, index: int | None) -> None:
        """Count a success as degraded where it took over twice the normal, once that is known."""
        if self.normal_ms is not None:
            self._degrade(e2e, index)
            return
        self._first.append((e2e, index))
        if len(self._first) == _NORMAL_OF:
            self.normal_ms = median(one for one, _ in self._first)
            for one, then in self._first:
                self._degrade(one, then)
            self._first.clear()

    def _degrade(self, e2e: float, index: int | None) -> None:
        slow = self.normal_ms is not None and e2e > 2 * self.normal_ms
        self.degraded += slow
        if index is not None:
            minute = self._own(index)
            minute.degraded = (minute.degraded or 0) + slow


def _copy(minute: Minute) -> Minute:
    return replace(
        minute,
        failed=dict(minute.failed),
        tens=[list(ten) for ten in minute.tens],
        latencies={name: copied(one) for name, one in minute.latencies.items()},
    )


def copied(histogram: Histogram) -> Histogram:
    """Return a histogram of the same counts that changes alone."""
    made = Histogram()
    made.merge(histogram)
    return made
