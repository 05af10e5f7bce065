"""Attempt logs and KPI records of the box: followed as they grow, judged into alerts, and shown as views.

Counting and computing are other rooms'; which files there are is discovery's. One thread, the engine's.
"""

from __future__ import annotations

import math
import os
import re
from itertools import groupby
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from mens_console.ingest.formats.elsewhere import ATTEMPTS, KPI
from mens_console.ingest.twins import packed_copies
from mens_console.ingest.walk import is_set_aside
from mens_console.signals.alerts import AlertReducer
from mens_console.signals.healthalerts import batch_observations, drift_observation
from mens_console.store.snapshot import GENERATION, HealthView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mens_console.ingest.found import FoundRecord
    from mens_console.signals.alerts import Observation
    from mens_console.signals.generation import HealthReport
    from mens_console.signals.kpivalues import KpiReport
    from mens_console.signals.rules import Rule

MOST_LOGS: Final = 64
"""Folders with attempt logs that are followed; each has state of its own."""
WORKERS: Final = 2
"""Processes that count a long log; the screens need none of the cores for long."""
_ROTATED: Final = re.compile(r"(?:\.(\d{1,6})|[-.](\d{4}-?\d\d-?\d\d(?:[-_.T]?\d{2,10})?))(\.gz)?$")

_Report = TypeVar("_Report", covariant=True)


class Following(Protocol[_Report]):
    """Who reads some files as they grow."""

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        ...

    @property
    def report(self) -> _Report:
        """What is known now; the same object while nothing changed."""
        ...

    def poll(self, now: float) -> bool:
        """Read what is new for a short while; True where something changed."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class FollowingLogs(Following[_Report], Protocol[_Report]):
    """Who reads attempt logs, long ones with workers."""

    @property
    def waiting(self) -> bool:
        """Whether workers are counting, so that there is nothing to poll for yet."""
        ...


def follow_attempts(
    paths: Sequence[Path], *, remember: bool = True, workers: int = WORKERS, wake: Callable[[], None] | None = None
) -> FollowingLogs[HealthReport]:
    """Return who follows attempt logs; with `remember` what was counted is kept in the user's cache.

    Long logs are counted by `workers` processes; `wake` is called, on another thread, when they have something.
    """
    from mens_console.health.checkpoint import default_cache
    from mens_console.health.follow import Follower

    return Follower(paths, cache=default_cache() if remember else None, workers=workers, wake=wake)


def follow_kpis(paths: Sequence[Path]) -> Following[KpiReport]:
    """Return who follows records of KPIs."""
    from mens_console.kpi.follow import KpiFollower

    return KpiFollower(paths)


class Generation:
    """All attempt logs, those of one folder together, and all KPI records as one.

    `attempts` and `kpis` make followers; tests and a replay give their own.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        attempts: Callable[[Sequence[Path]], FollowingLogs[HealthReport]] = follow_attempts,
        kpis: Callable[[Sequence[Path]], Following[KpiReport]] = follow_kpis,
    ) -> None:
        self._folders: dict[str, str] = {}
        """The real folder of each log that was ever followed: names depend on which roots are searched."""
        self.alerts = AlertReducer(rules, self._place)
        self.problems: tuple[str, ...] = ()
        self._rules = rules
        self._make_log, self._make_kpi = attempts, kpis
        self._records: tuple[FoundRecord, ...] = ()
        self._logs: dict[str, _Log] = {}
        self._kpi: tuple[tuple[Path, ...], Following[KpiReport]] | None = None
        self._views: tuple[HealthView, ...] | None = ()

    # ------------------------------------------------------------------ which files

    def admit(self, records: tuple[FoundRecord, ...]) -> bool:
        """Follow these files and no others; True where that is news."""
        if records == self._records:
            return False
        self._records = records
        groups = grouped(records)
        self.problems = ()
        if len(groups) > MOST_LOGS:
            left = len(groups) - MOST_LOGS
            self.problems = (f"{left} folders with attempt logs are not followed (the first {MOST_LOGS} are): "
                             "name fewer roots",)  # fmt: skip
            groups = dict(list(groups.items())[:MOST_LOGS])
        for name in [n for n, log in self._logs.items() if groups.get(n) != log.paths]:
            self._logs.pop(name).reader.close()
        for name, paths in groups.items():
            if name not in self._logs:
                self._folders[f"{GENERATION}:{name}"] = os.path.realpath(paths[0].parent)
                self._logs[name] = _Log(name, paths, self._make_log(paths))
        self._admit_kpis(tuple(record.path for record in _once(records, KPI)))
        self._views = None
        return True

    def _admit_kpis(self, paths: tuple[Path, ...]) -> None:
        if self._kpi is not None:
            if self._kpi[0] == paths:
                return
            self._kpi[1].close()
        self._kpi = (paths, self._make_kpi(paths)) if paths else None

    # ------------------------------------------------------------------ reading

    def attend(self, now: float) -> bool:
        """Read what is new for a short while, and judge it; True where something changed."""
        changed = self.alerts.advance(now)
        for log in self._logs.values():
            if log.reader.poll(now):
                self._views, changed = None, True
                self._judge(log)
        if self._kpi is not None:
            changed |= self._kpi[1].poll(now)
        return changed

    def _place(self, entity: str) -> str:
        """Return what a log, or a run in it, is known by whichever roots are searched."""
        owners = [own for own in self._folders if entity == own or entity.startswith(own + "/")]
        own = max(owners, key=len, default="")
        return f"{GENERATION}:{self._folders[own]}{entity[len(own) :]}" if own else entity

    def _judge(self, log: _Log) -> None:
        for seen in log.observations(self._rules):
            self.alerts.apply(seen)

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait, other than those that workers read."""
        return any(log.reader.more and not log.reader.waiting for log in self._logs.values()) or (
            self._kpi is not None and self._kpi[1].more
        )

    @property
    def waits(self) -> bool:
        """Whether anything is known to wait, what workers read included."""
        return self.more or any(log.reader.more for log in self._logs.values())

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes read of attempt logs, and bytes that there are."""
        sources = [source for log in self._logs.values() for source in log.reader.report.sources]
        return sum(source.done for source in sources), sum(source.size for source in sources)

    def close(self) -> None:
        """Give everything back."""
        for log in self._logs.values():
            log.reader.close()
        if self._kpi is not None:
            self._kpi[1].close()

    # ------------------------------------------------------------------ views

    @property
    def views(self) -> tuple[HealthView, ...]:
        """One view a folder, by name."""
        if self._views is None:
            self._views = tuple(log.view for log in self._logs.values())
        return self._views

    @property
    def kpi(self) -> KpiReport | None:
        """What the KPI records say, None where there is none."""
        return None if self._kpi is None else self._kpi[1].report


