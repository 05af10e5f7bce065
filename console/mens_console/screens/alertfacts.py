"""One alert in words: what, why and what to do, the rule behind it, its course, and who asked for silence.

Also what the screen says when there is none. Pure functions from views to lines of a sheet.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.alertrows import (
    EVENTS,
    TOLD,
    limit_text,
    measure,
    severity_look,
    standing_look,
    value_text,
)
from mens_console.screens.sheet import LABEL, Line, fact, heading, prose
from mens_console.screens.words import age, moment_text, silenced
from mens_console.signals.human import step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo

    from mens_console.screens.alertrows import Entry
    from mens_console.signals.alerts import AlertView, Silence
    from mens_console.signals.rules import Rule
    from mens_console.store.snapshot import NotifierView, RunView, Snapshot

STALE_S: Final = 60.0
"""A daemon that has not beaten for so long is not trusted to notify anybody."""
SOAK_RULES: Final = frozenset({"soak_uptime", "soak_errors", "soak_died"})
_ALWAYS: Final = frozenset({"arrivals", "process", "volume"})
"""Facts that the console looks up itself for every run."""


def detail_lines(
    entry: Entry,
    rule: Rule | None,
    silences: Sequence[Silence],
    followers: Sequence[AlertView],
    now: float,
    width: int,
    zone: tzinfo | None = None,
) -> list[Line]:
    """Return everything about an alert. `rule` is None where it is not in the table; `followers` it inhibits."""
    alert = entry.alert
    sign, severity, tint = severity_look(alert)
    glyph, word, ink = standing_look(alert)
    title = rule.title if rule is not None else alert.rule
    lines: list[Line] = [
        ((f"{sign} {severity}  ", tint), (safe_text(title, 120), "strong")),
        ((f"{glyph} {word}", ink), (_also(alert, word), "muted"), (f"  {safe_text(entry.place, 120)}", "muted")),
    ]
    if (message := safe_text(alert.message)) and message != title:
        lines += prose(message, width)
    lines += prose(safe_text(alert.recommendation), width, "accent", "→ ")
    lines += _quiet_lines(alert, silences, now, width, zone)
    if followers:
        names = ", ".join(dict.fromkeys(safe_text(follower.rule, 40) for follower in followers))
        lines += prose(f"holds back {names}", width, "muted", "↳ ")
    if alert.evidence:
        lines += heading("Evidence")
        if alert.fired_on and alert.fired_on != alert.message:
            lines += prose(f"it fired on: {safe_text(alert.fired_on)}", width, "", "· ")
        for text in alert.evidence:
            lines += prose(safe_text(text), width, "", "· ")
    lines += heading("Course") + _course(alert, now, width, zone)
    return lines + heading("Rule") + _rule_lines(alert, rule, width)


def _also(alert: AlertView, word: str) -> str:
    """Return what else is true of it beside the one word."""
    facts = [str(alert.state)] if alert.active else []
    facts += ["latched"] * alert.latched + ["acknowledged"] * alert.acknowledged
    facts += ["no data: its source is silent"] * alert.nodata
    rest = [fact for fact in facts if fact != word and not (fact.startswith("no data") and word == "no data")]
    if alert.nodata and word == "no data":
        rest = [f"last known: {alert.state}", *(fact for fact in rest if fact != str(alert.state))]
    return "".join(f" · {fact}" for fact in rest)


def _quiet_lines(
    alert: AlertView, silences: Sequence[Silence], now: float, width: int, zone: tzinfo | None
) -> list[Line]:
    lines: list[Line] = []
    if alert.inhibited_by:
        lines += prose(f"follows from {safe_text(alert.inhibited_by, 40)}, which is on too", width, "muted", "↳ ")
    for silence in silences:
        lines += prose(silence_text(silence, now, zone), width, "muted", "⊘ ")
    if silenced(alert) and not silences:
        lines += prose(f"silenced {until(alert.silenced_until, now, zone)}", width, "muted", "⊘ ")
    return lines


def until(end: float, now: float, zone: tzinfo | None = None) -> str:
    """Return ``until 14:00``, or ``until the run ends`` for a silence without an end."""
    return "until the run ends" if math.isinf(end) else f"until {moment_text(end, now, zone)}"


def silence_text(silence: Silence, now: float, zone: tzinfo | None = None) -> str:
    """Return a silence in a sentence: how long, by whom, for what, and why."""
    scope = [] if silence.rule != "*" else ["every rule"]
    scope += [] if silence.entity != "*" else ["everywhere"]
    text = f"silenced {until(silence.end, now, zone)} by {safe_text(silence.author, 40) or 'somebody'}"
    text += f" ({', '.join(scope)})" if scope else ""
    return text + (f": {safe_text(silence.comment, 200)}" if silence.comment else "")


def _course(alert: AlertView, now: float, width: int, zone: tzinfo | None) -> list[Line]:
    def moment(label: str, wall: float, at_step: int | None = None, ink: str = "") -> Line:
        old = age(wall, now)
        notes = [] if old == "—" else ["now" if old == "now" else f"{old} ago"]
        notes += [f"{alert.unit_of_progress} {step(at_step)}"] if at_step is not None else []
        return fact(label, moment_text(wall, now, zone), ink, ", ".join(notes))

    lines = [moment("first", alert.first_seen, alert.first_step)] if alert.returned else []
    lines.append(moment("since", alert.since, alert.since_step))
    if alert.count > 1 or alert.last_step != alert.since_step:
        lines.append(moment("last seen", alert.last_seen, alert.last_step))
    flaps = f"came back {alert.flaps}× within an hour" if alert.flaps else ""
    lines.append(fact("seen", f"{alert.count}×", "", flaps or ("in all" if alert.returned else "")))
    if alert.acknowledged:
        said = [safe_text(alert.acknowledged_by, 200), safe_text(alert.note, 500)]
        pieces = prose(f"✓ {': '.join(filter(None, said))}".rstrip(), max(width - LABEL - 1, 8))
        lines += [(*fact("acknowledged" if not i else "", ""), *piece) for i, piece in enumerate(pieces)]
    if not alert.active:
        lines.append(
            moment(
                *(("held until", alert.resolved_at) if alert.held else ("resolved", alert.resolved_at, None, "good"))
            )
        )
    return lines


def _rule_lines(alert: AlertView, rule: Rule | None, width: int) -> list[Line]:
    bare = math.isnan(alert.value) or alert.unit in (*EVENTS, *TOLD)
    lines = [
        fact("rule", safe_text(alert.rule, 40)),
        fact("value", value_text(alert), "strong", "" if bare else safe_text(alert.unit, 40)),
        fact("limit", limit_text(alert)),
    ]
    if rule is None:
        return [*lines, (("no rule of this name is in the table", "warn"),)]
    pieces = prose(rule.condition, max(width - LABEL - 1, 8), "muted")
    lines += [(*fact("fires when" if not i else "", ""), *piece) for i, piece in enumerate(pieces)]
    entry = "once" if rule.unit in EVENTS and rule.entry <= 1 else measure(rule.entry, rule.unit)
    entry += f", critical at {measure(rule.critical, rule.unit)}" if rule.critical is not None else ""
    holds = [f"{rule.for_points} points"] if rule.for_points > 1 else []
    holds += [measure(rule.for_s, "s")] if rule.for_s else []
    lines.append(fact("entry", entry, "", "" if entry == "once" or rule.unit in TOLD else safe_text(rule.unit, 40)))
    if rule.latched:
        lines.append(fact("exit", "latched", "", "ends when acknowledged and over, or with a new run"))
    else:
        calm = f"after {measure(rule.recover_s, 's')} of calm" if rule.recover_s else ""
        lines.append(fact("exit", "when it is over" if entry == "once" else measure(rule.exit, rule.unit), "", calm))
    lines.append(fact("for", " and ".join(holds) or "at once"))
    if rule.inhibited_by:
        lines.append(fact("held back by", ", ".join(rule.inhibited_by), "muted"))
    return lines


# The daemon


def notifier_line(notifier: NotifierView | None, now: float) -> tuple[str, str]:
    """Return what is known of the daemon that notifies, and its ink."""
    if notifier is None:
        return "not running", "muted"
    old = age(notifier.beat_at, now)
    seen = "now" if old == "now" else f"{old} ago"
    if notifier.problem:
        return safe_text(notifier.problem, 120), "warn"
    if not now - notifier.beat_at <= STALE_S:
        return f"daemon silent, last beat {seen if old != '—' else 'unknown'}", "warn"
    return f"daemon alive, {seen}", "good"


def status_line(seen: Sequence[str], notifier: tuple[str, str] | None, width: int) -> Line:
    """Return the line under the table; where it is narrow, the daemon's state does without its label."""
    note = f" {' · '.join(seen)}"
    if notifier is None:
        return ((note, "muted"),)
    wide = len(note) + len(notifier[0]) + 18 <= width
    return ((note, "muted"), (" · notifications: " if wide else " · ", "muted"), notifier)


