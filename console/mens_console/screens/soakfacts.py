"""What stands beside and below the picture of a soak: incidents, latencies, levels that leak, errors, events, the plan.

Pure functions from an analysis to lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.load.histogram import RELATIVE_ERROR
from mens_console.screens.sheet import Line, fact, prose
from mens_console.screens.soakwords import LEAKS, LEVELS, NAMES, down, elapsed, ms
from mens_console.screens.words import moment_text
from mens_console.signals.human import count, duration, number, percent, size, some, step
from mens_console.soak.verdicts import errors, failures, uptime
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import tzinfo

    from mens_console.screens.words import Ink
    from mens_console.soak.types import Analysis, Incident, Leak, Plan

EVENTS: Final = 60
"""Events that are listed, the newest first."""
EVENT_INKS: Final[dict[str, Ink]] = {
    "gap": "warn", "held": "warn", "clock": "warn", "discard": "warn", "warning": "warn", "stop": "warn",
    "resume": "accent", "start": "muted", "end": "muted", "normal": "muted",
}  # fmt: skip
CANNOT: Final = (
    "Such a file holds no health probes and no plan: it cannot tell availability by probe, unobserved time, or time "
    "between failures. `mens-console soak run` records them."
)


def incident_lines(analysis: Analysis, chosen: int, width: int, zone: tzinfo | None) -> list[Line]:
    """Return one line an incident, the oldest first; the chosen one is marked."""
    if not analysis.incidents:
        if analysis.plan is None:
            return prose(
                "Its requests show no incident; a file without probes can tell of no other.", width, "muted", " "
            )
        return [((f" no incident in {elapsed(analysis.now_s - analysis.unobserved_s)} observed", "muted"),)]
    return [_incident(one, analysis, width, zone, marked=i == chosen) for i, one in enumerate(analysis.incidents)]


def _incident(one: Incident, analysis: Analysis, width: int, zone: tzinfo | None, *, marked: bool) -> Line:
    lasted = (analysis.now_s if one.closed is None else one.closed) - one.opened
    at = "" if analysis.started is None else moment_text(analysis.started + one.opened, _end(analysis), zone)
    open_now = one.closed is None
    counts = [some(one.probes_failed, "probe")] if one.probes_failed else []
    counts += [some(one.requests_failed, "request")] if one.requests_failed else []
    told = f"{', '.join(counts)} failed" if counts else ""
    left = width - 34 - (14 if width >= 70 else 0) - len(told)
    line = [
        ("›" if marked else " ", "accent"),
        (f"✖ {elapsed(one.opened):>7}", "bad" if open_now else "warn"),
        (f"  {at:<12}" if width >= 70 else "", "muted"),
        (f"  {'open for' if open_now else 'lasted'} {duration(lasted):<6}", "bad" if open_now else ""),
        (f"  {told}" if told else "", ""),
        (f"  {fit(safe_text(one.cause, 120), left)}" if left > 8 else "", "muted"),
    ]
    return tuple(piece for piece in line if piece[0])


def _end(analysis: Analysis) -> float:
    return (analysis.started or 0.0) + analysis.now_s


def latency_lines(analysis: Analysis, width: int) -> list[Line]:
    """Return percentiles of the whole soak, from its merged histograms."""
    known = [(name, analysis.latencies[name]) for name in NAMES if name in analysis.latencies]
    known = [(name, found) for name, found in known if found.n]
    foreign = told_lines(analysis, {name for name, _ in known}, width)
    if not known:
        good = analysis.requests - sum(analysis.failed.values())
        return foreign or [((" no latency is told" if good else " no request succeeded yet", "muted"),)]
    most, n = (10, 12) if width >= 64 else (0, 10)
    heads = "".join(f"{name:>9}" for name in ("p50", "p95", "p99")) + f"{'greatest':>{most}}" * bool(most)
    lines: list[Line] = [((f" {'':<12}{heads}{'n':>{n}}", "muted"),)]
    for name, found in known:
        values = "".join(f"{ms(found.quantile(q)):>9}" for q in (0.5, 0.95, 0.99))
        rest = f"{ms(found.greatest):>{most}}" * bool(most) + f"{count(found.n) if not most else step(found.n):>{n}}"
        lines.append(((f" {NAMES[name]:<12}", ""), (values, "strong"), (rest, "")))
    if analysis.normal_ms is not None:
        text = f" normal {ms(analysis.normal_ms)}; {step(analysis.degraded or 0)} took more than twice as long"
        lines.append(((text, "muted"),))
    if width >= 50:
        lines.append(((f" of all requests together, within {RELATIVE_ERROR:.0%} (merged histograms)", "muted"),))
    return lines + foreign


def told_lines(analysis: Analysis, counted: Collection[str], width: int) -> list[Line]:
    """Return percentiles that another tool told and that cannot be counted anew, with what they are of."""
    told = analysis.extra.get("told")
    lines: list[Line] = []
    for name, one in told.items() if isinstance(told, dict) else ():
        if name in counted or not isinstance(one, dict):
            continue
        values = "".join(f"{ms(_number(one.get(key))):>9}" for key in ("p50", "p95", "p99"))
        lines.append(((f" {fit(NAMES.get(name, safe_text(str(name), 12)), 12)}", ""), (values, "strong")))
        meaning = safe_text(str(one.get("meaning") or "it does not say of what"), 160)
        lines += prose(f"as the tool told it: {meaning}", width, "muted", "   ")
    heads = "".join(f"{key:>9}" for key in ("p50", "p95", "p99"))
    return [((f" {'':<12}{heads}", "muted"),), *lines] if lines and not counted else lines


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def leak_lines(analysis: Analysis, width: int) -> list[Line]:
    """Return each level that should stay level: its slope with the interval, and when it would reach its limit."""
    lines: list[Line] = []
    for leak in analysis.leaks:
        look = LEAKS[leak.verdict]
        name = LEVELS.get(leak.name, safe_text(leak.name, 20))
        lines.append(((f" {fit(name, 10)} ", ""), (f"{look.glyph} {look.word}", look.ink), (_last(leak), "strong")))
        if leak.slope_per_h is not None:
            lines.append(((f"   {_slope(leak)}", ""), (f"  n {step(leak.n)}", "muted")))
        if leak.to_limit_s is not None and leak.limit is not None:
            lines += prose(f"limit {_level(leak, leak.limit)} {_when(leak.to_limit_s, leak)}", width, "warn", "   ")
        elif leak.limit is not None:
            lines.append(((f"   limit {_level(leak, leak.limit)}", "muted"),))
        if leak.note:
            lines += prose(safe_text(leak.note, 200), width, "muted", "   ")
    return lines or prose(
        "No level was sampled: --watch-pid tells memory, /metrics the KV cache, NVML the GPU.", width, "muted", " "
    )


def _when(to_limit_s: float, leak: Leak) -> str:
    soonest = f", {duration(leak.soonest_s)} at the earliest" if leak.soonest_s is not None else ""
    return f"in {duration(to_limit_s)}{soonest}" if to_limit_s > 0 else "reached"


def _level(leak: Leak, value: float) -> str:
    if leak.unit in ("bytes", "B"):
        return size(value)
    return percent(value) if leak.unit in ("share", "ratio") else f"{number(value)} {safe_text(leak.unit, 12)}".rstrip()


def _last(leak: Leak) -> str:
    return "" if leak.last is None else f"  {_level(leak, leak.last)}"


def _slope(leak: Leak) -> str:
    """Return ``+12.1 MB/h [10.4, 13.9]``."""
    text = _signed(leak, leak.slope_per_h or 0.0) + "/h"
    if leak.interval is None:
        return text
    low, high = (_signed(leak, end) for end in leak.interval)
    return f"{text} [{low}, {high}]"


def _signed(leak: Leak, value: float) -> str:
    if leak.unit in ("share", "ratio"):
        return f"{value * 100:+.2g} pp"
    return ("+" if value >= 0 else "-") + _level(leak, abs(value))


def error_lines(analysis: Analysis, width: int) -> list[Line]:
    """Return failed requests by class, the most frequent first."""
    del width
    total = sum(analysis.failed.values())
    if not total:
        text = f" none of {some(analysis.requests, 'request')} failed" if analysis.requests else " no request ended yet"
        return [((text, "muted"),)]
    lines: list[Line] = []
    for name, n in sorted(analysis.failed.items(), key=lambda one: (-one[1], one[0])):
        share = n / analysis.requests if analysis.requests else math.nan
        lines.append(((f" {fit(safe_text(name, 24), 12)}{step(n):>9}", ""), (f"  {down(share)} of all", "muted")))
    return lines


def event_lines(analysis: Analysis, width: int, zone: tzinfo | None) -> list[Line]:
    """Return what happened to the driver, the newest first."""
    lines: list[Line] = []
    for event in list(analysis.events)[-EVENTS:][::-1]:
        at = ""
        if analysis.started is not None and width >= 60:
            at = f"{moment_text(analysis.started + event.at, _end(analysis), zone):<12} "
        text = f"{elapsed(event.at):>7}  {at}{safe_text(event.kind, 12)}: {safe_text(event.text, 200)}"
        lines.append(((fit(f" {text}", width), EVENT_INKS.get(event.kind, "")),))
    more = len(analysis.events) - EVENTS
    return [*lines, *([((f" and {some(more, 'older event')}", "muted"),)] if more > 0 else [])] or [
        ((" nothing was noted", "muted"),)
    ]


def plan_lines(analysis: Analysis, width: int) -> list[Line]:
    """Return what is asked of whom, what was recorded where, and what a reader must know."""
    lines = _plan(analysis.plan) if analysis.plan is not None else prose(CANNOT, width, "warn", " ")
    lines.append(fact(" record", safe_text(analysis.path, 300)))
    if analysis.counted_by:
        by = ", ".join(f"{step(n)} by {safe_text(who, 20)}" for who, n in analysis.counted_by.items())
        known = set(analysis.counted_by) <= {"server"}
        lines.append(fact(" tokens", f"{step(analysis.output_tokens or 0)} out; counted {by}", "" if known else "warn"))
    if analysis.gpu_peak_bytes is not None:
        lines.append(fact(" GPU peak", size(analysis.gpu_peak_bytes)))
    for name, value in list(analysis.tags.items())[:12]:
        lines.append(fact(f" {safe_text(name, 10)}", safe_text(value, 200)))
    for name, judged in (("uptime", uptime(analysis)), ("errors", errors(analysis)), ("failures", failures(analysis))):
        if judged.reason:
            lines += prose(f"{name}: {judged.reason}", width, "muted", " · ")
    for problem in analysis.problems:
        lines += prose(safe_text(problem, 400), width, "warn", " ! ")
    return lines


def _plan(plan: Plan) -> list[Line]:
    asked = f"{number(plan.rate, 3)} requests/s, {plan.arrivals}, for {elapsed(plan.duration_s)}"
    sized = f"{step(plan.prompt_tokens)} tokens in, {step(plan.max_tokens)} out at most"
    prompts = f", prompts from {safe_text(plan.prompts, 120)}" if plan.prompts else ""
    watched = "" if plan.watch_pid is None else f", watching pid {plan.watch_pid}"
    return [
        fact(" server", safe_text(plan.url, 200), note=f"{plan.api}"),
        fact(" model", safe_text(plan.model, 120)),
        fact(" load", asked),
        fact(" request", sized + prompts),
        fact(" probe", f"every {duration(plan.probe_every_s)}{watched}"),
        fact(" good is", f"first token within {ms(plan.slo_ttft_ms)}, mean gap within {ms(plan.slo_itl_ms)}"),
    ]