class _Log:
    """One folder's attempt logs, and how many batches of each run have been judged."""

    def __init__(self, name: str, paths: tuple[Path, ...], reader: FollowingLogs[HealthReport]) -> None:
        self.name, self.paths, self.reader = name, paths, reader
        self._judged: dict[str, int] = {}

    @property
    def view(self) -> HealthView:
        report = self.reader.report
        return HealthView(self.name, self.name, self.paths, report, report.rev)

    def observations(self, rules: Mapping[str, Rule]) -> Iterator[Observation]:
        """Yield what whole batches say that said nothing yet, and the drift verdicts of their runs."""
        report = self.reader.report
        ended: dict[str, float] = {}
        alone = len(report.runs) == 1  # its batches come in order, so those before the newest need no second look
        first = self._judged.get(report.runs[0].runs[0], 0) if alone and report.runs[0].runs else 0
        for judged in report.batches[first:]:
            batch = judged.batch
            if batch.complete and batch.index >= self._judged.get(batch.run_id, 0):
                self._judged[batch.run_id] = batch.index + 1
                ended[batch.run_id] = batch.ended
                yield from batch_observations(self.entity(batch.run_id), judged, rules)
        for tier in report.runs:
            run_id = tier.runs[0] if tier.runs else ""
            if "generation_drift" in rules and run_id in ended:
                yield drift_observation(self.entity(run_id), tier, ended.get(run_id, math.nan))

    def entity(self, run_id: str) -> str:
        """Return what an alert about a run of this log is about."""
        return f"{GENERATION}:{self.name}/{run_id}" if run_id else f"{GENERATION}:{self.name}"


def _once(records: Iterable[FoundRecord], kind: str) -> list[FoundRecord]:
    """Return the records of a kind without packed copies of others."""
    found = [record for record in records if record.kind == kind]
    copies = packed_copies(record.path for record in found)
    return [record for record in found if record.path not in copies]


def grouped(records: Iterable[FoundRecord]) -> dict[str, tuple[Path, ...]]:
    """Return the attempt logs of each folder that has some, in the order they were written."""
    logs = sorted(_once(records, ATTEMPTS), key=lambda record: record.id)
    return {name: in_order(one.path for one in group) for name, group in groupby(logs, key=lambda record: record.id)}


def in_order(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return logs in the order they were written, folder by folder: rotated ones first, by date or the highest first.

    Shards stand by name, the numbers in it by their value.
    """

    def key(path: Path) -> tuple[str, tuple[list[str | int], str], int, str, str]:
        folder, name = str(path.parent), path.name
        match = _ROTATED.search(name) if is_set_aside(name) else None
        if match is None:
            return (folder, _natural(name.removesuffix(".gz")), 1, "", name)
        stem, number = _natural(name[: match.start()]), match[1]
        return (folder, stem, -int(number), "", name) if number else (folder, stem, 0, match[2], name)

    return tuple(sorted(paths, key=key))


def _natural(name: str) -> tuple[list[str | int], str]:
    """Return what names sort by: `s-2.jsonl` before `s-10.jsonl`, and `s.jsonl` before both."""
    stem, _, ending = name.rpartition(".")
    pieces = re.split(r"(\d+)", stem or ending)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], ending
