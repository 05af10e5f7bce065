"""The panel under the table of batches: where each indicator of one batch stands, and all about one of them.

Pure functions from a judged batch to lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from mens_console.ingest.text import safe_text
from mens_console.screens.bands import NAMES, band_look, interval_text, latency_text, value_text
from mens_console.screens.healthshelf import run_name
from mens_console.screens.sheet import Line, heading, prose
from mens_console.screens.words import moment_text
from mens_console.signals.generation import INDICATORS, Band, Slope
from mens_console.signals.human import number, step
from mens_console.signals.ladders import LADDERS
from mens_widgets.sparkline import spark
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from mens_console.signals.generation import Indicator, Judged, TierFigures

NO_BAND: Final = Band("nodata", reason="not judged")
TRENDS: Final[dict[Indicator, tuple[str, str]]] = {
    "repair_rate": ("repair_rate_trend", "pp"),
    "repair_rate_trend": ("repair_rate_trend", "pp"),
    "opening_entropy": ("opening_entropy_trend", "nats"),
    "pollyanna": ("pollyanna_trend", ""),
    "mean_latency": ("latency_trend", "ms"),
}
"""The trend of the tier that tells of an indicator, and its unit per batch."""
WIDE: Final = 104


def figure(judged: Judged, indicator: Indicator) -> float:
    """Return what is drawn of an indicator over the batches, NaN where it was not measured."""
    batch = judged.batch
    if indicator == "repair_rate":
        return batch.repair_rate
    if indicator == "opening_entropy":
        return batch.opening_entropy_corrected
    if indicator == "anchor_diversity":
        return batch.anchor_diversity
    if indicator == "mean_latency":
        return batch.latency_mean
    if indicator == "pollyanna" and indicator in batch.scores:
        return batch.scores[indicator].mean
    band = judged.bands.get(indicator)
    return band.value if band is not None else math.nan


def sparkline(history: Sequence[Judged], indicator: Indicator, width: int) -> str:
    """Return an indicator over the newest batches; what was not measured is a gap."""
    values = [value if (value := figure(one, indicator)) == value else None for one in history[-width:]]
    return spark(values, width)


def batch_title(judged: Judged, now: float, zone: tzinfo | None, batch_size: int) -> Line:
    """Return which batch is looked at: its number, run, size and time."""
    batch = judged.batch
    size = f"n {step(batch.n)}" if batch.complete else f"n {step(batch.n)} of {step(batch_size)} so far"
    when = moment_text(batch.started, now, zone)
    ended = moment_text(batch.ended, now, zone)
    day = when[: when.rfind(" ") + 1]
    when = when if when == ended else f"{when} to {ended.removeprefix(day)}"
    personas = f"{'≥ ' * ('personas' in batch.limits)}{step(batch.personas)} persona{'s' * (batch.personas != 1)}"
    odd = [f"{step(batch.duplicates)} duplicate{'s' * (batch.duplicates != 1)}"] * bool(batch.duplicates)
    odd += [f"clock back {step(batch.clock_back)}×"] * bool(batch.clock_back)
    return (
        (f"Batch {batch.index}", "accent"),
        (f" {run_name(batch.run_id, 40)}", "strong"),
        (f" · {size}", "muted"),
        ("".join(f" · {text}" for text in odd), "warn"),  # before what may be cut where there is little room
        (f" · {personas} · {when}", "muted"),
    )


def indicator_lines(
    judged: Judged, history: Sequence[Judged], tier: TierFigures | None, chosen: Indicator, width: int
) -> list[Line]:
    """Return one line an indicator: band, value, interval, n, and its course up to this batch; then why."""
    lines: list[Line] = []
    for indicator in INDICATORS:
        band = judged.bands.get(indicator, NO_BAND)
        look = band_look(band.band)
        pieces: list[tuple[str, str]] = [
            ("›" if indicator == chosen else " ", "strong"),
            (fit(f"{look.glyph} {look.word}", 13), look.ink),
            (fit(" " + NAMES[indicator], 18), "strong" if indicator == chosen else ""),
            (f"{value_text(indicator, band.value):>10}", look.ink if look.ink != "good" else ""),
            (f" {interval_text(indicator, band):<15}", "muted"),
            (fit(f" n {step(band.n)}" if band.n else "", 9), "muted"),
        ]
        room = width - sum(cell_len(text) for text, _ in pieces)
        if width >= WIDE:
            cells = max(30, min(40, room - 30))
            pieces.append((fit(f" {trend_text(tier, indicator)}", cells), "muted"))
            room -= cells
        if room > 4:
            pieces.append((" " + sparkline(history, indicator, min(room - 1, 60)), "accent"))
        lines.append(tuple(pieces))
    return lines


def why_lines(judged: Judged, chosen: Indicator, width: int, most: int) -> list[Line]:
    """Return why the chosen indicator stands where it does, in so many lines."""
    band = judged.bands.get(chosen, NO_BAND)
    return prose(safe_text(band.reason or "no reason was given", 600), width, "", "  ")[:most]


def trend_text(tier: TierFigures | None, indicator: Indicator) -> str:
    """Return a run's trend with its interval: ``+2.1 [1.8, 2.4] pp a batch``; empty where none is computed."""
    if tier is None or indicator not in TRENDS:
        return ""
    name, unit = TRENDS[indicator]
    slope: Slope = getattr(tier, name)
    if not math.isfinite(slope.robust):
        return f"no trend from {slope.n} batch{'es' * (slope.n != 1)}" if slope.n else ""
    scale = 100.0 if unit == "pp" else 1.0
    ends = ""
    if slope.interval is not None:
        ends = f" [{_signed(slope.interval[0] * scale)}, {_signed(slope.interval[1] * scale)}]"
    return f"{_signed(slope.robust * scale)}{ends} {unit}{' ' * bool(unit)}a batch"


