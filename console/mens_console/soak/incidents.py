"""When a server failed: incidents, by its probes and by the requests that were due in any 10 s.

Minutes go in, one after the other; no I/O, no clock. A `Watch` is copied before minutes that may still change are fed
to it, so that they can be fed again. Times are seconds in the soak.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.load.types import HTTP
from mens_console.signals.byvalue import ByValue
from mens_console.signals.human import span
from mens_console.soak.strip import WINDOW_S, Ledger, Strip, may_be_bad, seconds_of
from mens_console.soak.types import MINUTE, PROBE_EVERY_S, Incident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.soak.strip import Second, Sum
    from mens_console.soak.types import Minute, ProbeAt

    Gap = tuple[float, float]

IN_A_ROW: Final = 3
"""Failed probes that open an incident, and good ones that close it."""
_PROBE_TAKES_S: Final = 5.0
"""The longest that a health check takes, which puts the next one off."""
_TOLD: Final = 2
_WORD: Final = 60


@dataclass(frozen=True, slots=True)
class _Open(ByValue):
    """An incident that lasts, and what had been counted when it began."""

    opened: float
    by_probes: bool
    requests: Sum
    probes: Sum


class Watch:
    """Finds incidents in minutes that are fed in order.

    One opens with `IN_A_ROW` failed probes in a row, at the first of them, or with any 10 s in which at least half of
    the requests due failed (of `LEAST_ENDED` or more that ended), at the first second therein in which that many did.
    It closes with as many good probes in a row after the last such second, at the first of them. Failed probes more
    than three intervals apart, with nobody looking between, are not in a row, and 10 s of which more than half were not
    observed are not judged; an incident that is open stays so over any time in which nobody looked.

    With `probed` False there are no probes: then one closes where its last bad second ends, once requests have ended
    well for as long as three probes take.
    """

    def __init__(self, probe_every_s: float = PROBE_EVERY_S, *, probed: bool = True) -> None:
        self._probed = probed
        self.closed: list[Incident] = []
        self._apart = IN_A_ROW * max(probe_every_s, _PROBE_TAKES_S)
        self._now: _Open | None = None
        self._failing: list[float] = []
        self._good: list[float] = []
        self._clear = 0.0
        """Where the last bad second ends."""
        self._last = 0.0
        self._strip = Strip()
        self._before: Minute | None = None
        self._skipped = False
        """Whether the last minute was not looked into, so that the strip does not hold its end."""
        self._requests, self._probes = Ledger(), Ledger()

    def copy(self) -> Watch:
        """Return a watch that goes on from here, and leaves this one as it is."""
        made = Watch(probed=self._probed)
        made.closed, made._now = self.closed[:], self._now
        made._before, made._skipped = self._before, self._skipped
        made._apart, made._clear, made._last = self._apart, self._clear, self._last
        made._failing, made._good, made._strip = self._failing[:], self._good[:], self._strip.copy()
        made._requests, made._probes = self._requests.copy(), self._probes.copy()
        return made

    def feed(self, minute: Minute, gaps: Sequence[Gap] = ()) -> None:
        """Take the next minute in; `gaps` are the times, as far as known, in which the driver did not look."""
        if self._is_calm(minute):
            if minute.probes:
                self._last = max(one.at for one in minute.probes)
            self._before, self._skipped = minute, True
            return
        if self._skipped and self._before is not None:
            self._strip = Strip()
            for one in seconds_of(self._before)[-int(WINDOW_S) :]:
                self._count(one)
        self._before, self._skipped = minute, False
        begin = minute.index * MINUTE
        blind = [gap for gap in gaps if gap[1] > begin - WINDOW_S and gap[0] < begin + MINUTE]
        seconds = seconds_of(minute)[::-1]
        for probe in sorted(minute.probes):
            while seconds and seconds[-1].at <= probe.at:
                self._second(seconds.pop(), blind)
            self._probe(probe, gaps)
        while seconds:
            self._second(seconds.pop(), blind)

    def incidents(self, gaps: Sequence[Gap] = ()) -> tuple[Incident, ...]:
        """Return all of them, oldest first; the last one may be open."""
        return (*self.closed, self._told(None, gaps)) if self._now else tuple(self.closed)

    def _is_calm(self, minute: Minute) -> bool:
        """Whether a minute, and what it follows, can neither open nor close anything."""
        if self._now is not None or self._failing or not all(one.ok for one in minute.probes):
            return False
        return not may_be_bad(self._before, minute)

    def _count(self, one: Second) -> bool:
        if one.ended:
            self._requests.add(one.at, one.ended, one.failed, one.reasons)
            self._strip.push(one)
        return one.ended > 0

    def _second(self, one: Second, blind: Sequence[Gap]) -> None:
        if not self._count(one):
            return
        bad = self._strip.bad()
        if bad is None or self._strip.unseen(blind) > WINDOW_S / 2:
            if not self._probed and self._now is not None and one.at + 1 >= self._clear + self._apart:
                self._close(self._clear, blind)
            return
        first, end = bad
        self._clear = max(self._clear, end)
        self._good = [at for at in self._good if at >= self._clear]
        if self._now is None:
            self._open(first, by_probes=False)

    def _probe(self, probe: ProbeAt, gaps: Sequence[Gap]) -> None:
        apart, self._last = probe.at - self._last > self._apart, probe.at
        if not probe.ok:
            self._good.clear()
            self._probes.add(probe.at, 1, 1, {probe.why: 1})
            if apart:
                self._failing.clear()
            self._failing.append(probe.at)
            if len(self._failing) == IN_A_ROW and (self._now is None or self._failing[0] < self._now.opened):
                self._open(self._failing[0], by_probes=self._now is None)
            del self._failing[IN_A_ROW:]
            return
        self._failing.clear()
        if self._now is None or probe.at < self._clear:
            return
        self._good.append(probe.at)
        if len(self._good) == IN_A_ROW:
            self._close(self._good[0], gaps)

    def _close(self, closed: float, gaps: Sequence[Gap]) -> None:
        self.closed.append(self._told(closed, gaps))
        self._now = None
        self._good.clear()
        self._strip.forget(closed)

    def _open(self, opened: float, *, by_probes: bool) -> None:
        self._good.clear()
        self._now = _Open(opened, by_probes, self._requests.before(opened // 1), self._probes.before(opened))

    def _told(self, closed: float | None, gaps: Sequence[Gap]) -> Incident:
        """Return the open incident as it stands, or as it closed."""
        now = self._now
        assert now is not None
        until = float("inf") if closed is None else closed
        requests = self._requests.before(until).since(now.requests)
        worst = requests  # while it lasted: what ended well until somebody looked does not thin the share out
        if self._clear > now.opened:
            worst = self._requests.before(min(until, self._clear)).since(now.requests)
        probes = self._probes.before(until).since(now.probes)
        said = [_probe_cause(probes.reasons), _request_cause(worst)]
        said = [one for one in (said if now.by_probes else said[::-1]) if one]
        away = sum(max(min(end, until) - max(start, now.opened), 0.0) for start, end in gaps)
        if away > 0:
            said.append(f"the driver was away for {span(away)} of it")
        return Incident(now.opened, closed, "; ".join(said), probes.failed, round(requests.failed / 10))


def _probe_cause(failed: Counter[str]) -> str:
    if not failed:
        return ""
    words = [safe_text(why, _WORD) for why, _ in failed.most_common(_TOLD) if why]
    return f"probes fail: {', '.join(words)}" if words else "probes fail"


def _request_cause(while_it_lasted: Sum) -> str:
    failed, ended = while_it_lasted.failed, while_it_lasted.ended
    if failed <= 0 or ended <= 0:
        return ""
    words = [safe_text(_words(why), _WORD) for why, _ in while_it_lasted.reasons.most_common(_TOLD) if why]
    return f"{100 * failed / ended:.0f} % of requests fail" + (f": {', '.join(words)}" if words else "")


def _words(reason: str) -> str:
    """Return the words of a reason without the class before them, which says no more; a status keeps its `http`."""
    kind, _, said = reason.partition(" ")
    return said if said and kind != HTTP else reason
