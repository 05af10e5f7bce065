"""When a server failed: incidents, by its probes and by the requests that were due in each 10 s.

Minutes go in, one after the other; no I/O, no clock. A `Watch` is copied before minutes that may still change are fed
to it, so that they can be fed again. Times are seconds in the soak.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.load.types import HTTP
from mens_console.signals.human import span
from mens_console.soak.types import MINUTE, PROBE_EVERY_S, Incident

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.soak.types import Minute, ProbeAt

    Gap = tuple[float, float]

IN_A_ROW: Final = 3
"""Failed probes that open an incident, and good ones that close it."""
BIN_S: Final = 10.0
LEAST_ENDED: Final = 3
"""Requests of a bin that ended, below which their share says nothing."""
BAD_SHARE: Final = 0.5
_RECENT: Final = 64
"""Entries that are kept apart: where an incident begins or ends is known some probes later."""
_TOLD: Final = 2
_WORD: Final = 60


class _Ledger:
    """Counts over time that tell what came before a moment, as long as that is not long ago."""

    __slots__ = ("recent", "total")

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.recent: deque[tuple[float, Mapping[str, int]]] = deque(maxlen=_RECENT)

    def copy(self) -> _Ledger:
        made = _Ledger()
        made.total, made.recent = self.total.copy(), self.recent.copy()
        return made

    def add(self, at: float, counts: Mapping[str, int]) -> None:
        self.total.update(counts)
        self.recent.append((at, counts))

    def before(self, moment: float) -> Counter[str]:
        made = self.total.copy()
        for at, counts in self.recent:
            if at >= moment:
                made.subtract(counts)
        return made


@dataclass(frozen=True, slots=True)
class _Open:
    """An incident that lasts, and what had been counted when it began."""

    opened: float
    by_probes: bool
    bins: Counter[str]
    probes: Counter[str]
    reasons: Counter[str]


class Watch:
    """Finds incidents in minutes that are fed in order.

    One opens with `IN_A_ROW` failed probes in a row, at the first of them, or with a bin of 10 s in which at least half
    of the requests due in it failed (of `LEAST_ENDED` or more that ended), at its beginning. It closes with as many
    good probes in a row and no bad bin since, at the first of them: a probe within a bad bin does not count. Failed
    probes more than three intervals apart, with nobody looking between, are not in a row; an incident that is open
    stays so over any time in which nobody looked.
    """

    def __init__(self, probe_every_s: float = PROBE_EVERY_S) -> None:
        self.closed: list[Incident] = []
        self._apart = IN_A_ROW * probe_every_s
        self._now: _Open | None = None
        self._failing: list[float] = []
        self._good: list[float] = []
        self._clear = 0.0
        """Where the last bad bin ends."""
        self._last = 0.0
        self._bins, self._probes, self._reasons = _Ledger(), _Ledger(), _Ledger()

    def copy(self) -> Watch:
        """Return a watch that goes on from here, and leaves this one as it is."""
        made = Watch()
        made.closed, made._now = self.closed[:], self._now
        made._apart, made._clear, made._last = self._apart, self._clear, self._last
        made._failing, made._good = self._failing[:], self._good[:]
        made._bins, made._probes, made._reasons = self._bins.copy(), self._probes.copy(), self._reasons.copy()
        return made

    def feed(self, minute: Minute, gaps: Sequence[Gap] = ()) -> None:
        """Take the next minute in; `gaps` are the times, as far as known, in which the driver did not look."""
        failures = minute.failures
        if not failures and self._now is None and not self._failing and all(one.ok for one in minute.probes):
            if minute.probes:
                self._last = max(one.at for one in minute.probes)
            return
        begin = minute.index * MINUTE
        self._reasons.add(begin, minute.reasons or minute.failed)
        bins = [(begin + i * BIN_S, ended, failed) for i, (ended, failed) in enumerate(minute.tens) if ended]
        for probe in sorted(minute.probes):
            while bins and bins[0][0] <= probe.at:
                self._bin(*bins.pop(0))
            self._probe(probe, gaps)
        for one in bins:
            self._bin(*one)

    def incidents(self, gaps: Sequence[Gap] = ()) -> tuple[Incident, ...]:
        """Return all of them, oldest first; the last one may be open."""
        return (*self.closed, self._told(None, gaps)) if self._now else tuple(self.closed)

    def _bin(self, begin: float, ended: int, failed: int) -> None:
        self._bins.add(begin, {"ended": ended, "failed": failed})
        if not _bad(ended, failed):
            return
        self._clear = max(self._clear, begin + BIN_S)
        self._good.clear()
        if self._now is None:
            self._open(begin, by_probes=False)

    def _probe(self, probe: ProbeAt, gaps: Sequence[Gap]) -> None:
        apart, self._last = probe.at - self._last > self._apart, probe.at
        if not probe.ok:
            self._good.clear()
            self._probes.add(probe.at, {probe.why: 1})
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
            self.closed.append(self._told(self._good[0], gaps))
            self._now = None
            self._good.clear()

    def _open(self, opened: float, *, by_probes: bool) -> None:
        self._good.clear()
        self._now = _Open(
            opened,
            by_probes,
            self._bins.before(opened - opened % BIN_S),
            self._probes.before(opened),
            self._reasons.before(opened - opened % MINUTE),
        )

    def _told(self, closed: float | None, gaps: Sequence[Gap]) -> Incident:
        """Return the open incident as it stands, or as it closed."""
        now = self._now
        assert now is not None
        until = float("inf") if closed is None else closed
        bins = self._bins.before(until) - now.bins
        whole = bins.copy()
        for at, told in self._bins.recent:
            if at < until < at + BIN_S and not _bad(told["ended"], told["failed"]):
                whole.subtract(told)  # it closed within that one, and had been over before
        probes = self._probes.before(until) - now.probes
        said = [
            _probe_cause(probes),
            _request_cause(whole["failed"], whole["ended"], self._reasons.before(until) - now.reasons),
        ]
        said = [one for one in (said if now.by_probes else said[::-1]) if one]
        away = sum(max(min(end, until) - max(start, now.opened), 0.0) for start, end in gaps)
        if away > 0:
            said.append(f"the driver was away for {span(away)} of it")
        return Incident(now.opened, closed, "; ".join(said), probes.total(), bins["failed"])


def _bad(ended: int, failed: int) -> bool:
    """Whether at least half of a bin failed, of enough that ended."""
    return ended >= LEAST_ENDED and failed >= BAD_SHARE * ended


def _probe_cause(failed: Counter[str]) -> str:
    if not failed:
        return ""
    words = [safe_text(why, _WORD) for why, _ in failed.most_common(_TOLD) if why]
    return f"probes fail: {', '.join(words)}" if words else "probes fail"


def _request_cause(failed: int, ended: int, reasons: Counter[str]) -> str:
    if failed <= 0 or ended <= 0:
        return ""
    words = [safe_text(_words(why), _WORD) for why, _ in reasons.most_common(_TOLD) if why]
    return f"{100 * failed / ended:.0f} % of requests fail" + (f": {', '.join(words)}" if words else "")


def _words(reason: str) -> str:
    """Return the words of a reason without the class before them, which says no more; a status keeps its `http`."""
    kind, _, said = reason.partition(" ")
    return said if said and kind != HTTP else reason