# Nothing to show


def no_alerts(snapshot: Snapshot, rules: Mapping[str, Rule], width: int) -> list[Line]:
    """Return the page of a box on which nothing has ever fired, with what was not looked at for want of data."""
    width = min(width, 76)
    runs = snapshot.runs
    many = f"{len(runs)} run{'s' * (len(runs) != 1)}"
    watching = [rule for rule in rules.values() if rule.enabled]
    lacking = [rule for rule in watching if not any(fed(rule, run) for run in runs) and not _fed_by_box(rule, snapshot)]
    off = [rule.id for rule in rules.values() if not rule.enabled]
    lines: list[Line] = [(), ((f"No alert in {many}.", "strong"),), ()]
    if snapshot.scanning:
        lines += prose("History is still being read; what follows may change.", width, "accent")
    seeing = len(watching) - len(lacking)
    lines += prose(f"{len(watching)} rules watch; {seeing} of them have data from at least one run.", width)
    if lacking:
        lines += [(), ((f"{len(lacking)} lack their data, so they could not have fired:", "warn"),)]
        for needs, names in _by_needs(lacking):
            lines += prose(f"{', '.join(names)}  (needs {needs})", width, "muted", "  · ")
    if off:
        lines += [(), *prose(f"Turned off in the configuration: {', '.join(off)}", width, "warn")]
    return lines


