"""What a notification says: plain sentences about alerts, in which no foreign text can be anything but text.

Pure functions; where messages go is `routes`'s business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from mens_console.ingest.text import safe_text
from mens_console.signals.byvalue import ByValue
from mens_console.signals.human import against, span, step
from mens_console.signals.rules import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.notify.sightings import Sighting
    from mens_console.signals.rules import Rule

LISTED: Final = 10
"""Alerts told in full; the others are counted."""
_NAME: Final = 80
_TEXT: Final = 300
_WORDS: Final = {"firing": "fires", "escalated": "got worse", "resolved": "is over"}
_DEFUSED: Final = str.maketrans({"@": "＠", "<": "‹", ">": "›", "`": "'", "*": "∗", "[": "⁅", "]": "⁆", "|": "¦"})
"""What chat services read as a mention, a link, an emphasis or a command, in letters that look alike."""

Kind = Literal["alerts", "drill", "heartbeat"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: one line of subject, lines of plain text, the worst severity in it, and which alerts it is about."""

    kind: Kind
    subject: str
    body: str
    severity: Severity
    fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice(ByValue):
    """One alert to be told of: what happened to it, decided at `at` (s). `unheard` counts times it fired untold."""

    kind: Literal["firing", "escalated", "resolved"]
    sighting: Sighting
    at: float
    unheard: int = 0


def foreign(text: str, limit: int = _TEXT) -> str:
    """Return text that somebody else wrote as text that no terminal, chat or mail program acts upon."""
    return safe_text(text, limit).translate(_DEFUSED).replace("://", ":⁄⁄")


def compose(notices: Sequence[Notice], *, host: str, now: float) -> Message:
    """Return one message about all of these alerts (at least one), the worst first. Times are told in UTC."""
    order = sorted(notices, key=lambda n: (n.kind == "resolved", -n.sighting.view.severity.rank, n.at))
    first = order[0]
    worst = max((n.sighting.view.severity for n in order if n.kind != "resolved"), default=Severity.INFO, key=_rank)
    where = foreign(host, _NAME)
    head = f"{_subject_of(first.sighting)}: {foreign(first.sighting.view.message, 120)}"
    head += " (over)" if first.kind == "resolved" else ""
    word = str(worst) if first.kind != "resolved" else "resolved"
    more = f" and {len(order) - 1} more" if len(order) > 1 else ""
    lines = [line for notice in order[:LISTED] for line in (*_lines(notice, now), "")]
    if len(order) > LISTED:
        lines.append(f"… and {len(order) - LISTED} more alerts: mens-console alerts list")
    lines.append(f"told by mens-console on {where}")
    fingerprints = tuple(n.sighting.view.fingerprint for n in order)
    return Message("alerts", f"{word.upper()} {head}{more} ({where})", "\n".join(lines), worst, fingerprints)


def _rank(severity: Severity) -> int:
    return severity.rank


def _subject_of(seen: Sighting) -> str:
    return foreign(seen.run or seen.view.entity, _NAME)


def _lines(notice: Notice, now: float) -> list[str]:
    view = notice.sighting.view
    over = notice.kind != "resolved" and not notice.sighting.on
    lines = [f"{view.severity.upper()} · {_subject_of(notice.sighting)} · {view.rule} {_WORDS[notice.kind]}"]
    lines[0] += ", and held until its run ended" if view.held else ", and is over again" if over else ""
    lines.append(foreign(view.message))
    if math.isfinite(view.threshold):
        lines.append(against(view.value, view.threshold, foreign(view.unit, 40)))
    lines.append(f"since {when(view.since, view.since_step, now, view.unit_of_progress)}")
    if notice.kind == "resolved" and math.isfinite(view.resolved_at):
        lines.append(f"until {when(view.resolved_at, None, now)}")
    if view.count > 1:
        first = f"first {when(view.first_seen, view.first_step, now, view.unit_of_progress)}; " if view.returned else ""
        last = when(view.last_seen, view.last_step, now, view.unit_of_progress)
        lines.append(f"seen {step(view.count)} times: {first}last {last}")
    if notice.unheard:
        lines.append(f"it fired {notice.unheard} more times since the last message about it")
    if view.fired_on and view.fired_on != view.message:
        lines.append(f"it fired on: {foreign(view.fired_on)}")
    evidence = [text for text in view.evidence[:2] if text not in view.message]
    lines += [f"· {foreign(text)}" for text in evidence]
    if notice.kind != "resolved":
        lines.append(f"→ {foreign(view.recommendation)}")
    return lines


def when(wall: float, at_step: int | None, now: float, unit: str = "step") -> str:
    """Return ``2026-11-21 08:14:03 UTC (4 m ago), step 1 203`` with what is unknown left out."""
    parts = []
    if math.isfinite(wall) and abs(wall) < 1e11:
        parts.append(f"{stamp(wall)} ({span(max(now - wall, 0.0))} ago)")
    if at_step is not None:
        parts.append(f"{unit} {step(at_step)}")
    return ", ".join(parts) or "an unknown time"


def stamp(wall: float) -> str:
    """Return ``2026-11-21 08:14:03 UTC``."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def drill(rule: Rule, fingerprint: str, *, host: str, by: str, now: float) -> Message:
    """Return the message of a drill: what an alert of this rule would say, clearly marked."""
    where = foreign(host, _NAME)
    body = (
        "This is a DRILL: nothing is wrong.",
        f"{foreign(by, _NAME)} tests the alert {rule.id} on {where} at {stamp(now)}.",
        "",
        f"A real one of severity {rule.severity} would say:",
        foreign(rule.title),
        f"→ {foreign(rule.recommendation)}",
        "",
        f"told by mens-console on {where}",
    )
    return Message(
        "drill", f"DRILL {rule.id}: {foreign(rule.title)} ({where})", "\n".join(body), rule.severity, (fingerprint,)
    )


def ping(host: str, roots: int, now: float) -> Message:
    """Return the message that a dead man's switch waits for."""
    where = foreign(host, _NAME)
    subject = f"mens-console watches on {where} ({roots} folder{'s' if roots != 1 else ''})"
    return Message("heartbeat", subject, stamp(now), Severity.INFO)
