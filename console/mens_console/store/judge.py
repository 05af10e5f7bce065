"""When each run is judged, and on what evidence: the store's facts and the box's processes, put before `diagnose`.

Time alone can make a run stalled, so live runs are judged again on a slow beat even when nothing arrives.
"""

from __future__ import annotations

import math
import os
import re
import socket
from typing import TYPE_CHECKING

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.checkpoints import checkpoint_observations, forecast
from mens_console.signals.diagnosis import LIVENESS_RULES, diagnose
from mens_console.signals.evidence import EndMarker, ErrorFact, Evidence, ProcessFact
from mens_console.signals.rules import RULES
from mens_console.signals.system import NEAR_S
from mens_console.store.probe import WORKS_IN
from mens_console.store.snapshot import LIVE_STATES, MOVING_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mens_console.signals.diagnosis import Diagnosis
    from mens_console.signals.rules import Rule
    from mens_console.signals.system import Lately
    from mens_console.store.box import Box
    from mens_console.store.probe import Look, ProcessProbe
    from mens_console.store.probe import ProcessFact as Seen
    from mens_console.store.run import RunState

BEAT_S = 1.0
"""Between two judgements of a run that is about to be silent for too long; others wait for their deadline."""
LOOK_S = 15.0
"""Between two looks at the box's processes while a run is live."""
SILENT_LOOK_S = 60.0
"""Between two looks while every live run is silent: nothing much can change."""
AGAIN_S = 60.0
"""Between two judgements of any run, whatever it waits for."""
RUNNING_S = 10.0
"""Between two judgements of a run that is well: its pace may have changed."""
CHECK_S = 2.0
"""Between two checks whether the processes found earlier still run."""
_PHASE_S = 5.0
_LIVENESS_RULES = frozenset(LIVENESS_RULES)
_OPEN = LIVE_STATES | {"unknown"}
"""States of runs that may still go on."""
_NUMBERS = re.compile(r"(\d[\d.,]*\s?([smhd]\b|ms\b)?\s?)+")


