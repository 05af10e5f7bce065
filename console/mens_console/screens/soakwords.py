"""How a soak reads: looks of its states and verdicts, shares that never round up to all, milliseconds, elapsed time.

Pure functions; no widget enters here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.soak.wording import down, ms, up

if TYPE_CHECKING:
    from mens_console.screens.words import Ink

__all__ = [
    "BANDS",
    "LEAKS",
    "LEVELS",
    "METRICS",
    "NAMES",
    "SHORT",
    "STATES",
    "SoakLook",
    "down",
    "elapsed",
    "ms",
    "state_look",
    "up",
]


class SoakLook(NamedTuple):
    """One glyph, its word, its ink."""

    glyph: str
    word: str
    ink: Ink


STATES: Final = {
    "starting": SoakLook("○", "starting", "accent"),
    "running": SoakLook("●", "running", "good"),
    "finished": SoakLook("✔", "finished", "muted"),
    "stopped": SoakLook("■", "stopped", "warn"),
    "died": SoakLook("✖", "died", "bad"),
    "unknown": SoakLook("?", "unknown", "warn"),
    "imported": SoakLook("◇", "imported", "accent"),
}
BANDS: Final = {
    "pass": SoakLook("✔", "PASS", "good"),
    "conditional": SoakLook("▲", "CONDITIONAL", "warn"),
    "fail": SoakLook("✖", "FAIL", "bad"),
    "undecided": SoakLook("◐", "undecided", "accent"),
    "nodata": SoakLook("○", "no data", "muted"),
}
LEAKS: Final = {
    "level": SoakLook("●", "level", "good"),
    "growing": SoakLook("▲", "growing", "warn"),
    "shrinking": SoakLook("▽", "shrinking", "accent"),
    "undecided": SoakLook("◐", "undecided", "accent"),
    "nodata": SoakLook("○", "no data", "muted"),
}
NAMES: Final = {
    "e2e": "end to end",
    "ttft": "first token",
    "itl": "raw gaps",
    "scheduled": "from due",
    "lag": "dispatch lag",
}
SHORT: Final = {"e2e": "E2E", "ttft": "TTFT", "itl": "gaps", "scheduled": "due", "lag": "lag"}
METRICS: Final = tuple(NAMES)
"""What the heatmap shows, in the order that `m` goes through."""
LEVELS: Final = {"rss": "RSS", "gpu_memory": "GPU memory", "kv_cache": "KV cache"}


def state_look(state: str) -> SoakLook:
    """Return the look of a soak's state."""
    return STATES.get(str(state), STATES["unknown"])


def elapsed(seconds: float | None) -> str:
    """Return a time in a soak: ``45s``, ``12m30s``, ``36h12m``; hours are not made days, for soaks count in hours."""
    if seconds is None or not math.isfinite(seconds):
        return "—"
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02d}s" if whole % 60 and whole < 1200 else "")
    return f"{whole // 3600}h" + (f"{whole % 3600 // 60:02d}m" if whole % 3600 // 60 else "")
