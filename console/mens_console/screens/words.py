"""How facts of a run read on every screen: the glyph, word and colour of a state, severities, ages, axis clocks.

Pure functions from values to text and names of styles; no widget enters here.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.signals.human import duration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from mens_console.signals.alerts import AlertView
    from mens_console.store.snapshot import RunView

Ink = str
"""A style by meaning: "" (plain), "muted", "good", "warn", "bad", "accent", "strong"."""


class Look(NamedTuple):
    """How a state shows: one glyph, its word, its ink, and its rank when the worst comes first."""

    glyph: str
    word: str
    ink: Ink
    rank: int


LOOKS: Final[dict[str, Look]] = {
    "diverged": Look("✖", "diverged", "bad", 0),
    "out_of_memory": Look("✖", "no memory", "bad", 0),
    "disk_full": Look("✖", "disk full", "bad", 0),
    "crashed": Look("✖", "crashed", "bad", 0),
    "hung": Look("✖", "hung", "bad", 1),
    "killed": Look("✖", "killed", "bad", 2),
    "stalled": Look("◌", "stalled", "warn", 3),
    "slow": Look("◐", "slow", "warn", 4),
    "unknown": Look("?", "unknown", "warn", 5),
    "running": Look("●", "running", "good", 6),
    "evaluating": Look("◆", "evaluating", "good", 6),
    "saving": Look("▾", "saving", "good", 6),
    "waiting": Look("○", "waiting", "accent", 7),
    "finished": Look("✔", "finished", "muted", 8),
}
_ODD: Final = Look("?", "unknown", "warn", 5)
CALM: Final = frozenset({"running", "evaluating", "saving", "finished"})
"""States that need no explanation in the fleet table."""

TREND_GLYPHS: Final = {"improving": "↓", "stable": "→", "degrading": "↑"}
TREND_INKS: Final[dict[str, Ink]] = {"improving": "good", "stable": "muted", "degrading": "warn"}
SEVERITY_LOOKS: Final = {
    "critical": ("✖", "critical", "bad"),
    "warning": ("▲", "warning", "warn"),
    "info": ("i", "info", "accent"),
}
ALERT_OVER: Final = frozenset({"resolved", "pending"})
STANDINGS: Final[dict[str, tuple[str, str, Ink]]] = {
    "pending": ("◔", "pending", "accent"),
    "firing": ("●", "firing", "bad"),
    "latched": ("■", "latched", "bad"),
    "recovering": ("◑", "recovering", "good"),
    "nodata": ("?", "no data", "warn"),
    "acknowledged": ("✓", "acknowledged", "muted"),
    "silenced": ("⊘", "silenced", "muted"),
    "inhibited": ("↳", "inhibited", "muted"),
    "resolved": ("✔", "resolved", "muted"),
    "held": ("◧", "held to end", "muted"),
}
"""Where an alert stands, in one glyph and one word, with the ink; what fires has the ink of its severity."""


def legend() -> list[tuple[str, list[tuple[str, Ink, str]]]]:
    """Return what the glyphs mean, in groups: glyph, ink, and the words that share it."""
    from mens_console.screens.bands import BANDS
    from mens_console.screens.feeds import FEEDS
    from mens_console.screens.soakwords import BANDS as SOAK_BANDS
    from mens_widgets.xaxis import MARK_GLYPHS

    marks = {"nan": "NaN or infinite", "throttle": "GPU slowed down"}
    return [
        ("States", _shared((one.glyph, one.ink, one.word) for one in LOOKS.values())),
        ("Alerts", _shared((glyph, ink, word) for glyph, word, ink in SEVERITY_LOOKS.values())),
        ("Where alerts stand", _shared((glyph, ink, word) for glyph, word, ink in STANDINGS.values())),
        ("Trend of the loss", _shared((glyph, TREND_INKS[name], name) for name, glyph in TREND_GLYPHS.items())),
        ("Bands of generation health", _shared((one.glyph, one.ink, one.word) for one in BANDS.values())),
        ("What feeds a KPI or panel", _shared((glyph, ink, word) for glyph, word, ink, _ in FEEDS.values())),
        ("Targets of a soak", _shared((one.glyph, one.ink, one.word) for one in SOAK_BANDS.values())),
        ("Minutes of a soak", [("✖", "bad", "incident"), ("?", "muted", "unobserved"), ("▪", "warn", "some failed")]),
        ("On charts", _shared((glyph, "", marks.get(kind, kind)) for kind, glyph in MARK_GLYPHS.items())),
    ]


def _shared(signs: Iterable[tuple[str, Ink, str]]) -> list[tuple[str, Ink, str]]:
    """Put the words of one glyph and ink together, in the order of the table."""
    words: dict[tuple[str, Ink], list[str]] = {}
    for glyph, ink, word in signs:
        words.setdefault((glyph, ink), []).append(word)
    return [(glyph, ink, ", ".join(found)) for (glyph, ink), found in words.items()]


def look(state: str) -> Look:
    """Return the look of a diagnosed state."""
    return LOOKS.get(str(state), _ODD)


def standing(alert: AlertView) -> str:
    """Return the one word (a key of `STANDINGS`) that an operator most needs to know of where an alert stands."""
    if str(alert.state) == "resolved":
        return "held" if alert.held else "resolved"
    if alert.inhibited_by:
        return "inhibited"
    if silenced(alert):
        return "silenced"
    if alert.acknowledged:
        return "acknowledged"
    if alert.nodata:
        return "nodata"
    return "latched" if alert.latched and str(alert.state) == "firing" else str(alert.state)


def silenced(alert: AlertView) -> bool:
    """Say whether an operator wished to hear nothing of it; an open end is infinity."""
    return not math.isnan(alert.silenced_until)


def loud(alert: AlertView) -> bool:
    """Say whether an alert is on (firing or recovering), and neither silenced nor inhibited."""
    return str(alert.state) not in ALERT_OVER and not alert.quiet


def firing(alerts: Iterable[AlertView]) -> list[AlertView]:
    """Return the alerts that are on and not quiet, the most severe and then the newest first."""
    order = list(SEVERITY_LOOKS)
    on = [alert for alert in alerts if loud(alert)]
    return sorted(on, key=lambda a: (order.index(str(a.severity)) if str(a.severity) in order else 9, -_time(a.since)))


def _time(wall: float) -> float:
    return wall if math.isfinite(wall) else 0.0


def alert_counts(alerts: Iterable[AlertView]) -> tuple[int, int]:
    """Return how many warnings and how many criticals are on; quiet ones do not count, acknowledged ones do."""
    severities = [str(alert.severity) for alert in alerts if loud(alert)]
    return severities.count("warning"), severities.count("critical")


def counts_text(warnings: int, criticals: int) -> str:
    """Return ``▲1 ✖2``, without the part that is zero."""
    return " ".join([f"▲{warnings}"] * bool(warnings) + [f"✖{criticals}"] * bool(criticals))


def age(then: float, now: float) -> str:
    """Return how old something is, coarsely, so that an unchanged screen seldom changes.

    ``now`` under 10 s, then ten-second steps, minutes, hours, days; ``—`` where the time is unknown.
    """
    if not math.isfinite(then) or then <= 0:
        return "—"
    seconds = now - then
    if seconds < 10:
        return "now"
    if seconds < 60:
        return f"{int(seconds // 10) * 10}s"
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return "now"


def next_change(thens: Iterable[float], now: float) -> float:
    """Return the seconds until the clock (HH:MM) or one of these ages reads differently."""
    wait = 60.0 - now % 60.0
    for then in thens:
        seconds = now - then
        if 0.0 <= seconds < 60.0:
            wait = min(wait, 10.0 - seconds % 10.0)
    return max(wait, 0.05)


def clock_text(wall: float, zone: tzinfo | None = None) -> str:
    """Return HH:MM in local time, or in `zone`."""
    if zone is None:
        return time.strftime("%H:%M", time.localtime(wall))
    from datetime import datetime

    return datetime.fromtimestamp(wall, zone).strftime("%H:%M")


DAY_S: Final = 86400.0


def moment_text(wall: float, now: float, zone: tzinfo | None = None) -> str:
    """Return a moment less than 12 h from `now` as HH:MM, another with its day (``Oct 09 21:15``), ``—`` for NaN."""
    if not math.isfinite(wall):
        return "—"
    if abs(wall - now) < DAY_S / 2:
        return clock_text(wall, zone)
    from datetime import datetime

    return datetime.fromtimestamp(wall, zone).strftime("%b %d %H:%M")


def eta_text(run: RunView) -> str:
    """Return the time left, ``—`` where it cannot be said."""
    eta = run.signals.eta
    if not run.moving or eta is None or not math.isfinite(eta.seconds):
        return "—"
    return duration(eta.seconds)


def average_of(run: RunView) -> float | None:
    """Return the average of the loss, None where no loss was measured: a NaN would say that there was one."""
    return None if run.read("loss") is None else run.signals.streaming_ce


def rate_of(run: RunView) -> tuple[float | None, str]:
    """Return the newest throughput and its unit: tokens where they are counted, else steps."""
    tokens = run.signals.tokens_per_sec
    if tokens is not None and math.isfinite(tokens):
        return tokens, "tok/s"
    steps = run.signals.steps_per_sec
    return (steps, "step/s") if steps is not None and math.isfinite(steps) else (None, "")
