"""The product KPIs as lines of at most 80 columns: by tier, with n and interval, and a comparison of two models.

Pure functions from values to text.
"""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.kpi.definitions import BY_ID
from mens_console.signals.human import count, duration, number, one_of, some

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.signals.kpivalues import Category, Feed, KpiDelta, KpiReport, KpiValue, Lane, ModelKpis

    Ink = Callable[[str, str], str]

WIDTH: Final = 80
_TIERS: Final = {1: "tier 1, decides", 2: "tier 2, explains", 3: "tier 3, context only, decides nothing"}
_VERDICTS: Final = {
    "better": ("✔ better", "good"),
    "worse": ("✖ worse", "bad"),
    "undecided": ("? undecided", "warn"),
    "nodata": ("— no data", "muted"),
}
_BAR: Final = 20
_NAME: Final = 46
_PAIR: Final = 35
"""Columns of a model's name beside its facts, and of one of two."""


def report_lines(report: KpiReport, now: float, ink: Ink) -> list[str]:
    """Return all models, one after the other, then what nothing feeds."""
    lines: list[str] = []
    for model in report.models:
        lines += [*([""] if lines else []), *_model(model, now, ink)]
    return [*lines, *_feeds(report.feeds, ink)]


def _model(model: ModelKpis, now: float, ink: Ink) -> list[str]:
    facts = [some(model.tasks, "task")] if model.tasks else []
    if math.isfinite(model.updated):
        facts.append(f"newest {duration(max(now - model.updated, 0.0))} ago")
    lines = [f"{ink(safe_text(model.model, _NAME), 'strong')}  {', '.join(facts)}".rstrip()]
    for tier, title in _TIERS.items():
        values = [value for value in model.values if value.tier == tier and (tier < 3 or not math.isnan(value.value))]
        if values:
            lines += [ink(f"  {title}", "accent"), *(line for value in values for line in _value(value, ink))]
    return [*lines, *_histogram(model.categories, ink), *_lanes(model.lanes, ink)]


def _value(value: KpiValue, ink: Ink) -> list[str]:
    known = not math.isnan(value.value)
    text = measure(value.value, value.unit) if known else "—"
    interval = bounds(value.interval, value.unit)
    n = (f"n={value.n} {one_of(value.n, value.of)}".strip() if value.n else "n not told") if known else ""
    line = f"    {value.name:<22} {text:>10}  {interval:<17} {n}".rstrip()
    lines = [line if known else ink(line, "muted")]
    notes = [] if not value.reason else [value.reason]
    if value.tier == 1 and not value.decides:
        notes.insert(0, "may not decide")
    return [*lines, *(ink(part, "muted") for part in wrapped("; ".join(notes), 6))]


def measure(value: float, unit: str) -> str:
    """Return a value in its unit: shares in percent, an endless time as such."""
    if math.isinf(value):
        return "never"
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "ms":
        return f"{value:.0f} ms" if abs(value) < 1e5 else f"{value / 1000:.0f} s"
    text = count(value) if unit in ("tokens", "tokens/s") else number(value)
    return f"{text} tok/s" if unit == "tokens/s" else text


def bounds(interval: tuple[float, float] | None, unit: str) -> str:
    """Return an interval in brackets, in the unit of its value; "" where there is none."""
    if interval is None:
        return ""
    scale = 100.0 if unit == "share" else 1.0
    ends = [
        "∞" if math.isinf(end) and end > 0 else "-∞" if math.isinf(end) else _end(end * scale, unit) for end in interval
    ]
    return f"[{ends[0]}, {ends[1]}]"


def _end(value: float, unit: str) -> str:
    return f"{value:.1f}" if unit == "share" else f"{value:.0f}" if unit == "ms" else number(value, 3)


def _histogram(categories: Sequence[Category], ink: Ink) -> list[str]:
    told = [one for one in categories if one.diagnostics]
    if not told:
        return []
    most, total = max(one.diagnostics for one in told), sum(one.diagnostics for one in told)
    lines = [ink(f"  diagnostics of first outputs, {total} in all", "accent")]
    for one in sorted(told, key=lambda one: -one.diagnostics):
        bar = "█" * max(round(_BAR * one.diagnostics / most), 1)
        share = f"{one.diagnostics / total * 100:.0f} %"
        lines.append(
            f"    {safe_text(one.name, 22):<22} {one.diagnostics:>7} {share:>5}  {bar:<{_BAR}} "
            f"{some(one.tasks, 'task')}"
        )
    return lines