class Judge:
    """Diagnoses runs as they change and as time passes."""

    def __init__(self, probe: ProcessProbe, box: Box | None = None, rules: Mapping[str, Rule] = RULES) -> None:
        self._probe = probe
        self._rules = rules
        self._box = box
        self._look: Look | None = None
        self._looked_at = self._checked_at = float("-inf")
        self._next: dict[str, float] = {}
        self._pids: dict[int, str] = {}
        self._boot = probe.boot_time()
        self._host = socket.gethostname()

    def refresh(self, runs: Iterable[RunState], now: float) -> None:
        """Judge the runs whose turn it is."""
        ready = [r for r in runs if not r.history]
        due = {r.found.id for r in ready if self._is_due(r, now)}
        if self._lost_a_process(now):
            self._looked_at = float("-inf")
        if due or now - self._looked_at >= LOOK_S:
            self._look_at_box([r for r in ready if r.found.id in due or _open(r)], now)
        for run in ready:
            if run.found.id in due or run.judge_rev < 0:
                self._judge(run, now)

    @property
    def pids(self) -> dict[int, str]:
        """The processes of the last look, with the ids of the runs that they train."""
        return self._pids

    def begin_again(self) -> None:
        """Judge every run at the next turn: the clock that the deadlines were on was set back."""
        self._looked_at = self._checked_at = float("-inf")
        self._next.clear()

    def _lost_a_process(self, now: float) -> bool:
        """Whether a process of an earlier look has ended since: worth another look at once."""
        if self._look is None or now - self._checked_at < CHECK_S:
            return False
        self._checked_at = now
        return not all(self._probe.alive(p) for facts in self._look.by_run.values() for p in facts)

    def _is_due(self, run: RunState, now: float) -> bool:
        """Whether anything happened that may change the verdict, or its deadline came.

        More rows of a run that was judged to be running change nothing unless they bring facts or alerts.
        """
        if self._next.get(run.found.id, 0.0) <= now:
            return True
        if run.judge_rev == run.rows_rev:
            return False
        running = run.diagnosis is not None and run.diagnosis.state == "running"
        return not running or run.verdict_key() != run.judged_key

    def _look_at_box(self, needy: list[RunState], now: float) -> None:
        """Look for the processes of runs that may still go on, unless the last look is fresh enough."""
        if not needy:
            return
        silent = all(now - r.updated_at > LOOK_S for r in needy)
        unseen = self._look is not None and any(r.found.path not in self._look.by_run for r in needy)
        if now - self._looked_at >= (SILENT_LOOK_S if silent else LOOK_S) or unseen:
            before = self._look.by_run if self._look is not None else {}
            self._look = self._probe.look({r.found.path: tuple(r.facts.pids) for r in needy})
            self._looked_at = now
            by_path = {run.found.path: run.found.id for run in needy}
            self._pids = {
                fact.pid: by_path[path]
                for path, facts in self._look.by_run.items()
                for fact in facts
                if path in by_path
            }
            for run in needy:
                if _pids(before.get(run.found.path, ())) != _pids(self._look.by_run.get(run.found.path, ())):
                    run.judge_rev = -1

    def _judge(self, run: RunState, now: float) -> None:
        evidence = self.evidence(run, now)
        found = diagnose(evidence)
        before = run.diagnosis
        if before is None or before.state != found.state or _coarse(before.evidence) != _coarse(found.evidence):
            run.touch("state")
        run.diagnosis = found
        rev = run.signals.alerts.rev
        run.signals.liveness(evidence, found)
        self._look_ahead(run, now, evidence.disk_free_bytes)
        if _is_over(evidence, found):
            self._settle(run, now)
        if run.signals.alerts.rev != rev:
            run.touch("alerts")
        run.judge_rev, run.judged_key = run.rows_rev, run.verdict_key()
        self._next[run.found.id] = now + _patience(evidence, found)

    def _look_ahead(self, run: RunState, now: float, free: float | None) -> None:
        """Foresee the next checkpoint of a run that saves some, and say what that means."""
        written = run.checkpoint_facts()
        if run.diagnosis is None or not (written or run.save_steps):
            return
        volume = self._box.volume(run.found.id) if self._box is not None else None
        if volume is not None and volume.free is not None:
            free = float(volume.free)
        run.next_checkpoint = forecast(
            written,
            now=now,
            step=run.step,
            steps_per_s=run.signals.steps_per_s,
            free=free,
            fill=volume.fill if volume is not None else None,
            save_steps=run.save_steps,
            total_steps=run.facts.total_steps,
        )
        moving = run.diagnosis.state in MOVING_STATES
        entity, ahead = run.found.id, run.next_checkpoint
        for seen in checkpoint_observations(entity, ahead, now=now, step=run.step, moving=moving, rules=self._rules):
            run.signals.alerts.apply(seen)

    @staticmethod
    def _settle(run: RunState, now: float) -> None:
        """Let go of what asks to change the course of a run that is over; latched alerts stay."""
        ended = run.diagnosis.since if run.diagnosis is not None else now
        at = ended if ended <= now else now
        for alert in run.signals.alerts.views:
            if alert.active and alert.rule not in _LIVENESS_RULES:
                run.signals.alerts.apply(Observation(alert.rule, alert.entity, Signal.OVER, at, run.step))

    def evidence(self, run: RunState, now: float) -> Evidence:
        """Gather what is known of a run."""
        facts, signals = run.facts, run.signals
        rows = {path: s.rows for path, s in run.sources.items()}
        errors = facts.standing_errors(rows, run.last_row_wall)
        end = facts.standing_end(run.step)
        processes = self._processes(run)
        updated = run.updated_at
        return Evidence(
            now=now,
            rows=sum(s.rows for s in run.sources.values()) if run.frame.names else 0,
            last_append=updated,
            last_row_wall=run.last_row_wall,
            step=run.step,
            total_steps=facts.total_steps,
            cadence=signals.cadence,
            phase=facts.phase if facts.phase_since >= run.last_row_wall - 1.0 else "",
            phase_since=facts.phase_since,
            end=None if end is None else EndMarker(end.text, end.wall),
            errors=tuple(ErrorFact(e.kind, e.text, e.wall, e.step, True) for e in errors),
            processes=processes,
            process_scan_complete=self._look is not None and self._look.complete,
            pid_seen_alive_earlier=bool(run.seen_alive or self._told(run)),
            host_matches=None if not facts.host else facts.host == self._host,
            last_write_after_boot=math.isnan(updated) or updated >= self._boot,
            nan=signals.nan,
            loss=signals.loss,
            rate=signals.rate,
            more=self._box.evidence([p.pid for p in processes or () if p.alive]) if self._box is not None else (),
            sample=run.samples.latest,
            lately=_lately(run),
            disk_free_bytes=_free_bytes(run) if run.diagnosis is None or run.diagnosis.state in LIVE_STATES else None,
        )

    def _told(self, run: RunState) -> set[int]:
        """Return the processes that the run's own files name and say to be of this box: none need have seen them."""
        seen_all = self._look is not None and self._look.complete
        return run.facts.pids if seen_all and run.facts.host == self._host else set()

    def _processes(self, run: RunState) -> tuple[ProcessFact, ...] | None:
        """Return the run's processes as last looked at, those that went away included; None when nobody looked."""
        look = self._look
        if look is None or run.found.path not in look.by_run:
            return None
        alive = look.by_run[run.found.path]
        # A trainer that was seen is not replaced by whoever merely stands in its folder.
        run.trainers |= {p.pid for p in alive if p.reason != WORKS_IN}
        if run.trainers:
            alive = tuple(p for p in alive if p.reason != WORKS_IN)
        facts = [ProcessFact(p.pid, True, p.status, p.cpu_percent, p.name, p.reason) for p in alive]
        gone = ((run.trainers or run.seen_alive) | self._told(run)) - {p.pid for p in alive}
        run.seen_alive |= {p.pid for p in alive}
        return (*facts, *(ProcessFact(pid, False) for pid in sorted(gone)))


