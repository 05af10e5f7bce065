"""What happened on the box since the operator left: a pure comparison of a snapshot with a moment in the past.

No clock and no file; the screens and the headless commands tell the same digest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.text import safe_text
from mens_console.store.report import moment

if TYPE_CHECKING:
    from mens_console.signals.alerts import AlertView
    from mens_console.store.snapshot import RunView, Snapshot

AWAY_S: Final = 300.0
"""Who was away for less has missed nothing worth a page."""
SCHEMA: Final = "mens-digest/1"
FAILED: Final = frozenset({"diverged", "out_of_memory", "disk_full", "crashed", "killed"})
ENDED: Final = FAILED | {"finished"}


@dataclass(frozen=True, slots=True)
class RunNews:
    """A run that ended, began or resumed at `wall` (s): its state now, and the step it ended or began at."""

    run_id: str
    name: str
    state: str
    wall: float
    step: int | None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class AlertNews:
    """An alert that fired or was resolved at `wall` (s); `run_id` and `name` are "" for the machine."""

    run_id: str
    name: str
    alert: AlertView
    wall: float


@dataclass(frozen=True, slots=True)
class CheckpointNews:
    """A checkpoint written at `wall` (s)."""

    run_id: str
    name: str
    step: int
    bytes: int
    wall: float


@dataclass(frozen=True, slots=True)
class Digest:
    """What happened after `left_at` and up to `now` (s), each kind in the order of time, failures before finishes.

    `fired` are alerts that began to fire since, some of them over by now; `resolved` those that had been on before.
    `quiet` counts alerts left out because they are silenced or follow from another; `going` are the runs that are
    live and about which there is nothing else to tell.
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

    @property
    def empty(self) -> bool:
        """Say whether nothing happened."""
        return not (self.ended or self.begun or self.resumed or self.fired or self.resolved or self.checkpoints)

    @property
    def due(self) -> bool:
        """Say whether it is worth a page unasked: the operator was away for long enough, and something happened."""
        return self.now - self.left_at > AWAY_S and not self.empty


def digest(snapshot: Snapshot, left_at: float, now: float) -> Digest:
    """Return what happened since `left_at`; both times in seconds since the epoch.

    Where `left_at` is not finite, the console was never left: nothing is news then.
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
    fired, resolved, quiet = _alert_news(snapshot, left_at, now)
    told |= {news.run_id for news in (*fired, *resolved)}
    return Digest(
        left_at,
        now,
        tuple(sorted(ended, key=lambda news: (news.state == "finished", news.wall))),
        tuple(sorted(begun, key=lambda news: news.wall)),
        tuple(sorted(resumed, key=lambda news: news.wall)),
        tuple(sorted(fired, key=lambda news: (-news.alert.severity.rank, news.wall))),
        tuple(sorted(resolved, key=lambda news: news.wall)),
        tuple(sorted(checkpoints, key=lambda news: (news.name, news.step))),
        quiet,
        sum(run.live and run.id not in told for run in snapshot.runs),
    )


def end_of(run: RunView) -> float:
    """Return when a run that is over ended: since when it is in its state, else its newest byte; NaN unknown."""
    since = run.diagnosis.since
    return since if math.isfinite(since) else run.updated_at


def _alert_news(snapshot: Snapshot, left_at: float, now: float) -> tuple[list[AlertNews], list[AlertNews], int]:
    """Return the alerts that fired since, those resolved since that fired before, and how many quiet ones did."""
    places = [(run.id, run.name, alert) for run in snapshot.runs for alert in run.alerts]
    places += [("", "", alert) for alert in snapshot.box_alerts]
    fired, resolved, quiet = [], [], 0
    for run_id, name, alert in places:
        began = left_at < alert.since <= now and str(alert.state) != "pending"
        over = not alert.active and not alert.held and left_at < alert.resolved_at <= now
        if not (began or over):
            continue
        if alert.quiet:
            quiet += 1
        elif began:
            fired.append(AlertNews(run_id, name, alert, alert.since))
        else:
            resolved.append(AlertNews(run_id, name, alert, alert.resolved_at))
    return fired, resolved, quiet


def digest_document(found: Digest) -> dict[str, Any]:
    """Return the digest as plain JSON values (`mens-digest/1`); unknown times are null."""

    def run(news: RunNews) -> dict[str, Any]:
        told = {"id": safe_text(news.run_id), "name": safe_text(news.name), "state": news.state}
        return {**told, "at": moment(news.wall), "step": news.step, "evidence": safe_text(news.evidence)}

    def alert(news: AlertNews) -> dict[str, Any]:
        view = news.alert
        return {
            "run": safe_text(news.run_id), "entity": safe_text(view.entity), "fingerprint": view.fingerprint,
            "rule": view.rule, "severity": str(view.severity), "state": str(view.state), "at": moment(news.wall),
            "resolved_at": moment(view.resolved_at), "message": safe_text(view.message),
            "acknowledged": view.acknowledged,
        }  # fmt: skip

    return {
        "schema": SCHEMA,
        "left_at": moment(found.left_at),
        "now": moment(found.now),
        "ended": [run(news) for news in found.ended],
        "begun": [run(news) for news in found.begun],
        "resumed": [run(news) for news in found.resumed],
        "fired": [alert(news) for news in found.fired],
        "resolved": [alert(news) for news in found.resolved],
        "checkpoints": [
            {"run": safe_text(c.run_id), "step": c.step, "bytes": c.bytes, "at": moment(c.wall)}
            for c in found.checkpoints
        ],
        "quiet": found.quiet,
        "going": found.going,
    }
