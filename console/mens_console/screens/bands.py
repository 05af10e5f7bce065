"""How the bands of generation health read: glyph, word, ink and rank of each, and an indicator's value as text.

Pure functions; judging is `signals`'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.signals.generation import INDICATORS
from mens_console.signals.human import count, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mens_console.screens.words import Ink
    from mens_console.signals.generation import Band, Indicator


class BandLook(NamedTuple):
    """One glyph, its word, its ink for sheets and tone for tables, and its rank when the worst comes first."""

    glyph: str
    word: str
    ink: Ink
    tone: str
    rank: int


BANDS: Final[dict[str, BandLook]] = {
    "critical": BandLook("✖", "critical", "bad", "critical", 0),
    "warning": BandLook("▲", "warning", "warn", "warning", 1),
    "undecided": BandLook("◐", "undecided", "accent", "info", 2),
    "below_range": BandLook("▽", "below range", "accent", "info", 3),
    "healthy": BandLook("●", "healthy", "good", "good", 4),
    "nodata": BandLook("○", "no data", "muted", "muted", 5),
}
_ODD: Final = BandLook("?", "unknown", "warn", "warning", 2)

NAMES: Final[dict[Indicator, str]] = {
    "repair_rate": "repair rate",
    "repair_rate_trend": "repair trend",
    "opening_entropy": "opening entropy",
    "pollyanna": "pollyanna",
    "anchor_diversity": "anchor diversity",
    "mean_latency": "mean latency",
}


def band_look(band: str) -> BandLook:
    """Return the look of a band."""
    return BANDS.get(str(band), _ODD)


def value_text(indicator: Indicator, value: float) -> str:
    """Return what is judged of an indicator: ``8.1 %``, ``+2.1 pp``, ``1.93 nats``, ``0.61``, ``+12 %`` of latency."""
    if not math.isfinite(value):
        return "—" if value != value else number(value)
    if indicator == "repair_rate":
        return f"{value * 100:.1f} %"
    if indicator == "repair_rate_trend":
        return f"{round(value, 1) + 0.0:+.1f} pp"  # no minus before a zero
    if indicator == "opening_entropy":
        return f"{value:.2f} nats"
    return f"{round(value * 100) + 0.0:+.0f} %" if indicator == "mean_latency" else f"{value:.2f}"


def latency_text(value: float) -> str:
    """Return milliseconds: ``843 ms``, ``1.25k ms`` for more than a hundred seconds."""
    if not math.isfinite(value):
        return "—"
    return f"{value:.0f} ms" if value < 1e5 else f"{count(value)} ms"


def interval_text(indicator: Indicator, band: Band) -> str:
    """Return a band's interval as ``[20.5, 25.8]`` in the unit of its value, empty where there is none."""
    if band.interval is None:
        return ""
    ends = (value_text(indicator, end) for end in band.interval)
    return "[" + ", ".join(_bare(end) for end in ends) + "]"


def _bare(text: str) -> str:
    """Return a value without its unit."""
    return text.partition(" ")[0]


def worst(bands: Mapping[Indicator, Band]) -> tuple[str, int]:
    """Return the worst band among some indicators and how many have it; ("nodata", n) where none could be judged."""
    found = [str(band.band) for band in bands.values()]
    band = min(found, key=lambda one: band_look(one).rank, default="nodata")
    return band, found.count(band)


def state_text(bands: Mapping[Indicator, Band]) -> str:
    """Return ``✖ 2 critical``, ``◐ 1 undecided``, ``● healthy 5/6``: the worst band, and of how many."""
    band, n = worst(bands)
    look = band_look(band)
    if band == "healthy":
        return f"{look.glyph} {look.word} {n}/{len(INDICATORS)}"
    return f"{look.glyph} {look.word}" if band == "nodata" else f"{look.glyph} {n} {look.word}"


def severity(bands: Iterable[Band]) -> tuple[int, ...]:
    """Return a key that puts worse batches first: how many indicators stand in each band, the worst band first."""
    counts = [0] * 6
    for band in bands:
        counts[band_look(band.band).rank] += 1
    return tuple(-one for one in counts[:4])
