"""What ended in each second of a soak, and what failed of it: the newest ten seconds, and sums up to a moment.

Requests are counted in tenths: of a minute that tells only what ended in each 10 s, a second holds a tenth of that.
Pure; times are seconds in the soak.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.soak.types import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mens_console.soak.types import Minute

WINDOW_S: Final = 10.0
TENTHS: Final = 10
LEAST_ENDED: Final = 3
"""Requests of 10 s that ended, below which their share says nothing."""
_RECENT: Final = 640
"""Entries that are kept apart: where an incident begins or ends is known some probes later."""
_NONE: Final[Mapping[str, int]] = {}


class Second(NamedTuple):
    """The requests due in one second, in tenths: how many ended, how many failed, and why."""

    at: float
    ended: int
    failed: int
    reasons: Mapping[str, int]


def seconds_of(minute: Minute) -> list[Second]:
    """Return the 60 seconds of a minute; where it tells no seconds, those of 10 s are all alike."""
    begin = int(minute.index * MINUTE)
    if not minute.seconds:
        told = minute.reasons or minute.failed
        return [
            Second(begin + i, ended, failed, told if failed else _NONE)
            for i, (ended, failed) in ((i, minute.tens[i // 10]) for i in range(60))
        ]
    reasons: list[dict[str, int]] = [{} for _ in range(60)]
    for why, pairs in minute.fails.items():
        for second, n in zip(pairs[::2], pairs[1::2], strict=True):
            reasons[second][why] = n
    return [
        Second(begin + i, ended * TENTHS, sum(reasons[i].values()) * TENTHS, reasons[i])
        for i, ended in enumerate(minute.seconds)
    ]


def may_be_bad(before: Minute | None, minute: Minute) -> bool:
    """Whether any ten seconds that end in a minute may be bad: all that failed in it and the one before, at once.

    It is told of thousands of minutes in which little failed, in a fraction of what looking into them takes.
    """
    failed = minute.failures + (before.failures if before is not None else 0)
    if 2 * failed < LEAST_ENDED:
        return False
    ended = (_ended(before)[-9:] if before is not None else []) + _ended(minute)
    held = least = sum(ended[:10])
    for old, new in zip(ended, ended[10:], strict=False):
        held += new - old
        least = min(least, held)
    return 2 * TENTHS * failed >= least


def _ended(minute: Minute) -> list[int]:
    if minute.seconds:
        return [ended * TENTHS for ended in minute.seconds]
    return [ended for ended, _ in minute.tens for _ in range(10)]


class Strip:
    """The newest ten seconds in which requests were due."""

    __slots__ = ("_ended", "_held", "failed")

    def __init__(self, seconds: Iterable[Second] = ()) -> None:
        self._held: deque[Second] = deque()
        self._ended = self.failed = 0
        for one in seconds:
            self.push(one)

    def copy(self) -> Strip:
        """Return one that goes its own way."""
        return Strip(self._held)

    def push(self, one: Second) -> None:
        """Take the next second in, and let go of what lies ten seconds before its end."""
        self._held.append(one)
        self._ended += one.ended
        self.failed += one.failed
        while self._held[0].at <= one.at - WINDOW_S:
            gone = self._held.popleft()
            self._ended -= gone.ended
            self.failed -= gone.failed

    def forget(self, until: float) -> None:
        """Let what failed before a moment count as told."""
        held = [one._replace(failed=0) if one.at < until else one for one in self._held]
        self._held, self.failed = deque(held), sum(one.failed for one in held)

    def bad(self) -> tuple[float, float] | None:
        """Return where the bad seconds begin and end, where at least half of what was due in ten failed, else None."""
        if not self.failed or 2 * self.failed < self._ended or self._ended < LEAST_ENDED * TENTHS:
            return None
        if self._held[-1].at + 1 < WINDOW_S:  # there were no ten seconds yet
            return None
        bad = [one.at for one in self._held if one.failed and 2 * one.failed >= one.ended]
        return bad[0], bad[-1] + 1

    def unseen(self, gaps: Sequence[tuple[float, float]]) -> float:
        """Return how much of the ten seconds was not observed, of gaps that are told once each."""
        end = self._held[-1].at + 1
        return sum(max(min(stop, end) - max(start, end - WINDOW_S), 0.0) for start, stop in gaps)


@dataclass(slots=True)
class Sum:
    """What ended, what failed of it, and why."""

    ended: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def since(self, earlier: Sum) -> Sum:
        """Return what came to it since it was `earlier`."""
        return Sum(self.ended - earlier.ended, self.failed - earlier.failed, self.reasons - earlier.reasons)


class Ledger:
    """Sums over time that tell what came before a moment, as long as that is not long ago."""

    __slots__ = ("_recent", "_total")

    def __init__(self) -> None:
        self._total = Sum()
        self._recent: deque[tuple[float, int, int, Mapping[str, int]]] = deque(maxlen=_RECENT)

    def copy(self) -> Ledger:
        """Return one that goes its own way."""
        made = Ledger()
        made._total = Sum(self._total.ended, self._total.failed, self._total.reasons.copy())
        made._recent = self._recent.copy()
        return made

    def add(self, at: float, ended: int, failed: int, reasons: Mapping[str, int]) -> None:
        """Count what was due at a moment."""
        self._total.ended += ended
        self._total.failed += failed
        if reasons:
            self._total.reasons.update(reasons)
        self._recent.append((at, ended, failed, reasons))

    def before(self, moment: float) -> Sum:
        """Return the sums of what was due before a moment."""
        made = Sum(self._total.ended, self._total.failed, self._total.reasons.copy())
        for at, ended, failed, reasons in self._recent:
            if at >= moment:
                made.ended -= ended
                made.failed -= failed
                made.reasons.subtract(reasons)
        return made
