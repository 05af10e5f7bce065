"""What detectors say and what operators read: observations, alerts, silences, and the name of an alert."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s

from mens_console.signals.byvalue import ByValue
from mens_console.signals.rules import Severity


class AlertState(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class Signal(StrEnum):
    """What a detector says: the condition holds, it is past its exit threshold, or nothing can be said.

    ``over`` says that what could have the condition is no more, a run that ended: nothing is left to recover.
    """

    BREACH = "breach"
    CLEAR = "clear"
    NODATA = "nodata"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Observation(ByValue):
    """One statement of a detector about `entity` (a run), at event time `wall` (NaN unknown) and `step`.

    `severity`, `threshold` and `message` default to the rule's. A `standing` condition is looked at by the clock, so
    that how often it is seen tells nothing: its episode counts once. `began` is when it came to hold at this severity,
    where that is known to be earlier than `wall`, when it was noticed.
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
    standing: bool = False
    began: float = math.nan


@dataclass(frozen=True, slots=True)
class AlertView(ByValue):
    """One alert: a rule that holds or held for an entity.

    `since`, `last_seen` and `resolved_at` are event times in seconds (NaN unknown) of this episode; `first_seen` and
    `first_step` are where the first one began. `count` are the observations of the condition over all episodes (of a
    standing one the episodes). `value`, `threshold` and `message` are the newest; `evidence` is what it fired on, and
    `fired_on` what `message` was then, or when it became worse at `worse_at` (of a standing one the newest). `place` is
    whom it is about whichever folders are searched: the real path of a run; "" where `entity` says that already.
    `nodata` means that its source is silent: the state is the last known. `flaps` counts how often it fired anew within
    an hour after it was resolved; `note` is what whoever acknowledged it wrote; `silenced_until` is NaN when it is not
    silenced; `inhibited_by` names the rule of the alert that it follows from, "" for none. One that is resolved was
    `held` where nothing but the end of its run ended it.
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
    note: str = ""
    silenced_until: float = math.nan
    inhibited_by: str = ""
    latched: bool = False
    held: bool = False
    place: str = ""
    first_seen: float = math.nan
    first_step: int | None = None
    fired_on: str = ""
    worse_at: float = math.nan

    @property
    def identity(self) -> str:
        """Return whom it is about, by the name that is the same wherever one looks from."""
        return self.place or self.entity

    @property
    def returned(self) -> bool:
        """Say whether there was an earlier episode, as far as moments tell."""
        both = self.since_step is not None and self.first_step is not None
        return self.since > self.first_seen or (both and self.since_step != self.first_step)

    @property
    def unit_of_progress(self) -> str:
        """Return what `since_step` and `last_step` count: batches of attempts where it is about generation."""
        return "batch" if self.entity.startswith("generation:") else "step"

    @property
    def quiet(self) -> bool:
        """Say whether it is silenced, or follows from an alert that is on too: shown, but neither counted nor rung."""
        return bool(self.inhibited_by) or self.silenced_until == self.silenced_until

    @property
    def active(self) -> bool:
        """Say whether it is pending, firing or recovering."""
        return self.state is not AlertState.RESOLVED


@dataclass(frozen=True, slots=True)
class Silence(ByValue):
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
        about = ("*", view.entity, view.identity)
        return self.start <= now < self.end and self.rule in ("*", view.rule) and self.entity in about


def fingerprint(rule: str, entity: str) -> str:
    """Return the 12 hex digits that name the alert of this rule on this entity, for ever.

    `entity` is to be the name that is the same whichever folders are searched (`AlertView.identity`).
    """
    return blake2s(f"{rule}\0{entity}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
