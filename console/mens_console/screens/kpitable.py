"""The KPIs of one model as lines: tier 1 large, tier 2 below it, tier 3 folded; and one KPI against another model's.

Pure functions from values to lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line, prose
from mens_console.signals.human import count, number, one_of, step
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.screens.words import Ink
    from mens_console.signals.kpivalues import KpiDelta, KpiValue, ModelKpis

TIERS: Final = {
    1: ("Tier 1", "these decide"),
    2: ("Tier 2", "these explain"),
    3: ("Tier 3", "context only, decides nothing"),
}
SHARES: Final = frozenset({"share", "ratio", "rate", "fraction", "%"})
UNITS: Final = {"tokens/s": "tok/s", "milliseconds": "ms"}
MILLISECONDS: Final = frozenset({"ms", "milliseconds"})
VERDICTS: Final[dict[str, tuple[str, Ink]]] = {
    "better": ("▲", "good"),
    "worse": ("▼", "bad"),
    "undecided": ("◐", "accent"),
    "nodata": ("○", "muted"),
}
WIDE: Final = 100


class Shown(NamedTuple):
    """Lines, and the line at which each KPI in it begins."""

    lines: list[Line]
    places: dict[str, int]


def kpi_figure(value: float, unit: str, digits: int = 4) -> str:
    """Return a KPI with its unit: ``71.3 %``, ``1 840 ms``, ``52.1 tok/s``; ``—`` where nothing was measured."""
    bare = _bare(value, unit, digits)
    short = "%" if unit in SHARES else "ms" if unit in MILLISECONDS else UNITS.get(unit, safe_text(unit, 12))
    return bare if not math.isfinite(value) else f"{bare} {short}".rstrip()


def ends_text(interval: tuple[float, float] | None, unit: str) -> str:
    """Return an interval as ``[68.4, 74.1]``, in the unit of its value."""
    if interval is None:
        return ""
    return "[" + ", ".join(_bare(end, unit, 3) for end in interval) + "]"


def _bare(value: float, unit: str, digits: int) -> str:
    """Return a value without its unit."""
    if not math.isfinite(value):
        return "—" if value != value else number(value)
    if unit in SHARES:
        return f"{value * (1 if unit == '%' else 100):.1f}"
    if unit in MILLISECONDS and 100 <= abs(value) < 1e9:
        return step(round(value))
    return count(value) if abs(value) >= 1e4 else number(value, digits)


def standing(value: KpiValue) -> tuple[str, str, Ink]:
    """Return glyph, word and ink of what a KPI may be used for; one that nothing feeds is UNDERFED."""
    if math.isnan(value.value):
        return "○", "UNDERFED", "warn"
    if value.tier == 1 and not value.decides:
        return "⚑", "may not decide", "warn"
    return "•", str(value.role), "strong" if value.tier == 1 else "muted"


def visible(model: ModelKpis, *, unfolded: bool) -> list[KpiValue]:
    """Return the KPIs that are shown, by tier."""
    ranked = sorted(model.values, key=lambda one: one.tier)
    return [one for one in ranked if one.tier < 3 or unfolded]


def kpi_lines(
    model: ModelKpis, chosen: str, width: int, *, unfolded: bool, roomy: bool,
    deltas: Mapping[str, KpiDelta] | None = None,
) -> Shown:  # fmt: skip
    """Return the table. `roomy` gives tier 1 two lines each; `deltas` shows the difference to another model."""
    lines: list[Line] = []
    places: dict[str, int] = {}
    for tier, (name, what) in TIERS.items():
        own = [one for one in model.values if one.tier == tier]
        fed = sum(not math.isnan(one.value) for one in own)
        folded = tier == 3 and not unfolded
        hint = f" · {len(own)} folded, t unfolds" if folded else " · t folds" if tier == 3 else ""
        lines += [()] if lines and roomy else []
        lines.append(((f"{name}", "accent"), (f"  {what} · {fed} of {len(own)} fed{hint}", "muted")))
        for value in own if not folded else ():
            places[value.id] = len(lines)
            row = _delta_row if deltas is not None else _row
            lines.append(row(value, value.id == chosen, width, (deltas or {}).get(value.id)))
            if tier == 1 and roomy:
                lines.append(_second(value, width, (deltas or {}).get(value.id)))
    return Shown(lines, places)


def _row(value: KpiValue, chosen: bool, width: int, _delta: KpiDelta | None) -> Line:
    glyph, word, ink = standing(value)
    strong = "strong" if value.tier == 1 and not math.isnan(value.value) else "" if value.n else "muted"
    pieces: list[tuple[str, Ink]] = [
        ("› " if chosen else "  ", "strong"),
        (f"{glyph} ", ink),
        (fit(safe_text(value.name, 60), 27 if width >= WIDE else 23), "strong" if chosen or value.tier == 1 else ""),
        (_held(value.value, value.unit, 13), strong),
        (fit(f" {ends_text(value.interval, value.unit)}", 16), "muted"),
        (fit(_sample(value, width), 17 if width >= WIDE else 9), "muted"),
        (f" {word}", ink),
    ]
    room = width - sum(cell_len(text) for text, _ in pieces)
    if room > 14 and width >= WIDE:
        pieces.append((fit(f"  {safe_text(file_names(value.source), 100)}", room), "muted"))
    return tuple(pieces)


def _sample(value: KpiValue, width: int) -> str:
    of = f" {one_of(value.n, safe_text(value.of, 20))}" if value.of and width >= WIDE else ""
    return f" n {step(value.n)}{of}" if value.n else " n 0"


def _second(value: KpiValue, width: int, delta: KpiDelta | None) -> Line:
    """Return what weakens a tier 1 KPI, else how it was measured and where."""
    _, _, ink = standing(value)
    parts = [delta.reason or delta.method] if delta is not None else [value.reason, value.method]
    parts += [file_names(value.source)] if width < WIDE else []
    text = " · ".join(safe_text(part, 200) for part in parts if part)
    return ((fit(f"      {text}", width), ink if value.reason and ink == "warn" else "muted"),)


def _delta_row(value: KpiValue, chosen: bool, width: int, delta: KpiDelta | None) -> Line:
    """Return a KPI of two models: the base's, this one's, the difference and the verdict."""
    name = (fit(safe_text(value.name, 60), 21), "strong" if chosen or value.tier == 1 else "")
    lead: tuple[tuple[str, Ink], ...] = (("› " if chosen else "  ", "strong"), name)
    if delta is None:
        return (*lead, (f"{'':>10}{_within(value.value, value.unit, 8)}", ""), ("  not compared", "muted"))
    glyph, ink = VERDICTS.get(delta.verdict, ("?", "warn"))
    pieces: list[tuple[str, Ink]] = [
        *lead,
        (f" {_within(delta.base, value.unit, 8)}", "muted"),
        (f" {_within(delta.other, value.unit, 8)}", ""),
        (f" {_signed(delta.difference, value.unit, 9)}", ink),
        (fit(f" {ends_text(delta.interval, value.unit)}", 24 if width >= WIDE else 15) + " ", "muted"),
    ]
    room = width - sum(cell_len(text) for text, _ in pieces)
    told = f" n {step(delta.n)} {'paired' if delta.paired else 'not paired'}" if delta.n else ""
    text = f"{glyph} {_spoken(delta.verdict)}"
    pieces.append((text + told if len(text + told) <= room else text, ink))
    return tuple(pieces)


def _spoken(verdict: str) -> str:
    return "no data" if verdict == "nodata" else verdict


def _held(value: float, unit: str, cells: int) -> str:
    """Return a KPI right in so many cells, in four digits where there is room."""
    text = kpi_figure(value, unit)
    return f"{text:>{cells}}" if cell_len(text) <= cells else _within(value, unit, cells)


def _within(value: float, unit: str, cells: int) -> str:
    """Return a KPI right in so many cells; where there is no room, without its unit."""
    text = kpi_figure(value, unit, 3)
    return fit(text if cell_len(text) <= cells else _bare(value, unit, 3), cells, "right")


def _signed(value: float, unit: str, cells: int) -> str:
    if not math.isfinite(value):
        return fit("—", cells, "right")
    sign = "+" if value > 0 else "-" if value < 0 else "±"
    if unit in SHARES:
        return fit(f"{sign}{_bare(abs(value), unit, 3)} pp", cells, "right")
    return fit(sign + _within(abs(value), unit, cells - 1).strip(), cells, "right")


def file_names(source: str) -> str:
    """Return the names of the files without their folders."""
    return ", ".join(part.rsplit("/", 1)[-1] for part in source.split(", "))


def delta_heads(width: int) -> Line:
    """Return the titles of the columns while two models are compared."""
    return (
        (
            fit(
                " " * 23 + f"{'base':>9}{'this':>9}{'change':>10} {'95 %':<{24 if width >= WIDE else 15}}verdict",
                width,
            ),
            "muted",
        ),
    )


def about_lines(value: KpiValue | None, delta: KpiDelta | None, width: int) -> list[Line]:
    """Return all about one KPI: its definition, method, source, what weakens it, and its comparison."""
    if value is None:
        return []
    glyph, word, ink = standing(value)
    better = {"higher": "higher is better", "lower": "lower is better"}.get(value.better, "neither way is better")
    lines: list[Line] = [((safe_text(value.name, 80), "accent"), (f"  {glyph} {word}", ink), (f" · {better}", "muted"))]
    if delta is not None:
        glyph, ink = VERDICTS.get(delta.verdict, ("?", "warn"))
        lines += prose(safe_text(f"{glyph} {_spoken(delta.verdict)}: {delta.reason or delta.method}", 400), width, ink)
    lines += prose(safe_text(value.definition, 500), width) if value.definition else []
    parts = [("interval", value.method), ("read from", value.source), ("but" if value.n else "because", value.reason)]
    for label, text in parts:
        if text:
            lines += prose(
                f"{label}: {safe_text(text, 400)}", width, "warn" if label in ("but", "because") else "muted"
            )
    return lines


def tier_one(deltas: Sequence[KpiDelta], model: ModelKpis) -> list[KpiDelta]:
    """Return the comparisons that decide."""
    deciding = {value.id for value in model.values if value.tier == 1 and value.decides}
    return [one for one in deltas if one.id in deciding]
