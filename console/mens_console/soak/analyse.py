"""All that a soak came to, kept current as it goes on: closed minutes are counted once, open ones anew each time.

No I/O, no clock: a record goes in, an `Analysis` comes out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from mens_console.load.histogram import Histogram
from mens_console.soak.columns import Table, sheets_of
from mens_console.soak.incidents import Watch
from mens_console.soak.leaks import HORIZON_H, UNITS, leak
from mens_console.soak.reliability import HOUR_S, Sums, budget, mtbf, mttr, since
from mens_console.soak.seengaps import seen
from mens_console.soak.types import LATENCIES, PROBE_EVERY_S, Analysis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.soak.sheets import Sheet
    from mens_console.soak.types import Columns, Event, Leak, Minute, Plan, State

OVER: Final = frozenset({"finished", "stopped", "died"})


class Recorded(Protocol):
    """What is read of a soak; `minutes` are in order, the closed ones first."""

    @property
    def plan(self) -> Plan | None:
        """What it is to do."""

    @property
    def minutes(self) -> Sequence[Minute]:
        """Those that are closed, and behind them those that are not."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened to the driver, oldest first."""

    @property
    def normal_ms(self) -> float | None:
        """The normal latency, once it is pinned."""

    @property
    def state(self) -> State:
        """How the driver is."""

    @property
    def why(self) -> str:
        """What the state rests on."""

    @property
    def problems(self) -> Sequence[str]:
        """What could not be read."""

    @property
    def now_s(self) -> float:
        """How far it has come, in seconds of the soak."""


