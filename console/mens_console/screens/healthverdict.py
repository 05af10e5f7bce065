"""Is the feel collapsing? The answer of some attempt logs in a few lines: verdict, reasons, totals, and how fresh.

Pure functions from a report to lines. What a band or a drift is was decided by `signals`; here it is only weighed what
to say first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.text import safe_text
from mens_console.screens.bands import NAMES, band_look
from mens_console.screens.hardwarerows import ago
from mens_console.screens.healthshelf import cost_text, run_name, spans
from mens_console.screens.words import age
from mens_console.signals.human import count, number, percent, size, some
from mens_widgets.bar import bar
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.screens.sheet import Line
    from mens_console.screens.words import Ink
    from mens_console.signals.generation import Band, HealthReport, Indicator, Judged, TierFigures
    from mens_console.store.snapshot import HealthView

LOUD: Final = ("critical", "warning")
BACKLOG: Final = 1_000_000
"""Bytes that wait before it is said: a log that grows always has some, and a torn last line stays."""


class Standing(NamedTuple):
    """Where a run stands: its bands of now, the batch they are of, and its figures."""

    run: str
    judged: Judged
    bands: dict[Indicator, Band]
    figures: TierFigures | None


class Verdict(NamedTuple):
    """The answer: glyph, words and ink, its rank when the worst comes first, and the reasons with theirs."""

    glyph: str
    words: str
    ink: Ink
    rank: int
    reasons: tuple[tuple[str, Ink], ...]


def standings(report: HealthReport) -> list[Standing]:
    """Return where each run stands.

    The newest complete batch is judged; an indicator of the batch after it that is not complete yet counts where it is
    worse already. A run without a complete batch stands where its first one does.
    """
    figures = {one.tier: one for one in report.runs}
    found = []
    for span in spans(report.batches):
        judged = report.batches[span.end - 1]
        bands = dict(judged.bands)
        if not judged.batch.complete and span.end - span.start > 1:
            judged = report.batches[span.end - 2]
            early = {i: band for i, band in bands.items() if band.band in LOUD and _worse(band, judged.bands.get(i))}
            bands = {**judged.bands, **early}
        found.append(Standing(span.run, judged, bands, figures.get(span.run)))
    return found


def _worse(band: Band, other: Band | None) -> bool:
    return other is None or band_look(band.band).rank < band_look(other.band).rank


def verdict(report: HealthReport, found: Sequence[Standing]) -> Verdict:
    """Return the answer for all runs of a report."""
    drifting = [one for one in found if one.figures is not None and one.figures.drift]
    names = {one.run for one in drifting}
    named = len(found) > 1
    reasons: list[tuple[str, Ink]] = []
    for one in drifting:
        if one.figures is not None:
            reasons += [
                (_of(one.run, f"drift: {safe_text(why, 300)}", named), "bad") for why in one.figures.drift_reasons
            ]
    bands: dict[str, int] = {}
    for one in found:
        for indicator, band in one.bands.items():
            bands[band.band] = bands.get(band.band, 0) + 1
            if band.band in LOUD:
                look = band_look(band.band)
                text = f"{look.word}: {NAMES[indicator]}: {safe_text(band.reason, 300)}"
                reasons.append((_of(one.run, text, named), look.ink))
    reasons.sort(key=lambda reason: reason[1] != "bad")
    if not drifting and report.tier.drift:
        reasons = [
            (f"drift: {safe_text(why, 300)}", "bad") for why in report.tier.drift_reasons
        ] + reasons  # of all runs
    drift = bool(drifting) or bool(report.tier.drift)
    return _answer(found, drift, len(names), bands, tuple(reasons))


def _of(run: str, text: str, named: bool) -> str:
    return f"{run_name(run, 24)}: {text}" if named else text


def _answer(
    found: Sequence[Standing], drift: bool, drifting: int, bands: dict[str, int], reasons: tuple[tuple[str, Ink], ...]
) -> Verdict:
    critical, warning = bands.get("critical", 0), bands.get("warning", 0)
    where = f" in {drifting} of {len(found)} runs" if drifting and len(found) > 1 else ""
    if drift or critical:
        told = [f"drift{where}"] * drift + [f"{critical} critical"] * bool(critical) + _some(warning)
        return Verdict("✖", "COLLAPSING: " + ", ".join(told), "bad", 0, reasons)
    if warning:
        return Verdict("▲", f"SLIPPING: {', '.join(_some(warning))}, {_drift(found)}", "warn", 1, reasons)
    healthy = bands.get("healthy", 0)
    if not healthy:
        words = "UNDECIDED: no indicator can be judged yet" if found else "NO DATA: no attempt was read"
        return Verdict("◐" if found else "○", words, "accent" if found else "muted", 2 if found else 4, reasons)
    judged = f"{healthy} of {sum(bands.values())} indicators healthy"
    open_ = bands.get("undecided", 0)
    judged += f", {open_} undecided" if open_ else ""
    if not _decided(found):
        return Verdict("◐", f"SO FAR SO GOOD: {judged}, {_drift(found)}", "accent", 3, reasons)
    return Verdict("●", f"HOLDING: no drift, {judged}", "good", 5, reasons)


def _some(warnings: int) -> list[str]:
    return [some(warnings, "warning")] if warnings else []


def _decided(found: Iterable[Standing]) -> bool:
    return all(one.figures is not None and one.figures.drift is not None for one in found)


def _drift(found: Sequence[Standing]) -> str:
    open_ = sum(one.figures is None or one.figures.drift is None for one in found)
    if not open_:
        return "no drift"
    return "drift not decided yet" + (f" in {open_} of {len(found)} runs" if len(found) > 1 else "")


# ---------------------------------------------------------------------- lines


def verdict_lines(view: HealthView, answer: Verdict, width: int, reasons: int) -> list[Line]:
    """Return the answer, so many of its reasons (none for 0), and the totals."""
    report = view.report
    lines: list[Line] = [((f" {answer.glyph} {answer.words}", answer.ink if answer.ink != "muted" else "strong"),)]
    if not reasons:
        return [*lines, totals_line(report.tier, width)]
    shown = answer.reasons if len(answer.reasons) <= reasons else answer.reasons[: max(reasons - 1, 1)]
    lines += [((fit(f"   {text}", width), ink),) for text, ink in shown]
    if (more := len(answer.reasons) - len(shown)) and reasons > 1:
        lines.append(((f"   +{more} more reasons: d shows them all", "muted"),))
    return [*lines, totals_line(report.tier, width)]


def totals_line(tier: TierFigures, width: int) -> Line:
    """Return attempts, success, repairs, tokens and cost of a tier; what is of least use gives way."""
    if not tier.attempts:
        return ()
    parts = [
        f"{some(tier.attempts, 'attempt')} in {some(tier.batches, 'batch')}",
        f"success {percent(tier.success_rate)}",
        f"repairs {percent(tier.repair_rate)}",
        cost_text(tier.cost_usd),
        f"{count(tier.total_tokens)} tokens" if tier.total_tokens else "no row tells of tokens",
        f"≤ {some(tier.personas_at_most, 'persona')}" if tier.personas_at_most else "no persona ids",
        f"success or repaired {percent(tier.success_or_repaired_rate)}",
    ]
    if math.isfinite(tier.latency_baseline_ms):
        parts.append(f"latency baseline {number(tier.latency_baseline_ms)} ms")
    while len(parts) > 1 and len(" · ".join(parts)) + 3 > width:
        parts.pop()
    return ((fit("   " + " · ".join(parts), width), "muted"),)


def reading_line(report: HealthReport, width: int) -> list[Line]:
    """Return how much of a backlog was read, nothing where all was but what is being written just now."""
    readable = [one for one in report.sources if not one.problem]
    done, whole = sum(one.done for one in readable), sum(one.size for one in readable)
    if whole - done < BACKLOG:
        return []
    share = max(done / whole, 0.0)
    text = f"   reading {bar(share, 20)} {int(share * 100)} % of {size(whole)}; the figures are of what was read"
    return [((fit(text, width), "accent"),)]


def updated(report: HealthReport) -> float:
    """Return when any of its logs was last written, NaN where unknown."""
    return max((one.updated for one in report.sources if math.isfinite(one.updated)), default=math.nan)


def freshness(report: HealthReport, now: float) -> str:
    """Return how many files there are and how old the newest is."""
    return f"{some(len(report.sources), 'file')}, written {ago(age(updated(report), now))}"


def troubles(report: HealthReport) -> list[tuple[str, Ink]]:
    """Return what was not read: bad rows and files that cannot be read now."""
    found: list[tuple[str, Ink]] = []
    if report.bad_rows:
        found.append((f"{some(report.bad_rows, 'bad row')} (b)", "warn"))
    broken = [one for one in report.sources if one.problem]
    if broken:
        found.append(
            (f"! {len(broken)} of {len(report.sources)} files: {safe_text(broken[0].problem or '', 120)}", "bad")
        )
    return found
