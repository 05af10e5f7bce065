"""KPIs of records that grow: what changed is read, and only models with something new are computed again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mens_console.ingest.safeopen import FdCache
from mens_console.kpi.find import files_of
from mens_console.kpi.report import Gathered, gather, make_report
from mens_console.kpi.source import Source
from mens_console.kpi.table import Names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mens_console.signals.kpivalues import KpiReport

SLICE_S: Final = 0.02
"""How long a poll reads before it returns; what is left waits for the next one."""
CHEAP_S: Final = 0.05
"""A report that is made in less is always made anew; a dearer one takes a tenth of the time at most."""


class KpiFollower:
    """Follows files of KPI records. `paths` may hold folders, whose files are looked up once. One thread.

    Followers that share `names` know a task by the same number, so that their models can be compared by pairs.
    """

    def __init__(self, paths: Sequence[Path], names: Names | None = None) -> None:
        self._names, self._fds = names or Names(), FdCache(64)
        self._sources: dict[str, Source] = {}
        self._gathered = Gathered()
        self._report: KpiReport | None = None
        self._stale = True
        self._cost, self._not_before = 0.0, float("-inf")
        self._rev = 0
        self._turn = 0
        self.unlisted: list[str] = []
        """Folders that could not be listed, and why."""
        self.adopt(paths)

    def adopt(self, paths: Sequence[Path]) -> None:
        """Follow these from now on: new ones are read from their beginning, those no longer named are dropped."""
        self.unlisted.clear()
        wanted = files_of(paths, self.unlisted)
        for path in self._sources.keys() - set(wanted):
            self._sources.pop(path).close()
            self._stale = True
        for path in wanted:
            if path not in self._sources:
                self._sources[path] = Source(path, self._names, self._fds)
                self._stale = True

    def poll(self, now: float, *, final: bool = False, slice_s: float = SLICE_S) -> bool:
        """Read what is new for about `slice_s` seconds; True where the report changed.

        `now` in seconds since the epoch. With `final` nobody writes any more: a last line without its end counts.
        """
        changed = False
        sources = list(self._sources.values())
        until = time.monotonic() + slice_s
        for offset in range(len(sources)):
            source = sources[(self._turn + offset) % len(sources)]
            grew = True
            while grew and time.monotonic() < until:
                grew = source.poll(now, final=final)
                changed |= grew
                if not source.more:
                    break
            if time.monotonic() >= until:
                self._turn = (self._turn + offset + (not source.more)) % len(sources)
                break
        waited = self._stale and self._report is not None and time.monotonic() >= self._not_before
        self._stale |= changed
        return changed or waited

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        return any(source.more for source in self._sources.values())

    @property
    def gathered(self) -> Gathered:
        """What the report is made of, all that was read included."""
        self._make()
        return self._gathered

    @property
    def report(self) -> KpiReport:
        """The report as of the last poll; while much is being read it may be a little older, and poll tells again."""
        if self._report is None or (self._cost <= CHEAP_S or time.monotonic() >= self._not_before):
            return self._make()
        return self._report

    def _make(self) -> KpiReport:
        if self._report is not None and not self._stale:
            return self._report
        begun = time.monotonic()
        sources = list(self._sources.values())
        self._rev += 1
        self._gathered = gather(sources, self._names, self._gathered)
        self._report = make_report(sources, self._gathered, self._rev)
        ended = time.monotonic()
        self._cost = ended - begun
        self._not_before = ended + 9 * self._cost
        self._stale = False
        return self._report

    def close(self) -> None:
        """Give all descriptors back."""
        for source in self._sources.values():
            source.close()
        self._fds.close()


def read_all(paths: Sequence[Path], now: float, names: Names | None = None) -> KpiFollower:
    """Return a follower that has read all there is; files whose last line has no end are taken as they stand."""
    follower = KpiFollower(paths, names)
    while follower.poll(now, slice_s=3600.0) and follower.more:
        pass
    follower.poll(now, final=True, slice_s=3600.0)
    return follower
