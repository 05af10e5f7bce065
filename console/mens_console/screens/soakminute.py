"""All about the minutes of one column: what was due and what became of it, probes, percentiles, levels.

Pure functions from minutes to lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.load.histogram import Histogram
from mens_console.screens.sheet import Line, fact, prose
from mens_console.screens.soakbins import frozen
from mens_console.screens.soakwords import LEVELS, NAMES, SHORT, down, elapsed, ms, up
from mens_console.screens.words import moment_text
from mens_console.signals.human import number, percent, size, some, step
from mens_console.soak.types import MINUTE
from mens_console.soak.wording import lost_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo

    from mens_console.soak.types import Analysis, Minute

PROBES: Final = 12
"""Failed probes that are told one by one."""
LIVE: Final = frozenset({"starting", "running", "unknown"})
QUANTILES: Final = (0.5, 0.95, 0.99)


def minutes_of(analysis: Analysis, wanted: range) -> list[Minute]:
    """Return the minutes of an analysis that are wanted, in order."""
    found = analysis.minutes
    first = bisect_left(found, wanted.start, key=lambda one: one.index)
    out = []
    for minute in found[first : first + len(wanted)]:
        if minute.index >= wanted.stop:
            break
        out.append(minute)
    return out


def merged(minutes: Iterable[Minute], name: str) -> Histogram:
    """Return one latency of some minutes together."""
    out = Histogram()
    for minute in minutes:
        found = minute.latencies.get(name)
        if found is not None and found.n:
            out.merge(frozen(found))
    return out


def readout(analysis: Analysis, wanted: range, zone: tzinfo | None, width: int) -> list[tuple[str, str]]:
    """Return the column that is read in one line of pieces: when, percentiles, failures."""
    minutes = minutes_of(analysis, wanted)
    pieces = [(f" {when(analysis, wanted, zone)}", "strong")]
    if not minutes:
        return [*pieces, ("  nothing was recorded", "muted")]
    ended, failed = sum(one.ended for one in minutes), sum(one.failures for one in minutes)
    if failed:  # first, for what does not fit at the end is left out
        pieces.append((f"  {step(failed)} of {step(ended)} failed", "bad"))
    probes = [probe for one in minutes for probe in one.probes]
    bad = sum(not probe.ok for probe in probes)
    if bad:
        pieces.append((f"  {bad} of {len(probes)} probes failed", "bad"))
    blind = sum(one.unobserved_s for one in minutes)
    if blind:
        pieces.append((f"  {elapsed(blind)} unobserved", "warn"))
    for name in ("ttft", "itl", "e2e"):
        found = merged(minutes, name)
        if found.n:
            values = "/".join(ms(found.quantile(q)).replace(" ", "") for q in QUANTILES[: 3 if width >= 110 else 2])
            pieces.append((f"  {SHORT[name]} {values}", ""))
    if not failed:
        pieces.append((f"  {step(ended)} req", "muted"))
    return _fitting(pieces, width)


def _fitting(pieces: list[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    """Return the first pieces that fit whole: half a number would be another one."""
    ends = accumulate(len(text) for text, _ in pieces)
    return [piece for piece, end in zip(pieces, ends, strict=True) if end <= width] or pieces[:1]


def when(analysis: Analysis, wanted: range, zone: tzinfo | None) -> str:
    """Return a column's place in the soak, and its time of day."""
    text = elapsed(wanted.start * 60.0)
    if len(wanted) > 1:
        text += f"–{elapsed(wanted.stop * 60.0)}"
    if analysis.started is None:
        return text
    end = analysis.started + analysis.now_s
    return f"{text} ({moment_text(analysis.started + wanted.start * 60.0, end, zone)})"


def minute_lines(analysis: Analysis, wanted: range, width: int, zone: tzinfo | None) -> list[Line]:
    """Return all about the minutes of a column."""
    minutes = minutes_of(analysis, wanted)
    title: Line = ((f" {when(analysis, wanted, zone)}", "accent"), (f"  {some(len(minutes), 'minute')}", "muted"))
    if not minutes:
        return [title, ((" nothing was recorded", "muted"),)]
    lines = [
        title,
        *_requests(minutes, observed(minutes, analysis.now_s), live=analysis.state in LIVE),
        *_latencies(minutes),
        *_probes(minutes),
        *_levels(minutes),
    ]
    reasons = sum((Counter(one.reasons) for one in minutes), Counter())
    for reason, n in reasons.most_common(6):
        lines += prose(f"{step(n)} × {safe_text(reason, 160)}", width, "bad", " ✖ ")
    return lines