def _signed(value: float) -> str:
    if not math.isfinite(value):
        return number(value)
    return f"{value:+.0f}" if abs(value) >= 99.5 else f"{value:+.2g}"


def detail_lines(judged: Judged, tier: TierFigures | None, chosen: Indicator, width: int, title: Line) -> list[Line]:
    """Return all that is known of one indicator at one batch."""
    band = judged.bands.get(chosen, NO_BAND)
    look = band_look(band.band)
    lines: list[Line] = [
        title,
        (),
        ((f"{look.glyph} {look.word}", look.ink), (f"  {NAMES[chosen]}", "strong"),
         (f"  {value_text(chosen, band.value)}", look.ink), (f"  {_interval(chosen, band)}", "muted")),
        *prose(safe_text(band.reason or "no reason was given", 600), width),
        (),
        *_bands(chosen, width),
        (),
    ]  # fmt: skip
    ladder = LADDERS[chosen]
    lines += _labelled("computed as", safe_text(band.definition or ladder.definition, 400), width)
    lines += _labelled("it counts", ladder.decides, width)
    lines += _labelled("seed formula", f"{ladder.seed} = {_seed(judged, chosen, band)}", width)
    lines += _trend_lines(tier, chosen, width)
    return lines


def _seed(judged: Judged, chosen: Indicator, band: Band) -> str:
    """Return what the specification's own formula gives."""
    if chosen == "mean_latency":
        return latency_text(judged.batch.latency_mean)
    if chosen == "repair_rate_trend":
        return f"{number(band.seed)} a batch"
    return value_text(chosen, band.seed if math.isfinite(band.seed) else band.value)


def _interval(chosen: Indicator, band: Band) -> str:
    ends = interval_text(chosen, band)
    return (f"95 % {ends}" if ends else "no interval") + f" · n {step(band.n)}"


def _bands(chosen: Indicator, width: int) -> list[Line]:
    """Return where each band of an indicator lies: side by side where there is room, else one below the other."""
    ladder = LADDERS[chosen]
    bands: list[Line] = []
    for name in sorted(ladder.bands, key=lambda one: -band_look(one).rank):
        look = band_look(name)
        bands.append(((f"{look.glyph} {look.word} ", look.ink), (ladder.range(name), "")))
    label, blank = (fit("bands", 12) + " ", "muted"), (" " * 13, "")
    one = (
        label,
        *(piece for place, band in enumerate(bands) for piece in ((("   ", ""),) * bool(place) + tuple(band))),
    )
    if sum(cell_len(text) for text, _ in one) <= width:
        return [one]
    return [(blank if place else label, *band) for place, band in enumerate(bands)]


def _trend_lines(tier: TierFigures | None, chosen: Indicator, width: int) -> list[Line]:
    if tier is None or chosen not in TRENDS:
        return []
    slope: Slope = getattr(tier, TRENDS[chosen][0])
    seed = f"seed formula: least squares {number(slope.slope)} a batch, over {slope.n} batches"
    told = trend_text(tier, chosen) or "no trend yet"
    confidence = " 95 %" if slope.interval is not None else ""
    lines = [*_labelled("trend", f"{told}{confidence}, Theil and Sen", width), *_labelled("", seed, width)]
    if chosen == "mean_latency" and math.isfinite(tier.latency_baseline_ms):
        batches = ", ".join(map(str, tier.baseline_batches[:8]))
        lines += _labelled("baseline", f"{number(tier.latency_baseline_ms)} ms, of batches {batches}", width)
    return lines


def _labelled(label: str, text: str, width: int) -> list[Line]:
    first, *rest = prose(text, max(width - 13, 8))
    return [((fit(label, 12) + " ", "muted"), *first), *(((" " * 13, ""), *line) for line in rest)]


def tier_lines(tier: TierFigures, width: int) -> list[Line]:
    """Return a run's or tier's drift with all its reasons and notes."""
    word, ink = {True: ("✖ drift", "bad"), False: ("● no drift", "good")}.get(tier.drift, ("◐ undecided", "accent"))  # type: ignore[arg-type]
    lines: list[Line] = [((word, ink), (f"  {run_name(tier.tier, 60)}", "strong"))]
    for reason in tier.drift_reasons:
        lines += prose(safe_text(reason, 400), width, "bad" if tier.drift else "", "  ✖ " if tier.drift else "  · ")
    for note in tier.notes:
        lines += prose(safe_text(note, 400), width, "muted", "  · ")
    return lines


def section(title: str, lines: Sequence[Line]) -> list[Line]:
    """Return a titled part, nothing where it has no line."""
    return [*heading(title), *lines] if lines else []
