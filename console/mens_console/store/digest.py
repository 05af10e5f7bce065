"""What happened on the box since the operator left: a snapshot, and what the daemon saw, held against a moment past.

Pure: no clock and no file; the screens and the headless commands tell the same digest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import AlertState, AlertView, fingerprint
from mens_console.signals.byvalue import ByValue
from mens_console.signals.diagnosis import LIVENESS_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.signals.rules import Severity
    from mens_console.store.snapshot import RunView, Snapshot

AWAY_S: Final = 300.0
"""Who was away for less has missed nothing worth a page."""
_SAME_S: Final = 1.0
_BY_CLOCK: Final = frozenset(
    {*LIVENESS_RULES, "checkpoint_overdue", "disk_before_checkpoint", "gpu_thermal", "gpu_power", "gpu_ecc", "gpu_xid"}
)
"""Rules whose conditions are looked at by the clock, and date from when somebody looked."""
_RUIN: Final = frozenset({"nan_loss", "hidden_nan", "nan_grad", "loss_explosion"})
"""Alerts that tell when a run diverged."""
FAILED: Final = frozenset({"diverged", "out_of_memory", "disk_full", "crashed", "killed"})
ENDED: Final = FAILED | {"finished"}


@dataclass(frozen=True, slots=True)
class RunNews(ByValue):
    """A run that ended, began or resumed at `wall` (s): its state now, and the step it ended or began at."""

    run_id: str
    name: str
    state: str
    wall: float
    step: int | None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class AlertNews(ByValue):
    """An alert that fired, got worse or was resolved at `wall` (s); `run_id` and `name` are "" for the machine.

    `recalled` is one that only the daemon saw: nothing in the files tells of it.
    """

    run_id: str
    name: str
    alert: AlertView
    wall: float
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class Recalled(ByValue):
    """The newest episode of an alert as the daemon saw it: of `place`, from `since` to `ended_at` (s, NaN unseen)."""

    place: str
    rule: str
    severity: Severity
    name: str
    message: str
    since: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages about alerts, counted for each route: those that it took, those that it did not, and which it was."""

    delivered: int = 0
    lost: int = 0
    routes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointNews(ByValue):
    """A checkpoint written at `wall` (s)."""

    run_id: str
    name: str
    step: int
    bytes: int
    wall: float


@dataclass(frozen=True, slots=True)
class Digest(ByValue):
    """What happened after `left_at` and up to `now` (s), each kind in the order of time, failures before finishes.

    Alerts that fired come the worst first, of these those that are on, and then the newest. `fired` are alerts that
    began to fire since, or got worse, some of them over by now; `resolved` those that had been on before. `quiet`
    counts alerts left out because they are silenced or follow from another; `still` those that were on before and are
    on unchanged; `going` are the runs that are live and about which there is nothing else to tell.
    """

    left_at: float
    now: float
    ended: tuple[RunNews, ...]
    begun: tuple[RunNews, ...]
    resumed: tuple[RunNews, ...]
    fired: tuple[AlertNews, ...]
    resolved: tuple[AlertNews, ...]
    checkpoints: tuple[CheckpointNews, ...]
    quiet: int = 0
    going: int = 0
    still: int = 0
    messages: Messages = Messages()

    @property
    def backwards(self) -> bool:
        """Say whether the clock was set back meanwhile: then nothing can be told of what happened."""
        return self.left_at > self.now

    @property
    def empty(self) -> bool:
        """Say whether nothing happened."""
        return not (self.ended or self.begun or self.resumed or self.fired or self.resolved or self.checkpoints)

    @property
    def due(self) -> bool:
        """Say whether it is worth a page unasked: the operator was away for long enough, and something happened."""
        return self.now - self.left_at > AWAY_S and not self.empty


def digest(
    snapshot: Snapshot,
    left_at: float,
    now: float,
    recalled: Iterable[Recalled] = (),
    messages: Messages = Messages(),
) -> Digest:
    """Return what happened since `left_at`; both times in seconds since the epoch.

    `recalled` is what the daemon saw: when conditions began that the clock decides, and those that came and went. Where
    `left_at` is not finite, the console was never left: nothing is news then.
    """

    def since(wall: float) -> bool:
        return left_at < wall <= now

    ended, begun, resumed = list[RunNews](), list[RunNews](), list[RunNews]()
    checkpoints, told = list[CheckpointNews](), set[str]()
    for run in snapshot.runs:
        state, end = str(run.diagnosis.state), end_of(run)
        if state in ENDED and since(end):
            evidence = next(iter(run.diagnosis.evidence), "")
            ended.append(RunNews(run.id, run.name, state, end, run.step, evidence))
        starts = [(i, segment) for i, segment in enumerate(run.segments) if since(segment.start_wall)]
        for i, segment in starts:
            news = RunNews(run.id, run.name, state, segment.start_wall, segment.start_step)
            (resumed if i else begun).append(news)
        written = [c for c in run.checkpoints if since(c.mtime)]
        checkpoints += [CheckpointNews(run.id, run.name, c.step, c.bytes, c.mtime) for c in written]
        if starts or written:
            told.add(run.id)
    alerts = _AlertNews(left_at, now)
    alerts.take(snapshot, {(one.place, one.rule): one for one in recalled})
    told |= {one.run_id for one in (*alerts.fired, *alerts.resolved)}
    return Digest(
        left_at,
        now,
        tuple(sorted(ended, key=lambda one: (one.state == "finished", one.wall))),
        tuple(sorted(begun, key=lambda one: one.wall)),
        tuple(sorted(resumed, key=lambda one: one.wall)),
        tuple(sorted(alerts.fired, key=lambda one: (-one.alert.severity.rank, not one.alert.active, -one.wall))),
        tuple(sorted(alerts.resolved, key=lambda one: one.wall)),
        tuple(sorted(checkpoints, key=lambda one: (one.name, one.step))),
        alerts.quiet,
        sum(run.live and run.id not in told for run in snapshot.runs),
        alerts.still,
        messages,
    )