def _lanes(lanes: Sequence[Lane], ink: Ink) -> list[str]:
    lines = []
    for lane in lanes:
        lines.append(ink(f"  lane {safe_text(lane.name, 40)}, n={lane.n}", "accent"))
        for value in (lane.leakage, lane.compactness_loss, lane.repair_burden):
            lines += _value(value, ink)
    return lines


def _feeds(feeds: Sequence[Feed], ink: Ink) -> list[str]:
    """Return the readers that nothing feeds, and those fed under another name."""
    odd = [feed for feed in feeds if feed.state != "fed"]
    if not odd:
        return []
    return ["", ink("contract drift", "accent"), *(line for feed in odd for line in feed_lines(feed, ink))]


def feed_lines(feed: Feed, ink: Ink, *, indent: int = 4) -> list[str]:
    """Return one reader and what feeds it."""
    if feed.state == "underfed":
        near = f"; the nearest field seen is {feed.nearest}" if feed.nearest else ""
        text, name = f"UNDERFED {feed.reader}: wants {feed.wants}{near}", "warn"
    else:
        text, name = f"alias {feed.reader}: {feed.field} is read as {feed.wants} ({_where(feed.source)})", "muted"
    return [ink(part, name) for part in wrapped(safe_text(text, 400), indent)]


def _where(source: str) -> str:
    return ", ".join(PurePath(part).name for part in source.split(", "))


# ------------------------------------------------------------------ comparison


def comparison_lines(base: str, other: str, deltas: Sequence[KpiDelta], ink: Ink) -> list[str]:
    """Return how `other` differs from `base`, the KPIs that decide first."""
    lines = [f"{ink(safe_text(other, _PAIR), 'strong')} against {ink(safe_text(base, _PAIR), 'strong')}"]
    tier = ""
    for delta in deltas:
        definition = BY_ID.get(delta.id)
        title = "lanes" if definition is None else _TIERS[definition.tier]
        if title != tier:
            tier = title
            lines.append(ink(f"  {title}", "accent"))
        lines += _delta(delta, ink)
    return [*lines, ""]


def _delta(delta: KpiDelta, ink: Ink) -> list[str]:
    definition = BY_ID.get(delta.id)
    name = definition.name if definition is not None else delta.id.removeprefix("lane.")
    unit = definition.unit if definition is not None else ("repairs" if delta.id.endswith("repair_burden") else "share")
    word, style = _VERDICTS[delta.verdict]
    if delta.verdict == "nodata":
        line = f"    {ink(word.ljust(11), style)} {safe_text(name, 24)}"
        return [line, *(ink(part, "muted") for part in wrapped(delta.reason, 6))]
    values = f"{measure(delta.base, unit)} → {measure(delta.other, unit)}"
    pairs = f"{delta.n} pairs" if delta.paired else f"n={delta.n}"
    points = "pp" if unit == "share" else ""
    sign = _signed(delta.difference, unit)
    head = f"    {ink(word.ljust(11), style)} {safe_text(name, 24):<24} {values:<22} {pairs}"
    interval = bounds(delta.interval, unit)
    notes = "; ".join(filter(None, [f"{sign} {interval} {points}".rstrip(), delta.method, delta.reason]))
    return [head, *(ink(part, "muted") for part in wrapped(notes, 16))]


def _signed(value: float, unit: str) -> str:
    if math.isinf(value):
        return "+∞" if value > 0 else "-∞"
    return f"{value * 100:+.1f}" if unit == "share" else f"{value:+.0f}" if unit == "ms" else f"{value:+.3g}"


def wrapped(text: str, indent: int) -> list[str]:
    """Return text broken at blanks into lines of at most `WIDTH` columns."""
    lines: list[str] = []
    for word in safe_text(text).split():
        if lines and len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(" " * indent + word[: WIDTH - indent])
    return lines