def observed(minutes: Iterable[Minute], now_s: float) -> float:
    """Return the seconds of some minutes in which somebody looked, in a soak that has come to `now_s`."""
    return sum(max(min(now_s - MINUTE * one.index, MINUTE) - one.unobserved_s, 0.0) for one in minutes)


def _requests(minutes: Sequence[Minute], seconds: float, *, live: bool) -> list[Line]:
    due, sent = sum(one.due for one in minutes), sum(one.sent for one in minutes)
    ended, failed = sum(one.ended for one in minutes), sum((Counter(one.failed) for one in minutes), Counter())
    total = sum(failed.values())
    lines = [fact(" requests", f"{step(due) if due or not sent else '—'} due, {step(sent)} sent, {step(ended)} ended")]
    if total:
        classes = ", ".join(f"{step(n)} {safe_text(name, 16)}" for name, n in failed.most_common(6))
        lines.append(fact(" failed", f"{step(total)} ({down(total / ended if ended else None)}): {classes}", "bad"))
    else:
        lines.append(fact(" failed", f"0 of {step(ended)}"))
    lost, skipped = sum(one.lost for one in minutes), sum(one.skipped for one in minutes)
    if lost:
        known = sum((Counter(one.lost_by) for one in minutes), Counter())
        lines.append(fact(" lost", step(lost), "warn"))
        lines += [((f"   {step(n)} {what}", "muted"),) for what, n in lost_by(lost, known) if known]
    if skipped:
        lines.append(fact(" skipped", step(skipped), "warn"))
    degraded = [one.degraded for one in minutes if one.degraded is not None]
    if degraded:
        lines.append(fact(" degraded", step(sum(degraded))))
    blind = sum(one.unobserved_s for one in minutes)
    if blind:
        lines.append(fact(" unobserved", elapsed(blind), "warn"))
    tokens, open_ones = sum(one.output_tokens for one in minutes), sum(not one.closed for one in minutes)
    rate = f" ({number(tokens / seconds, 3)}/s)" if seconds >= 1.0 else ""
    counted = tokens or ended == total or any(one.counted_by for one in minutes)
    lines.append(fact(" tokens out", f"{step(tokens)}{rate}" if counted else "—"))
    if open_ones and live:
        lines.append(((" the newest minute is still open: more will come to it", "muted"),))
    return lines


def _latencies(minutes: Sequence[Minute]) -> list[Line]:
    lines: list[Line] = [((f" {'':<13}{'p50':>9}{'p95':>9}{'p99':>9}{'n':>11}", "muted"),)]
    for name in NAMES:
        found = merged(minutes, name)
        if found.n:
            values = "".join(f"{ms(found.quantile(q)):>9}" for q in QUANTILES)
            lines.append(((f" {NAMES[name]:<13}", ""), (values, "strong"), (f"{step(found.n):>11}", "")))
    if len(lines) > 1:
        return lines
    good = sum(one.ended - one.failures for one in minutes)
    return [((" no latency is told of these answers" if good else " no request succeeded", "muted"),)]


def _probes(minutes: Sequence[Minute]) -> list[Line]:
    probes = [probe for one in minutes for probe in one.probes]
    if not probes:
        return [fact(" probes", "none", "muted")]
    bad = [probe for probe in probes if not probe.ok]
    text = f"{len(probes) - len(bad)} of {len(probes)} answered ({up(1 - len(bad) / len(probes))})"
    lines = [fact(" probes", text, "bad" if bad else "")]
    for probe in bad[:PROBES]:
        why = f"  {safe_text(probe.why, 80)}" if probe.why else ""
        lines.append(((f"   ✖ {elapsed(probe.at)} +{probe.at % 60:04.1f}s{why}", "bad"),))
    return lines


def _levels(minutes: Sequence[Minute]) -> list[Line]:
    levels = {name: value for one in minutes for name, value in one.levels.items()}
    return [
        fact(f" {LEVELS.get(name, safe_text(name, 10))}", percent(value) if name == "kv_cache" else size(value))
        for name, value in levels.items()
    ]
