"""A run in words: state with evidence, progress, figures, files, alerts, as lines of a sheet.

Pure functions from views to lines; numbers come as they are and are only formatted here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.panels import (
    accuracy_lines,
    checkpoint_lines,
    evaluation_lines,
    figures_lines,
    note,
    stage_lines,
)
from mens_console.screens.rows import step_text
from mens_console.screens.sheet import Line, fact, heading, prose
from mens_console.screens.systempanels import machine_lines
from mens_console.screens.words import (
    SEVERITY_LOOKS,
    STANDINGS,
    age,
    firing,
    look,
    rate_of,
    standing,
)
from mens_console.signals.human import count, duration, number, rate, size, span, step
from mens_widgets.bar import bar
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from datetime import tzinfo

    from mens_console.signals.alerts import AlertView
    from mens_console.signals.machine import VolumeSample
    from mens_console.store.snapshot import RunView, SourceView

ENDED = frozenset({"finished", "killed", "crashed", "diverged", "out_of_memory", "disk_full"})
"""States that are a moment in the past; the others last."""
BAD_LINES = 3
CONFIG_LINES = 24


def state_lines(run: RunView, now: float, width: int, evidence: int = 6) -> list[Line]:
    """Return what state the run is in, since when, and why it is thought so."""
    state = look(run.diagnosis.state)
    since = run.diagnosis.since
    held = "" if not math.isfinite(since) or not 0 < since < now - 60 else _coarse(span(now - since))
    held = f"  for {held}" if held and str(run.diagnosis.state) not in ENDED else f"  {held} ago" if held else ""
    lines: list[Line] = [((f"{state.glyph} {state.word}", state.ink), (held, "muted"))]
    for text in run.diagnosis.evidence[:evidence]:
        lines += prose(safe_text(text), width, "muted", "· ")
    if run.backlog is not None:
        share = run.backlog.fraction
        note = "preview of the newest rows" if run.preview else "history"
        lines.append(((f"reading {bar(share, 10)} {share:.0%} ", "accent"), (note, "muted")))
    if run.cold:
        lines.append((("points were put away; loading them again", "muted"),))
    return lines


def _coarse(held: str) -> str:
    """Drop the seconds, which would change every second."""
    return held.rsplit(" m ", 1)[0] + " m" if " m " in held and held.endswith(" s") else held


def progress_lines(run: RunView, width: int) -> list[Line]:
    """Return how far the run is and when it will be done."""
    lines: list[Line] = []
    share = run.progress
    if share is not None:
        lines.append(((bar(share, max(4, width - 8)), "accent"), (f" {share:6.1%}", "strong")))
    lines.append(fact("step", step_text(run), "strong"))
    eta = run.signals.eta
    if run.moving and eta is not None and math.isfinite(eta.seconds):
        interval = f"{duration(eta.low)} … {duration(eta.high)}"
        lines.append(fact("time left", duration(eta.seconds), "strong", f"{interval} at {eta.confidence:.0%}"))
    elif run.live and run.step is not None and run.signals.eta_reason:
        lines += note("time left", run.signals.eta_reason, width)
    if run.epoch is not None:
        total = f" / {number(run.total_epochs)}" if run.total_epochs else ""
        lines.append(fact("epoch", f"{run.epoch:.2f}{total}"))
    return lines


def alert_lines(run: RunView, now: float, width: int, most: int = 6) -> list[Line]:
    """Return the alerts that are on, or held when the run ended, with what to do; and how many more keep quiet."""
    alerts = firing(run.alerts) + [alert for alert in run.alerts if alert.held and not alert.quiet]
    lines: list[Line] = []
    for alert in alerts[:most]:
        lines += one_alert(alert, now, width)
    if len(alerts) > most:
        lines.append(((f"and {len(alerts) - most} more", "muted"),))
    kinds = [standing(alert) for alert in run.alerts if alert.active and alert.quiet]
    hushed = [f"{STANDINGS[kind][0]} {kinds.count(kind)} {kind}" for kind in ("silenced", "inhibited") if kind in kinds]
    return [*lines, *([((f"{' · '.join(hushed)} (8 shows)", "muted"),)] if hushed else [])]


def one_alert(alert: AlertView, now: float, width: int) -> list[Line]:
    """Return one alert: what, where and how often, where it stands if it does not plainly fire, what to do."""
    glyph, _, ink = SEVERITY_LOOKS.get(str(alert.severity), ("▲", "", "warn"))
    lines = prose(safe_text(alert.message) or alert.rule, width, ink, f"{glyph} ")
    place = [f"since step {step(alert.since_step)}"] if alert.since_step is not None else []
    seen = age(alert.last_seen, now)
    place += [f"×{alert.count}"] if alert.count > 1 else []
    place += [] if seen == "—" else [f"last {seen}" + (" ago" if seen != "now" else "")]
    place += [f"came back {alert.flaps}×"] * bool(alert.flaps)
    lines.append(((f"  {' · '.join(place)}", "muted"),))
    sign, word, tint = STANDINGS[standing(alert)]
    if standing(alert) not in ("firing", "latched"):
        by = f" by {safe_text(alert.acknowledged_by, 60)}" if alert.acknowledged and alert.acknowledged_by else ""
        lines += prose(f"{word}{by if word == 'acknowledged' else ''}", width, tint, f"  {sign} ")
    return lines + prose(alert.recommendation, width, "", "  → ")


def history_lines(run: RunView, width: int) -> list[Line]:
    """Return segments, sources and configuration."""
    lines: list[Line] = []
    if len(run.segments) > 1:
        lines += heading(f"Resumed {len(run.segments) - 1}×")
        for segment in run.segments[-4:]:
            lines.append(fact("segment", f"{step(segment.start_step)} … {step(segment.end_step)}"))
    lines += heading("Sources")
    for source in run.sources:
        lines += _source_lines(source, run, width)
    if run.config:
        lines += heading("Configuration")
        for key, value in list(run.config.items())[:CONFIG_LINES]:
            lines.append(fact(safe_text(key, 40), safe_text(value, 80)))
    return lines


def _source_lines(source: SourceView, run: RunView, width: int) -> list[Line]:
    path = source.path
    name = safe_text(
        str(path.relative_to(run.path)) if path.is_relative_to(run.path) and path != run.path else path.name
    )
    keep = max(width - 4, 8)
    name = name if len(name) <= keep else "…" + name[-keep + 1 :]
    bad = f", {source.bad_rows} bad" if source.bad_rows else ""
    lines: list[Line] = [
        ((name, ""),),
        (
            (f"  {source.format} · {count(source.rows)} rows", "muted"),
            (bad, "warn"),
            (f" · {size(source.size)}", "muted"),
        ),
    ]
    if source.problem:
        lines += prose(safe_text(source.problem), width, "warn", "  ! ")
    for line in source.bad[:BAD_LINES]:
        text = f"{path.name}:{line.line}: {line.reason}: {line.sample}"
        lines += prose(safe_text(text, 160), width, "warn", "  ! ")
    return lines


def side_lines(
    run: RunView, now: float, width: int, volume: VolumeSample | None = None, zone: tzinfo | None = None
) -> list[Line]:
    """Return everything about a run, the most urgent first; `volume` is the one that its checkpoints lie on."""
    lines: list[Line] = [((safe_text(run.name, 200), "strong"),), *state_lines(run, now, width)]
    titled = (
        ("Alerts", alert_lines(run, now, width)),
        ("Progress", progress_lines(run, width)),
        ("Figures", figures_lines(run, width)),
        ("Evaluation", evaluation_lines(run, width) + accuracy_lines(run)),
    )
    for title, part in titled:
        lines += heading(title) + part if part else []
    lines += machine_lines(run, width)
    lines += stage_lines(run.stages, now, width)
    lines += checkpoint_lines(run, volume, now, width, zone)
    return lines + history_lines(run, width)


def strip_lines(run: RunView, now: float, width: int) -> list[Line]:
    """Return a run in two lines, for screens without room for a column."""
    state, share = look(run.diagnosis.state), run.progress
    eta = run.signals.eta
    left = f"  ETA {duration(eta.seconds)}" if run.moving and eta is not None and math.isfinite(eta.seconds) else ""
    value, _ = rate_of(run)
    first: Line = (
        (f"{state.glyph} {state.word}  ", state.ink),
        (shorten(safe_text(run.name, 200), max(8, width - 50)), "strong"),
        (f"  {step_text(run)} {bar(share, 10) if share is not None else ''}{left}", ""),
        (f"  {rate(value)}" if value is not None and run.live and width >= 100 else "", "muted"),
    )
    alerts = firing(run.alerts)
    if run.backlog is not None:
        return [first, *state_lines(run, now, width, 0)[1:2]]
    if alerts:
        worst = alerts[0]
        glyph, _, ink = SEVERITY_LOOKS.get(str(worst.severity), ("▲", "", "warn"))
        return [first, *prose(f"{safe_text(worst.message)} → {worst.recommendation}", width, ink, f"{glyph} ")[:1]]
    return [first, *prose(safe_text(next(iter(run.diagnosis.evidence), "")), width, "muted", "· ")[:1]]