def _is_over(e: Evidence, found: Diagnosis) -> bool:
    """Say whether nothing more is to come of a run; one that diverged may well go on."""
    if found.state != "diverged":
        return found.state not in _OPEN
    if e.end is not None and not e.end.stale:
        return True
    return not any(p.alive for p in e.processes or ()) and not e.silence_s <= e.cadence.stall_after_s


def _patience(e: Evidence, found: Diagnosis) -> float:
    """Return for how many seconds time alone cannot change what was found."""
    if found.state in ("saving", "evaluating"):
        return _PHASE_S
    if found.state not in _OPEN or math.isnan(e.silence_s):
        return AGAIN_S
    if any(not p.alive for p in e.processes or ()):
        return BEAT_S  # it is about to be told ended, unless an end marker comes
    limits = (e.cadence.stall_after_s, e.cadence.critical_after_s)
    left = min((limit - e.silence_s for limit in limits if limit > e.silence_s), default=AGAIN_S)
    return min(max(left, BEAT_S), RUNNING_S if found.state == "running" else AGAIN_S)


def _pids(facts: Iterable[Seen]) -> frozenset[int]:
    return frozenset(fact.pid for fact in facts)


def _open(run: RunState) -> bool:
    return run.diagnosis is None or run.diagnosis.state in _OPEN


def _coarse(evidence: tuple[str, ...]) -> tuple[str, ...]:
    """Return the evidence without its numbers and durations: a line whose seconds tick is not news."""
    return tuple(_NUMBERS.sub("0", line) for line in evidence)


def _lately(run: RunState) -> Lately | None:
    """Return what the machine did during the last minutes, if it was sampled while the newest rows were written."""
    newest = run.samples.latest
    near = newest is not None and abs(newest.wall - run.last_row_wall) <= NEAR_S
    return run.samples.lately() if near else None


def _free_bytes(run: RunState) -> float | None:
    try:
        status = os.statvfs(run.found.path)
    except OSError:
        return None
    return float(status.f_bavail) * status.f_frsize