def _by_needs(lacking: Iterable[Rule]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for rule in lacking:
        groups.setdefault(", ".join(rule.needs) or "nothing named", []).append(rule.id)
    return list(groups.items())


ANY_OF: Final = frozenset({"throughput_degrading", "ece", "eval_json_errors"})
"""Rules that look at whichever of the things they name there is; the others need all of them."""


def fed(rule: Rule, run: RunView) -> bool:
    """Say whether a run gives a rule what it needs."""
    found = [_has(need, run) for need in rule.needs]
    return any(found) if rule.id in ANY_OF else all(found)


def _has(need: str, run: RunView) -> bool:
    """Say whether a run has a metric, or a fact, by the name that the table of rules gives it."""
    if " or " in need:
        return any(_has(one, run) for one in need.split(" or "))
    if need in run.series:
        return run.series[need].points > 0
    if need == "wall time":
        return any(len(one.walls) and math.isfinite(float(one.walls[-1])) for one in run.series.values())
    if need == "log":
        return bool(run.logs)
    if need == "checkpoints":
        return bool(run.checkpoints)
    if need == "lora pairs":
        return run.layers is not None
    return need in _ALWAYS


def _fed_by_box(rule: Rule, snapshot: Snapshot) -> bool:
    """Say whether a soak, or a GPU of this machine that has the sensor, tells what a rule looks at."""
    if rule.id in SOAK_RULES:
        return any(soak.report is not None for soak in snapshot.soaks)
    gpus = snapshot.machine.gpus if snapshot.machine is not None else ()
    sensors = {"gpu_thermal": "throttle", "gpu_power": "throttle", "gpu_ecc": "ecc", "gpu_xid": "xids"}
    sensor = sensors.get(rule.id)
    return sensor is not None and any(getattr(gpu, sensor) is not None for gpu in gpus)
