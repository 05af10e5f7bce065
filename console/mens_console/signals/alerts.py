"""The reducer of alerts: observations of detectors in, one row per fingerprint out.

Deterministic and on event time; it reads no clock, rings no bell and writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2s
from typing import TYPE_CHECKING

from mens_console.signals.rules import RULES, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.signals.rules import Rule


class AlertState(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class Signal(StrEnum):
    """What a detector says: the condition holds, it is past its exit threshold, or nothing can be said."""

    BREACH = "breach"
    CLEAR = "clear"
    NODATA = "nodata"


@dataclass(frozen=True, slots=True)
class Observation:
    """One statement of a detector about `entity` (a run), at event time `wall` (NaN unknown) and `step`.

    `severity`, `threshold` and `message` default to the rule's.
    """

    rule: str
    entity: str
    signal: Signal
    wall: float = math.nan
    step: int | None = None
    value: float = math.nan
    threshold: float | None = None
    severity: Severity | None = None
    message: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert: a rule that holds or held for an entity.

    `since` and `last_seen` are event times in seconds (NaN unknown), `count` the observations of the condition over
    all episodes, `evidence` what it fired on. `nodata` means that its source is silent: the state is the last known.
    `flaps` counts how often it fired anew within an hour after it was resolved; `silenced_until` is NaN when it is not
    silenced; `inhibited_by` names the rule of the alert that it follows from, "" for none.
    """

    fingerprint: str
    rule: str
    entity: str
    severity: Severity
    state: AlertState
    since: float
    since_step: int | None
    last_seen: float
    last_step: int | None
    count: int
    value: float
    threshold: float
    unit: str
    message: str
    recommendation: str
    evidence: tuple[str, ...] = ()
    acknowledged: bool = False
    nodata: bool = False
    resolved_at: float = math.nan
    flaps: int = 0
    acknowledged_by: str = ""
    silenced_until: float = math.nan
    inhibited_by: str = ""
    latched: bool = False

    @property
    def quiet(self) -> bool:
        """Say whether it is silenced, or follows from an alert that is on too: shown, but neither counted nor rung."""
        return bool(self.inhibited_by) or self.silenced_until == self.silenced_until

    @property
    def active(self) -> bool:
        """Say whether it is pending, firing or recovering."""
        return self.state is not AlertState.RESOLVED


@dataclass(frozen=True, slots=True)
class Silence:
    """An operator's wish to hear nothing of some alerts until `end` (event times in seconds).

    `rule` and `entity` are exact ids, or ``*`` for any.
    """

    id: str
    rule: str
    entity: str
    author: str
    comment: str
    start: float
    end: float

    def covers(self, view: AlertView, now: float) -> bool:
        """Say whether it holds at `now` and is about this alert."""
        return self.start <= now < self.end and self.rule in ("*", view.rule) and self.entity in ("*", view.entity)