def end_of(run: RunView) -> float:
    """Return when a run that is over ended: since when it is in its state, else its newest byte; NaN unknown.

    One that diverged may go on for days: what counts is when that began.
    """
    since = run.diagnosis.since
    if run.diagnosis.state == "diverged":
        ruined = [alert.since for alert in run.alerts if alert.rule in _RUIN and (alert.active or alert.held)]
        since = min(filter(math.isfinite, ruined), default=since)
    return since if math.isfinite(since) else run.updated_at


class _AlertNews:
    """Sorts alerts: those that fired or got worse since, those that were resolved, and how many else there are."""

    def __init__(self, left_at: float, now: float) -> None:
        self.fired: list[AlertNews] = []
        self.resolved: list[AlertNews] = []
        self.quiet = self.still = 0
        self._left_at, self._now = left_at, now

    def take(self, snapshot: Snapshot, recalled: dict[tuple[str, str], Recalled]) -> None:
        """Look at every alert of a snapshot, then at those that only the daemon saw."""
        places = [(run.id, run.name, alert) for run in snapshot.runs for alert in run.alerts]
        places += [("", "", alert) for alert in snapshot.box_alerts]
        told = set()
        for run_id, name, alert in places:
            seen = recalled.get((alert.identity, alert.rule))
            known = self._sort(AlertNews(run_id, name, _since_seen(alert, seen), math.nan))
            same = seen is not None and abs(seen.since - alert.since) <= _SAME_S
            if known or same or alert.active or alert.held:
                told.add((alert.identity, alert.rule))
        runs = {run.place: run.id for run in snapshot.runs}
        for key, one in recalled.items():
            if key not in told:
                alert = _view(one, runs.get(one.place, ""))
                if any(silence.covers(alert, one.since) for silence in snapshot.silences):
                    alert = replace(alert, silenced_until=math.inf)
                self._sort(AlertNews(runs.get(one.place, ""), one.name, alert, math.nan, recalled=True))

    def _is_since(self, wall: float) -> bool:
        return self._left_at < wall <= self._now

    def _sort(self, news: AlertNews) -> bool:
        """Put one where it belongs; False where there is nothing to tell of it."""
        alert = news.alert
        pending = alert.state is AlertState.PENDING
        began = not pending and (self._is_since(alert.since) or self._is_since(alert.worse_at))
        over = not alert.active and not alert.held and self._is_since(alert.resolved_at)
        if not (began or over):
            self.still += alert.active and not (pending or alert.quiet) and alert.since <= self._left_at
            return False
        if alert.quiet:
            self.quiet += 1
        elif began:
            wall = alert.since if self._is_since(alert.since) else alert.worse_at
            self.fired.append(replace(news, wall=wall))
        else:
            self.resolved.append(replace(news, wall=alert.resolved_at))
        return True


def _since_seen(alert: AlertView, seen: Recalled | None) -> AlertView:
    """Return an alert that is on with the beginning that the daemon saw: a console dates some when it first looks.

    What rows tell, they date themselves; there the daemon may know an older episode only.
    """
    noticed = alert.rule in _BY_CLOCK and alert.active
    same = seen is not None and noticed and math.isnan(seen.ended_at) and seen.since < alert.since
    return replace(alert, since=seen.since) if same and seen is not None else alert


def _view(seen: Recalled, run_id: str) -> AlertView:
    """Return an episode that the daemon saw and that is not on any more, as an alert."""
    return AlertView(
        fingerprint(seen.rule, seen.place), seen.rule, run_id or seen.place, seen.severity, AlertState.RESOLVED,
        seen.since, None, math.nan, None, 1, math.nan, math.nan, "", seen.message, "", resolved_at=seen.ended_at,
        place=seen.place,
    )  # fmt: skip