class Analyst:
    """Analyses one soak, again and again. The work of an update is on minutes that are new or open.

    Only flat copies (columns, the tuple of minutes) and, once a minute, the slopes of levels depend on the history.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._rev = 0
        self._begin()

    def _begin(self) -> None:
        self._done = 0
        self._last: Minute | None = None
        self._sums, self._table = Sums(), Table()
        self._watch: Watch | None = None
        self._totals = {name: Histogram() for name in LATENCIES}
        self._leaks: tuple[Leak, ...] = ()
        self._leaks_of: tuple[int, tuple[str, ...]] | None = None

    def update(self, record: Recorded) -> Analysis:
        """Return what the record comes to now, as a new object with a higher `rev`."""
        minutes = record.minutes
        if self._done > len(minutes) or (self._done and minutes[self._done - 1] is not self._last):
            self._begin()  # it was read anew: what was counted is no longer there
        self._absorb(record)
        self._rev += 1
        return self._told(record, minutes[self._done :])

    def _absorb(self, record: Recorded) -> None:
        """Count the minutes that closed since the last time."""
        minutes, until = record.minutes, self._done
        while until < len(minutes) and minutes[until].closed:
            until += 1
        fresh = minutes[self._done : until]
        if self._watch is None:
            self._watch = Watch(record.plan.probe_every_s if record.plan else PROBE_EVERY_S)
        if not fresh:
            return
        gaps, sheets = _gaps(record.events), sheets_of(fresh)
        for minute in fresh:
            self._sums.add(minute)
            self._watch.feed(minute, gaps)
        self._table.extend(fresh, sheets, _now(record))
        for name, total in self._totals.items():
            total.merge(sheets[name].sum())
        self._done, self._last = until, fresh[-1]

    def _told(self, record: Recorded, more: Sequence[Minute]) -> Analysis:
        plan, gaps, sums, sheets = record.plan, _gaps(record.events), self._sums.copy(), sheets_of(more)
        assert self._watch is not None
        watch = self._watch.copy() if more else self._watch
        for minute in more:
            sums.add(minute)
            watch.feed(minute, gaps)
        now = _now(record)
        observed = max(now - sums.unobserved_s, 0.0)
        incidents = watch.incidents(gaps)
        columns = self._table.columns(more, sheets, now)
        latencies = self._latencies(sheets)
        latencies["itl"], unseen = seen(latencies["itl"])
        between, bound, needs = mtbf(observed, len(incidents))
        ended = record.now_s if record.state in OVER else None
        return Analysis(
            rev=self._rev, path=self.path, source="mens-console", plan=plan, state=record.state, why=record.why,
            started=plan.started if plan else None,
            ended=plan.started + ended if plan and ended is not None else None,
            now_s=now, target_s=plan.duration_s if plan else None,
            offered_rate=plan.rate if plan else None,
            achieved_rate=_per(sums.ended, observed),
            requests=sums.ended, failed=dict(sums.failed), degraded=sums.degraded, normal_ms=record.normal_ms,
            good=sums.good, goodput=_per(sums.good, observed), lost=sums.lost, skipped=sums.skipped,
            probes=sums.probes, probes_failed=sums.probes_failed, unobserved_s=sums.unobserved_s,
            incidents=incidents, mttr_s=mttr(incidents), mtbf_s=between, mtbf_lower_bound_s=bound, mtbf_needs_s=needs,
            budget=budget(plan, sums, now, since(record.minutes, now - HOUR_S)) if plan else None,
            latencies=latencies,
            output_tokens=sums.output_tokens if sums.counted_by else None,
            output_tokens_per_s=_per(sums.output_tokens, observed) if sums.counted_by else None,
            counted_by=dict(sums.counted_by), leaks=self._leaks_now(record, columns),
            gpu_peak_bytes=None if sums.gpu_peak is None else int(sums.gpu_peak),
            columns=columns, minutes=tuple(record.minutes), events=tuple(record.events),
            problems=(*record.problems, *([unseen] if unseen else ())), tags=dict(plan.tags) if plan else {},
            lost_by=dict(sums.lost_by),
            extra={"observed_s": observed, "gpu_seldom": sums.gpu_seldom} | _drain(record),
        )  # fmt: skip

    def _latencies(self, sheets: Mapping[str, Sheet]) -> dict[str, Histogram]:
        made = {}
        for name, total in self._totals.items():
            made[name] = one = Histogram()
            one.merge(total)
            one.merge(sheets[name].sum())
        return made

    def _leaks_now(self, record: Recorded, columns: Columns) -> tuple[Leak, ...]:
        """Return the slopes of the levels, worked out once a minute, with the samples that are the last ones now.

        A minute that is open takes no part until the soak is over: its last sample may still be another.
        """
        plan, size = record.plan, len(columns.index) if record.state in OVER else self._done
        of = (size, tuple(columns.levels))
        if of != self._leaks_of:
            self._leaks_of = of
            hours = max(plan.duration_s / HOUR_S if plan else 0.0, HORIZON_H)
            limits = plan.limits if plan else {}
            at = columns.index[:size].astype(np.float64)
            known = [name for name in UNITS if name in columns.levels]
            others = sorted(columns.levels.keys() - UNITS.keys())
            self._leaks = tuple(
                leak(name, at, columns.levels[name][:size], limit=limits.get(name), planned_h=hours)
                for name in (*known, *others)
            )
        return tuple(replace(one, last=_newest(record.minutes, one.name)) for one in self._leaks)


def _newest(minutes: Sequence[Minute], name: str) -> float | None:
    """Return the last sample of a level that there is."""
    return next((one.levels[name] for one in reversed(minutes) if name in one.levels), None)


def _now(record: Recorded) -> float:
    """Return how far the load has come: what is drained after the plan's end is no load."""
    return record.now_s if record.plan is None else min(record.now_s, record.plan.duration_s)


def _per(count: int, seconds: float) -> float | None:
    return count / seconds if seconds > 0 else None


def _gaps(events: Sequence[Event]) -> list[tuple[float, float]]:
    return [(one.begin, one.end) for one in events if one.begin is not None and one.end is not None]


def _drain(record: Recorded) -> dict[str, float]:
    """Return when the last answer had come, and how long that was after the last minute's load; {} while it runs."""
    end = next((one.at for one in reversed(record.events) if one.kind == "end"), None)
    if end is None or record.state != "finished" or not record.minutes or record.plan is None:
        return {}
    return {"complete_s": end, "drain_s": max(end - record.plan.duration_s, 0.0)}