def fingerprint(rule: str, entity: str) -> str:
    """Return the 12 hex digits that name the alert of this rule on this entity, for ever and on every machine."""
    return blake2s(f"{rule}\0{entity}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


class AlertReducer:
    """Alerts by fingerprint: pending → firing → resolved.

    Event time never goes back: an observation that comes late counts at the latest time seen. A condition fires once
    it has held for the rule's `for_s`. Within an episode the severity only rises. `CLEAR` resolves what is not
    latched; `NODATA` resolves nothing. An acknowledged latched alert is resolved, and fires again only after a
    `CLEAR` in between, so that a NaN that goes on does not ring at every row.
    """

    __slots__ = ("_fired", "_held", "_now", "_rules", "_views", "rev")

    def __init__(self, rules: Mapping[str, Rule] = RULES) -> None:
        self._rules = rules
        self._views: dict[str, AlertView] = {}
        self._fired: set[str] = set()
        self._held: set[str] = set()
        self._now = math.nan
        self.rev = 0

    @property
    def now(self) -> float:
        """Return the event time reached, NaN before the first dated observation."""
        return self._now

    def apply(self, seen: Observation) -> AlertView | None:
        """Take one observation in; return the alert's new view, or None if nothing changed."""
        if math.isfinite(seen.wall):
            self._now = seen.wall if math.isnan(self._now) else max(self._now, seen.wall)
        key = fingerprint(seen.rule, seen.entity)
        old = self._views.get(key)
        if seen.signal is Signal.BREACH:
            new: AlertView | None = self._breach(key, old, seen)
        elif old is None:
            return None
        elif seen.signal is Signal.CLEAR:
            new = self._clear(key, old)
        else:
            new = replace(old, nodata=True) if old.active else old
        if new is None:
            del self._views[key]
        elif new == old:
            return None
        else:
            self._views[key] = new
            if new.state is AlertState.FIRING:
                self._fired.add(key)
        self.rev += 1
        return new

    def _breach(self, key: str, old: AlertView | None, seen: Observation) -> AlertView:
        rule = self._rules[seen.rule]
        severity = seen.severity or rule.severity
        threshold = rule.entry if seen.threshold is None else seen.threshold
        message = seen.message or rule.title
        if old is not None and key in self._held:  # acknowledged, and it never stopped
            return replace(old, count=old.count + 1, last_seen=self._now, last_step=seen.step, value=seen.value)
        if old is None or not old.active:
            state = AlertState.PENDING if rule.for_s > 0.0 else AlertState.FIRING
            count = 1 if old is None else old.count + 1
            return AlertView(
                key, seen.rule, seen.entity, severity, state, self._now, seen.step, self._now, seen.step, count,
                seen.value, threshold, rule.unit, message, rule.recommendation, seen.evidence,
            )  # fmt: skip
        state = old.state
        if state is AlertState.PENDING and self._now - old.since >= rule.for_s:
            state = AlertState.FIRING
        worse = severity.rank > old.severity.rank
        fresh = worse or state is not old.state  # the evidence kept is what it fired on
        return replace(
            old,
            state=state,
            severity=severity if worse else old.severity,
            since=self._now if math.isnan(old.since) else old.since,
            last_seen=self._now,
            last_step=seen.step,
            count=old.count + 1,
            value=seen.value,
            threshold=threshold if fresh else old.threshold,
            message=message if fresh else old.message,
            evidence=seen.evidence if fresh else old.evidence,
            nodata=False,
        )

    def _clear(self, key: str, old: AlertView) -> AlertView | None:
        self._held.discard(key)
        if old.state is AlertState.PENDING:
            return replace(old, state=AlertState.RESOLVED, nodata=False) if key in self._fired else None
        if old.state is AlertState.FIRING and not self._rules[old.rule].latched:
            return replace(old, state=AlertState.RESOLVED, nodata=False)
        return replace(old, nodata=False)

    def acknowledge(self, key: str) -> AlertView | None:
        """Mark an active alert as seen; a latched one is resolved by it. None if there is no such active alert."""
        old = self._views.get(key)
        if old is None or not old.active:
            return None
        state = old.state
        if self._rules[old.rule].latched:
            state = AlertState.RESOLVED
            self._held.add(key)
        new = replace(old, state=state, acknowledged=True)
        self._views[key] = new
        self.rev += 1
        return new

    def new_run(self, entity: str) -> None:
        """Resolve everything about `entity`: another run has taken its place."""
        for key, view in self._views.items():
            if view.entity == entity:
                self._held.discard(key)
                self._views[key] = replace(view, state=AlertState.RESOLVED, nodata=False)
                self.rev += 1

    def get(self, rule: str, entity: str) -> AlertView | None:
        """Return the alert of `rule` on `entity`, None if it never began."""
        return self._views.get(fingerprint(rule, entity))

    @property
    def views(self) -> tuple[AlertView, ...]:
        """Return all alerts: active before resolved, worst first, then oldest first, then by rule."""

        def order(view: AlertView) -> tuple[bool, int, float, str, str]:
            since = view.since if math.isfinite(view.since) else -math.inf
            return (not view.active, -view.severity.rank, since, view.rule, view.entity)

        return tuple(sorted(self._views.values(), key=order))
