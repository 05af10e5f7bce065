"""How figures of a soak read: milliseconds, shares that never round up to all, verdicts. Pure functions."""

from __future__ import annotations

import math
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.signals.human import number, percent, size, span

if TYPE_CHECKING:
    from mens_console.soak.types import Leak
    from mens_console.soak.verdicts import Verdict

BANDS: Final = {
    "pass": "✔ PASS",
    "conditional": "▲ CONDITIONAL",
    "fail": "✖ FAIL",
    "undecided": "◐ undecided",
    "nodata": "○ no data",
}
STATES: Final = {
    "starting": "○ starting",
    "running": "● running",
    "finished": "✔ finished",
    "stopped": "■ stopped",
    "died": "✖ died",
    "unknown": "? unknown",
    "imported": "◇ imported",
}
LEAKS: Final = {
    "level": "● level",
    "growing": "▲ growing",
    "shrinking": "▽ shrinking",
    "undecided": "◐ undecided",
    "nodata": "○ no data",
}
LATENCIES: Final = {
    "ttft": "first token",
    "itl": "raw gaps between tokens",
    "e2e": "end to end",
    "scheduled": "from due to end",
    "lag": "dispatch lag",
}
LEVELS: Final = {"rss": "RSS", "gpu_memory": "GPU memory", "kv_cache": "KV cache"}
NONE: Final = "—"
_LOST: Final = {"local": "no files or ports were left here", "held": "driver held up", "fault": "fault of the driver"}


def ms(value: float | None) -> str:
    """Return milliseconds in three digits at most: ``0.42 ms``, ``84 ms``, ``1.43 s``, ``61 s``; ``—`` unknown."""
    if value is None or not math.isfinite(value):
        return "—"
    if 0 < value < 0.01:
        return "<0.01 ms"
    if value < 999.5:
        return f"{value:.3g} ms" if value < 99.95 else f"{value:.0f} ms"
    return f"{value / 1000:.3g} s" if value < 99_950 else f"{value / 1000:.0f} s"


def cure(state: str, folder: str) -> str:
    """Say how a soak that nobody drives any more goes on; "" where it needs nothing."""
    if state not in {"died", "stopped"}:
        return ""
    return f"resume it with `mens-console soak run --resume {shlex.quote(safe_text(folder, 400))}`"


def lost_by(lost: int, known: dict[str, int]) -> list[tuple[str, int]]:
    """Return why nothing is known of the requests that are lost, and how many for each reason; the rest at the end."""
    told = [(_LOST.get(name, safe_text(name, 20)), n) for name, n in sorted(known.items()) if n]
    rest = lost - sum(n for _, n in told)
    return [*told, ("ended with their driver", rest)] if rest > 0 else told


def up(share: float | None) -> str:
    """Return an availability in percent, cut rather than rounded, so that only all reads as 100 %."""
    if share is None or not math.isfinite(share):
        return "—"
    if share >= 1:
        return "100 %"
    for digits in (2, 3, 4):
        cut = math.floor(share * 100 * 10**digits + 1e-9) / 10**digits
        if cut < 99.99 or digits == 4:
            return f"{cut:.{digits}f} %"
    return "—"


def down(share: float | None) -> str:
    """Return a rate of errors in percent, so that only none reads as 0 %."""
    if share is None or not math.isfinite(share):
        return "—"
    if share == 0:
        return "0 %"
    return f"{share * 100:.2g} %" if share < 0.001 else f"{share * 100:.3g} %"


def hours(seconds: float | None) -> str:
    """Return a time in hours where it is long enough: ``24.0 h``, ``12 m``, ``—``."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    return span(seconds) if seconds < 7200 else f"{seconds / 3600:,.1f} h".replace(",", " ")


def place(seconds: float) -> str:
    """Return a moment of the soak: ``36:12:05``."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def moment(epoch: float | None) -> str:
    """Return a moment in UTC, ``—`` where it is none that a calendar has."""
    try:
        return NONE if epoch is None else f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return NONE


def bounds(verdict: Verdict, what: str) -> str:
    """Return the bounds of a verdict on a share, of ``up`` or ``down`` time."""
    if verdict.low is None or verdict.high is None:
        return NONE
    said = up if what == "up" else down
    return f"{said(verdict.low)} to {said(verdict.high)}"


def level(value: float | None, unit: str) -> str:
    """Return a level in its unit: bytes, a share, or a plain number."""
    if value is None:
        return NONE
    if unit == "bytes":
        return f"-{size(-value)}" if value < 0 else size(value)
    return percent(value) if unit == "share" else number(value)


def slope(one: Leak) -> str:
    """Return a slope an hour with its interval."""
    if one.slope_per_h is None or one.interval is None:
        return NONE
    low, high = (level(end, one.unit) for end in one.interval)
    return f"{level(one.slope_per_h, one.unit)} ({low} to {high})"


def limit(one: Leak) -> str:
    """Return when a level reaches its limit."""
    if one.limit is None:
        return "no limit known"
    far = level(one.limit, one.unit)
    if one.to_limit_s == 0:
        return f"{far}: reached"
    if one.verdict == "nodata":
        return f"{far}: nobody knows yet"
    if one.to_limit_s is None and one.soonest_s is None:
        return f"{far}: not in sight"
    if one.to_limit_s is None:
        return f"{far}: in {hours(one.soonest_s)} at the soonest"
    return f"{far}: in {hours(one.to_limit_s)}, {hours(one.soonest_s)} at the soonest"
