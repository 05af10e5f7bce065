"""The health of attempt logs as text of at most 80 columns: the verdict and why, the newest batches, all of them.

Made of a report alone; nothing is read or printed here.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.bands import BANDS, NAMES, band_look, interval_text, latency_text, severity, value_text
from mens_console.signals.generation import INDICATORS, MIN_ATTEMPTS, OTHERS, TORN
from mens_console.signals.human import count, percent, some
from mens_console.signals.tiers import named
from mens_console.store.feeds import strange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mens_console.signals.generation import HealthReport, Indicator, Judged, TierFigures

    Ink = Callable[[str, str], str]

WIDTH: Final = 80
LISTED: Final = 20
"""Runs, batches of a run, or groups, that are listed; JSON and CSV have all of them."""
_SHORT: Final[dict[Indicator, str]] = {
    "repair_rate": "repairs",
    "repair_rate_trend": "trend pp",
    "opening_entropy": "openings",
    "pollyanna": "pollyanna",
    "anchor_diversity": "anchors",
    "mean_latency": "latency",
}
_CELL: Final = 9
_REASONS: Final = 6
"""Critical bands, and reasons of drift, that are told of one by one."""
_CALM: Final = ("healthy", "nodata", "below_range")


def lines(report: HealthReport, by: str, ink: Ink, *, runs: int | None = None) -> list[str]:
    """Return everything there is to say: about the newest `runs` runs where that is given."""
    said = verdict(report, by, ink)
    if by != "batch":
        return [*said, "", *_groups(report, by, ink)]
    chosen = _chosen(report, LISTED if runs is None else runs)
    batches: dict[str, list[Judged]] = {run: [] for tier in chosen for run in tier.runs}
    for one in report.batches:
        if one.batch.run_id in batches:
            batches[one.batch.run_id].append(one)
    for tier in chosen:
        mine = [one for run in tier.runs for one in batches[run]]
        said += ["", *_run(tier, mine, ink, alone=len(report.runs) == 1)]
    if len(chosen) < len(report.runs):
        said += ["", f"… and {len(report.runs) - len(chosen):,} more runs (--json has all)"]
    return said


def _chosen(report: HealthReport, most: int) -> list[TierFigures]:
    """Return the runs that are told of one by one: those that drift or are critical first, else the newest."""
    if len(report.runs) <= most:
        return list(report.runs)
    held = {judged.batch.run_id for judged, _ in critical_now(report)}
    bad = [number for number, tier in enumerate(report.runs) if tier.drift or not held.isdisjoint(tier.runs)]
    others = sorted(set(range(len(report.runs))) - set(bad))
    return [report.runs[number] for number in sorted([*others, *bad][-most:])]


def state_of(report: HealthReport, by: str = "batch") -> tuple[str, str, str]:
    """Return glyph, words and ink of the verdict on everything that was read."""
    held = critical_now(report, by)
    if report.tier.drift:
        return "✖", "drift" if not held else "drift, and critical", "bad"
    if held:
        return BANDS["critical"].glyph, "critical", "bad"
    worst = min((band for one in _standing(report, by) for band in one.bands.values()), key=_rank, default=None)
    if worst is None:
        return (
            BANDS["nodata"].glyph,
            f"nothing to judge{'' if not report.batches else f': fewer than {MIN_ATTEMPTS} attempts each'}",
            "muted",
        )
    look = band_look(worst.band)
    tail = "" if report.tier.drift is not None or by != "batch" else ", drift not judged yet"
    return look.glyph, ("healthy" if worst.band == "healthy" else look.word) + tail, look.ink


def _rank(band: object) -> int:
    return band_look(getattr(band, "band", "")).rank


def verdict(report: HealthReport, by: str, ink: Ink) -> list[str]:
    """Return the first lines: the verdict, its reasons, the sums, and what could not be read."""
    glyph, words, colour = state_of(report, by)
    tier = report.tier
    said = [ink(f"{glyph} {words}", colour) + f"  {_extent(report, by)}, {tier.attempts:,} attempts"]
    for reason in tier.drift_reasons[:_REASONS]:
        said += _wrapped(f"drift: {reason}", "  ")
    if len(tier.drift_reasons) > _REASONS:
        said.append(f"  … and {len(tier.drift_reasons) - _REASONS:,} more reasons of drift")
    held = critical_now(report, by)
    for judged, name in held[:_REASONS]:
        where = _place(judged, by, alone=len(tier.runs) <= 1)
        said += _wrapped(f"critical: {NAMES[name]} of {where}: {judged.bands[name].reason}", "  ")
    if len(held) > _REASONS:
        said.append(f"  … and {len(held) - _REASONS:,} more critical bands")
    said += _wrapped(_sums(tier), "  ")
    for note in tier.notes if by == "batch" else ():
        said += [ink(line, "muted") for line in _wrapped(note, "  ")]
    for limit in dict.fromkeys(limit for one in report.batches for limit in one.batch.limits.values()):
        said += [ink(line, "warn") for line in _wrapped(limit, "  ")]
    return said + [ink(line, "warn") for line in _unread(report)]


def _extent(report: HealthReport, by: str) -> str:
    n, runs = len(report.batches), len(report.tier.runs)
    if by != "batch":
        return f"{n:,} {by}{'' if n == 1 else 's'}"
    return f"{n:,} batch{'' if n == 1 else 'es'} of {runs} run{'' if runs == 1 else 's'}"


def _sums(tier: TierFigures) -> str:
    parts = [
        f"success {percent(tier.success_rate)}, with repaired {percent(tier.success_or_repaired_rate)}",
        f"repairs {percent(tier.repair_rate)}",
        f"{count(tier.total_tokens)} tokens, {tier.cost_usd:.2f} USD" if math.isfinite(tier.cost_usd) else "tokens —",
    ]
    if math.isfinite(tier.latency_baseline_ms):
        parts.append(f"latency baseline {latency_text(tier.latency_baseline_ms)}")
    return " · ".join(parts)


def _unread(report: HealthReport) -> Iterator[str]:
    if report.bad_rows:
        newest = report.bad[-1] if report.bad else None
        where = ""
        if newest is not None:
            line = f"line {newest.line}" if newest.line is not None else f"byte {newest.offset}"
            where = f"; the newest: {safe_text(newest.path, 200)}, {line}: {safe_text(newest.why, 200)}"
        yield from _wrapped(f"{report.bad_rows:,} rows are no attempts and were left out{where}", "  ")
    for source in report.sources:
        if source.problem is None and 0 < source.size - source.done <= TORN:
            rest = f"the last {source.size - source.done:,} bytes of {safe_text(source.path, 200)}"
            yield from _wrapped(f"{rest} are a line that is not whole yet, and wait", "  ")
    known, odd = strange(report)
    if known:
        names = ", ".join(f"{other} for {field}" for other, field in sorted(known.items()))
        yield from _wrapped(f"other names of fields: {names}", "  ")
    if odd:
        names = ", ".join(safe_text(name, 40) for name in sorted(odd, key=lambda one: -odd[one])[:6])
        yield from _wrapped(f"fields that no reader knows: {names}{' …' if len(odd) > 6 else ''}", "  ")


def newest(report: HealthReport) -> list[Judged]:
    """Return what stands now: of every run the newest batch, and the newest whole one where that grows yet."""
    last: dict[str, list[Judged]] = {}
    for judged in report.batches:
        kept = last.setdefault(judged.batch.run_id, [])
        kept[:] = [judged] if judged.batch.complete else [*kept[:1], judged]
    return [judged for kept in last.values() for judged in kept]


def _standing(report: HealthReport, by: str) -> list[Judged]:
    """Return what the verdict rests on.

    Of thousands of personas with a handful of attempts each some are always bad by chance: they count from 50 attempts.
    Those that are counted together are no persona.
    """
    if by != "persona":
        return newest(report)
    return [one for one in newest(report) if one.batch.n >= MIN_ATTEMPTS and one.batch.run_id != OTHERS]


def critical_now(report: HealthReport, by: str = "batch") -> list[tuple[Judged, Indicator]]:
    """Return the critical bands that hold: those of the newest batches. An older one says how it was."""
    standing = _standing(report, by)
    return [(one, name) for one in standing for name in INDICATORS if one.bands[name].band == "critical"]


def _place(judged: Judged, by: str = "batch", *, alone: bool) -> str:
    batch = judged.batch
    if by != "batch":
        return f"{by} {safe_text(named(batch.run_id), 60)}"
    run = "" if alone else f" of run {safe_text(named(batch.run_id), 60)}"
    return f"batch {batch.index}{run}{'' if batch.complete else f', {batch.n} attempts so far'}"


def _run(tier: TierFigures, batches: Sequence[Judged], ink: Ink, *, alone: bool) -> list[str]:
    said = [ink(f"run {safe_text(named(tier.tier), 60)}", "accent") + f"  {some(len(batches), 'batch')}"]
    if not alone and tier.drift:
        said[0] += "  " + ink("✖ drift", "bad")
    if not batches:
        return said
    said += ["", f"{_place(batches[-1], alone=True)}:"]
    for name in INDICATORS:
        band = batches[-1].bands[name]
        look = band_look(band.band)
        interval = interval_text(name, band)
        first = f"  {NAMES[name]:<17}{value_text(name, band.value):>12}  {interval:<18}"
        said.append(f"{first}  {ink(f'{look.glyph} {look.word}', look.ink)}".rstrip())
        if band.band != "healthy":
            said += [ink(line, "muted") for line in _wrapped(band.reason, "      ")]
    shown = list(reversed(batches))[:LISTED]
    said += ["", *_table("batch", ((str(one.batch.index), one) for one in shown), ink)]
    if len(batches) > LISTED:
        said.append(f"… {len(batches) - LISTED} earlier batches (--json and --csv list all)")
    return said


def _groups(report: HealthReport, by: str, ink: Ink) -> list[str]:
    """Return personas, tiers or runs as a table, the worst first."""
    ordered = sorted(report.batches, key=lambda one: (severity(one.bands.values()), -one.batch.n), reverse=False)
    said = _table(by, ((safe_text(named(one.batch.run_id), 60), one) for one in ordered[:LISTED]), ink)
    if len(ordered) > LISTED:
        said.append(f"… {len(ordered) - LISTED} more (--json and --csv list all)")
    return said


def _table(head: str, rows: Iterable[tuple[str, Judged]], ink: Ink) -> list[str]:
    listed = list(rows)
    first = min(max([len(head), *(len(label) for label, _ in listed)]), 14)
    header = f"{head:<{first}} {'n':>6} " + "".join(f"{_SHORT[name]:>{_CELL + 1}}" for name in INDICATORS)
    said = [ink(header, "muted")]
    for label, judged in listed:
        cells = "".join(_cell(name, judged, ink) for name in INDICATORS)
        shown = label if len(label) <= first else f"{label[: first // 2 - 1]}…{label[-first // 2 :]}"
        grows = " " if judged.batch.complete or head != "batch" else "+"
        said.append(f"{shown:<{first}} {count(judged.batch.n):>6}{grows}{cells}")
    said.append(ink(" ".join(f"{look.glyph} {look.word}" for look in BANDS.values()) + "  + grows yet", "muted"))
    return said


def _cell(name: Indicator, judged: Judged, ink: Ink) -> str:
    band = judged.bands[name]
    look = band_look(band.band)
    text = value_text(name, band.value).removesuffix(" nats").removesuffix(" pp").replace(" %", "%")
    padded = f"{look.glyph} {text}".rjust(_CELL + 1)
    return ink(padded, look.ink) if band.band not in _CALM else padded


def batch_line(judged: Judged, ink: Ink) -> str:
    """Return one batch in one line, for logs of what happens."""
    parts = []
    for name in INDICATORS:
        band = judged.bands[name]
        look = band_look(band.band)
        parts.append(ink(f"{look.glyph} {_SHORT[name]} {value_text(name, band.value)}", look.ink))
    batch = judged.batch
    return f"{safe_text(named(batch.run_id), 60)} batch {batch.index}, n {batch.n}: " + "  ".join(parts)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        safe_text(text, 4000), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=True
    )
