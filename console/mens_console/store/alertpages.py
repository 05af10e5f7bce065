"""What the file of an alert book says: acknowledgements, silences, when consoles were left; and how that is written.

Values and bytes; which file it is, and who writes it when, is `alertbook`'s.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mens_console.signals.alerts import Silence
from mens_console.signals.byvalue import ByValue
from mens_console.signals.rules import Severity

if TYPE_CHECKING:
    from mens_console.signals.alerts import AlertView

SCHEMA: Final = "mens-alerts/1"
KEPT_S: Final = 30 * 86_400.0
"""How long an acknowledgement is kept, and a silence after its end."""
LEFT_KEPT_S: Final = 365 * 86_400.0
MOST: Final = 2000
"""Acknowledgements, and as many silences, kept at most; the newest stay."""
_SAME_S: Final = 1.0
"""Episodes without a step that began within a second of each other are the same one."""
_LATEST: Final = 2.5e11
"""Seconds to about the last year that a calendar shows (9999)."""


@dataclass(frozen=True, slots=True)
class Ack(ByValue):
    """An acknowledgement of one episode of an alert, when it was `severity` and had `value`.

    `place` is whom the alert is about.
    """

    place: str
    rule: str
    severity: Severity
    since: float
    since_step: int | None
    by: str
    at: float
    note: str = ""
    value: float = math.nan

    def covers(self, view: AlertView) -> bool:
        """Say whether this alert is the episode that was acknowledged, and has not become worse since.

        Episodes are told apart by the step that they began at, and only where there is none by the time: a rule that
        asks the clock finds another time after each restart, and another program has one of its own. So whatever was
        on already when it was acknowledged, and did not end before that, is what was meant.
        """
        if view.severity.rank > self.severity.rank:
            return False
        if view.since_step is not None or self.since_step is not None:
            return view.since_step == self.since_step
        if math.isnan(view.since) or math.isnan(self.since):
            return math.isnan(view.since) and math.isnan(self.since)
        return abs(view.since - self.since) <= _SAME_S or (view.since <= self.at and not view.resolved_at < self.at)

    def may_be_of(self, view: AlertView, boot: float) -> bool:
        """Say whether an alert of the machine that was on at the first look may be the episode acknowledged earlier.

        What counts events, since the machine was started at `boot` (s), must not have counted more of them by now.
        """
        if view.severity.rank > self.severity.rank or self.since_step is not None or view.since_step is not None:
            return False
        return not view.latched or (view.value <= self.value and self.at >= boot)


@dataclass(slots=True)
class Content:
    """What the file says. Silences name places, or ``*``, and may end never; `left` has a key for each set of roots."""

    acks: dict[tuple[str, str], Ack] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)

    def forget(self, key: tuple[str, str]) -> None:
        """Drop the acknowledgement of an alert, by its place and rule; one that is not there is no error."""
        self.acks.pop(key, None)

    def prune(self, now: float) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        acks = [(key, ack) for key, ack in self.acks.items() if now - ack.at < KEPT_S]
        self.acks = dict(sorted(acks, key=lambda item: item[1].at)[-MOST:])
        silences = [(key, one) for key, one in self.silences.items() if now - one.end < KEPT_S]
        self.silences = dict(sorted(silences, key=lambda item: item[1].end)[-MOST:])
        self.left = {key: at for key, at in self.left.items() if now - at < LEFT_KEPT_S}


class NotOursError(Exception):
    """The file is whole but of a later version: it is neither read nor replaced."""


def encode(content: Content) -> bytes:
    """Return the file's bytes."""
    document = {
        "schema": SCHEMA,
        "acks": [
            {
                "place": a.place, "rule": a.rule, "severity": str(a.severity), "since": _moment(a.since),
                "since_step": a.since_step, "by": a.by, "at": a.at, "note": a.note,
                "value": a.value if abs(a.value) < _LATEST else None,
            }
            for a in content.acks.values()
        ],
        "silences": [
            {
                "id": s.id, "rule": s.rule, "place": s.entity, "author": s.author, "comment": s.comment,
                "start": s.start, "end": _moment(s.end),
            }
            for s in content.silences.values()
        ],
        "left": content.left,
    }  # fmt: skip
    return json.dumps(document, indent=1).encode() + b"\n"


def decode(data: bytes) -> Content:
    """Return what the bytes say. Raises ValueError, KeyError or TypeError where they are no alert book."""
    document = json.loads(data)
    schema = document["schema"]
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith("mens-alerts/"):
            raise NotOursError(f"it is of a later version ({schema[:40]}), and this program does not touch it")
        raise ValueError(schema)
    acks = [_ack(row) for row in document["acks"]]
    silences = [_silence(row) for row in document["silences"]]
    return Content(
        {(ack.place, ack.rule): ack for ack in acks},
        {one.id: one for one in silences},
        {str(key): _finite(at) for key, at in document["left"].items()},
    )


def _ack(row: dict[str, Any]) -> Ack:
    since = row["since"]
    step = row["since_step"]
    if step is not None and not isinstance(step, int):
        raise TypeError(step)
    since = math.nan if since is None else _finite(since)
    place, rule, severity, by, note = (str(row[key]) for key in ("place", "rule", "severity", "by", "note"))
    value = row.get("value")  # books of earlier versions have none
    value = math.nan if value is None else _finite(value)
    return Ack(place, rule, Severity(severity), since, step, by, _finite(row["at"]), note, value)


def _silence(row: dict[str, Any]) -> Silence:
    id_, rule, place, author, comment = (str(row[key]) for key in ("id", "rule", "place", "author", "comment"))
    end = math.inf if row["end"] is None else _finite(row["end"])  # infinity: until the run ends
    return Silence(id_, rule, place, author, comment, _finite(row["start"]), end)


def _finite(value: Any) -> float:
    number = float(value)
    if not abs(number) < _LATEST:
        raise ValueError(value)
    return number


def _moment(value: float) -> float | None:
    return value if math.isfinite(value) else None
