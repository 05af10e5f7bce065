"""The reducer of alerts: observations of detectors in, one row per fingerprint out.

Deterministic and on event time; it reads no clock, rings no bell and writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerttracks import Track, began, flaps
from mens_console.signals.alerttypes import AlertState, AlertView, Observation, Signal, Silence, fingerprint
from mens_console.signals.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.signals.rules import Rule

__all__ = ("AlertReducer", "AlertState", "AlertView", "Observation", "Signal", "Silence", "fingerprint")


class AlertReducer:
    """Alerts by fingerprint: pending → firing → recovering → resolved.

    Each alert has an event time of its own that never goes back: an observation that comes late counts at the latest
    time seen of that alert. So neither the order in which columns of one run are read nor how they are cut changes
    anything. A condition fires once it has held for the rule's `for_s`, and is resolved once it has been past its exit
    for `recover_s` without coming back; both happen at their deadline, whether an observation or `advance` tells it.
    Where no time is known there is nothing to wait for: it is resolved at once.

    Within an episode the severity only rises, and a rise takes back the acknowledgement. `NODATA` resolves nothing and
    holds deadlines up. A latched alert ends when it is acknowledged and its condition is over, whichever comes last; it
    fires again only after a `CLEAR` in between, so that a NaN that goes on does not ring at every row. What holds when
    its run ends is resolved as `held`. A rule that is not enabled has no alerts. `place` gives the name by which an
    entity is known whichever folders are searched; fingerprints are made of that.
    """

    __slots__ = ("_now", "_rules", "_told", "_tracks", "place", "rev")

    def __init__(self, rules: Mapping[str, Rule] = RULES, place: Callable[[str], str] = str) -> None:
        self._rules = rules
        self.place = place
        self._tracks: dict[str, Track] = {}
        self._now = math.nan
        self._told: tuple[int, tuple[AlertView, ...]] = (-1, ())
        self.rev = 0

    @property
    def now(self) -> float:
        """Return the latest event time of any alert, NaN before the first dated observation."""
        return self._now

    def apply(self, seen: Observation) -> AlertView | None:
        """Take one observation in; return the alert's new view, or None if nothing changed."""
        rule = self._rules[seen.rule]
        if not rule.enabled:
            return None
        self._reach(seen.wall)
        key = fingerprint(seen.rule, self.place(seen.entity))
        track = self._tracks.get(key)
        if track is None:
            if seen.signal is not Signal.BREACH:
                return None
            track = self._tracks[key] = Track()
        if math.isfinite(seen.wall) and not seen.wall <= track.at:
            track.at = seen.wall
        old, was_on = track.view, track.on
        self._ripen(track, track.at)
        match seen.signal:
            case Signal.BREACH:
                self._breach(key, track, seen, rule)
            case Signal.NODATA:
                if track.view is not None and track.view.active:
                    track.view = replace(track.view, nodata=True)
            case _:
                self._clear(track, rule, over=seen.signal is Signal.OVER)
        self._ripen(track, track.at)
        if track.view is None:
            del self._tracks[key]
        elif track.view == old:
            self.rev += track.on != was_on  # what follows from it may look otherwise
            return None
        self.rev += 1
        return track.view

    def _reach(self, wall: float) -> None:
        if math.isfinite(wall) and not wall <= self._now:
            self._now = wall

    def advance(self, wall: float) -> bool:
        """Let time pass to `wall` (seconds) without an observation; return whether an alert changed by it."""
        self._reach(wall)
        changed = False
        for track in self._tracks.values():
            if track.view is not None and track.view.state in _WAITING and self._ripen(track, wall):
                changed = True
        self.rev += changed
        return changed

    def _ripen(self, track: Track, at: float) -> bool:
        """Make the change whose deadline lies before `at`; return whether there was one."""
        view = track.view
        if view is None or view.nodata or view.state not in _WAITING or at != at:
            return False
        rule = self._rules[view.rule]
        if view.state is AlertState.PENDING:
            if view.since != view.since:
                first = at if view.first_seen != view.first_seen else view.first_seen
                track.view = replace(view, since=at, first_seen=first)  # the first that is known of its time
                return True
            if at < view.since + rule.for_s:
                return False
            track.reach(view.since + rule.for_s)
            track.view = replace(view, state=AlertState.FIRING, flaps=flaps(track.before, view.since))
            return True
        deadline = track.left + rule.recover_s
        if at < deadline:
            return False
        track.reach(deadline)
        track.view = replace(view, state=AlertState.RESOLVED, resolved_at=deadline)
        return True

    def _breach(self, key: str, track: Track, seen: Observation, rule: Rule) -> None:
        old = track.view
        track.on = True
        severity = seen.severity or rule.severity
        threshold = rule.entry if seen.threshold is None else seen.threshold
        message = seen.message or rule.title
        track.over = False
        if old is not None and track.held:  # acknowledged, and it never stopped: the run was not over after all
            old, track.held = replace(old, state=AlertState.FIRING, resolved_at=math.nan, held=False), False
        if old is None or not old.active:
            state = AlertState.PENDING if rule.for_s > 0.0 else AlertState.FIRING
            track.before = old
            since = began(seen, track.at, math.nan if old is None else old.resolved_at)
            track.view = AlertView(
                key, seen.rule, seen.entity, severity, state, since, seen.step, track.at, seen.step,
                1 if old is None else old.count + 1, seen.value, threshold, rule.unit, message, rule.recommendation,
                seen.evidence, flaps=flaps(old, track.at) if state is AlertState.FIRING else 0, latched=rule.latched,
                place=self.place(seen.entity), first_seen=since if old is None else old.first_seen,
                first_step=seen.step if old is None else old.first_step, fired_on=message,
            )  # fmt: skip
            return
        worse = severity.rank > old.severity.rank
        fresh = worse or old.state is AlertState.PENDING  # the evidence kept is what it fired on
        track.view = replace(
            old,
            state=AlertState.FIRING if old.state is AlertState.RECOVERING else old.state,
            severity=severity if worse else old.severity,
            since=track.at if old.since != old.since else old.since,
            first_seen=track.at if old.first_seen != old.first_seen else old.first_seen,
            last_seen=track.at,
            last_step=seen.step,
            count=old.count + (not seen.standing),
            value=seen.value,
            threshold=threshold,
            message=message,
            fired_on=message if fresh or seen.standing else old.fired_on,
            worse_at=began(seen, track.at, old.since) if worse else old.worse_at,
            evidence=seen.evidence if fresh else old.evidence,
            acknowledged=old.acknowledged and not worse,
            acknowledged_by="" if worse else old.acknowledged_by,
            note="" if worse else old.note,
            nodata=False,
        )

    def _clear(self, track: Track, rule: Rule, *, over: bool) -> None:
        old = track.view
        if over and rule.latched:  # it ends only by acknowledgement, and goes on explaining what follows from it
            track.over = True
            if old is not None and old.active and old.acknowledged:
                self._end_held(track, old, track.at)
            return
        held = over and track.on
        track.on = track.held = track.over = False
        if old is None or not old.active:
            return
        if old.state is AlertState.PENDING:  # it never fired, so it never was
            track.view = None if track.before is None else replace(track.before, count=old.count)
        elif rule.latched and not old.acknowledged:
            track.view = replace(old, nodata=False)
        elif rule.latched or over or rule.recover_s <= 0.0 or track.at != track.at:
            track.view = replace(old, state=AlertState.RESOLVED, nodata=False, resolved_at=track.at, held=held)
        elif old.state is AlertState.FIRING:
            track.left = track.at
            track.view = replace(old, state=AlertState.RECOVERING, nodata=False)
        else:
            track.view = replace(old, nodata=False)

    @staticmethod
    def _end_held(track: Track, view: AlertView, at: float) -> None:
        """Resolve an acknowledged, latched alert with the run that has it; whether it held to that end is kept."""
        track.held = track.on
        track.view = replace(view, state=AlertState.RESOLVED, nodata=False, resolved_at=at, held=track.on)

    def acknowledge(self, key: str, by: str = "", note: str = "") -> AlertView | None:
        """Mark an active alert as seen by somebody; a latched one that is over is resolved by it. None: no such."""
        track = self._tracks.get(key)
        old = track.view if track is not None else None
        if track is None or old is None or not old.active:
            return None
        track.view = replace(old, acknowledged=True, acknowledged_by=by, note=note)
        if self._rules[old.rule].latched and old.state is not AlertState.PENDING and (track.over or not track.on):
            at = track.at if not self._now > track.at else self._now
            self._end_held(track, track.view, at)
        self.rev += 1
        return track.view

    def new_run(self, entity: str) -> None:
        """Resolve everything about `entity`: another run has taken its place."""
        for key, track in list(self._tracks.items()):
            view = track.view
            if view is None or view.entity != entity:
                continue
            track.on = track.held = track.over = False
            if view.state is AlertState.PENDING:
                track.view = track.before
                if track.before is None:
                    del self._tracks[key]
            elif view.active:
                track.view = replace(view, state=AlertState.RESOLVED, nodata=False, resolved_at=self._now)
            self.rev += 1

    def get(self, rule: str, entity: str) -> AlertView | None:
        """Return the alert of `rule` on `entity`, None if it never began."""
        key = fingerprint(rule, self.place(entity))
        return next((view for view in self.views if view.fingerprint == key), None)

    @property
    def views(self) -> tuple[AlertView, ...]:
        """Return all alerts: active before resolved, worst first, then oldest first, then by rule.

        One says what it follows from where that fires on the same entity, for as long as the cause goes on. While the
        cause recovers, or is latched and acknowledged, that is so until the alert itself is observed anew: what one
        point set off is not told a second time because its cause is past.
        """
        if self._told[0] != self.rev:
            causes = {
                (track.view.entity, track.view.rule): track
                for track in self._tracks.values()
                if track.view is not None
                and (track.view.state in _CAUSES or (track.view.latched and track.view.acknowledged))
            }
            views = [self._dressed(track.view, causes) for track in self._tracks.values() if track.view is not None]
            self._told = (self.rev, tuple(sorted(views, key=_order)))
        return self._told[1]

    def _dressed(self, view: AlertView, causes: Mapping[tuple[str, str], Track]) -> AlertView:
        if view.active and causes:
            for rule in self._rules[view.rule].inhibited_by:
                cause = causes.get((view.entity, rule))
                if cause is not None and cause.view is not None:
                    news = view.last_seen > cause.view.last_seen
                    if cause.on or not news:
                        return replace(view, inhibited_by=rule)
        return view


_CAUSES: Final = frozenset({AlertState.FIRING, AlertState.RECOVERING})
"""States in which others follow from an alert."""
_WAITING: Final = frozenset({AlertState.PENDING, AlertState.RECOVERING})
"""States that time alone ends."""


def _order(view: AlertView) -> tuple[bool, int, float, str, str]:
    since = view.since if math.isfinite(view.since) else -math.inf
    return (not view.active, -view.severity.rank, since, view.rule, view.entity)
