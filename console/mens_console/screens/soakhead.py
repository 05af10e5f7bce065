"""The lines above the picture of a soak: how far it is, whether the load was kept, and what it shows of its targets.

Pure functions from an analysis to lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line
from mens_console.screens.soakwords import BANDS, down, elapsed, ms, state_look, up
from mens_console.signals.human import duration, number, percent, some, step
from mens_console.soak.verdicts import errors, failures, uptime
from mens_console.soak.wording import cure
from mens_widgets.bar import bar
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.soak.types import Analysis, Budget
    from mens_console.soak.verdicts import Verdict
    from mens_console.store.snapshot import SoakView

CALM: Final = frozenset({"running", "finished", "imported", "starting"})
"""States whose evidence may wait for room."""
ONE_LINE: Final = 150
"""Columns from which on budget and time between failures share a line."""
Piece = list[tuple[str, str]]


def head_lines(view: SoakView, analysis: Analysis, width: int, place: tuple[int, int]) -> list[Line]:
    """Return what is known of a soak in a few lines; `place` is which of how many it is."""
    lines = [_progress(view, analysis, width, place)]
    if analysis.state not in CALM and analysis.why:
        lines.append(((fit(f" {safe_text(analysis.why, 300)}", width), state_look(analysis.state).ink),))
    if onward := cure(analysis.state, str(view.path)):
        lines.append(((fit(f" {onward}", width), "strong"),))
    lines.append(_joined(_load(analysis), width))
    lines.append(_joined(_availability(analysis), width))
    lines.append(_joined(_failures(analysis), width))
    told = _budget(analysis.budget, width), _mtbf(analysis)
    for pieces in (told[0] + told[1],) if width >= ONE_LINE else told:
        if pieces:
            lines.append(_joined(pieces, width))
    return lines


def _progress(view: SoakView, analysis: Analysis, width: int, place: tuple[int, int]) -> Line:
    look = state_look(analysis.state)
    nth = f" [{place[0]} of {place[1]}]" if place[1] > 1 else ""
    name = fit(safe_text(view.id, 80), min(max(width // 4, 12), cell_len(safe_text(view.id, 80))))
    line: Piece = [(f" {name}", "strong"), (nth, "muted"), (f"  {look.glyph} {look.word}", look.ink)]
    if analysis.source != "mens-console":
        line.append((f" from {safe_text(analysis.source, 20)}", "muted"))
    if analysis.target_s:
        share = analysis.now_s / analysis.target_s
        line += [("  ", ""), (bar(min(share, 1.0), max(6, min(24, width // 8))), "accent")]
        line.append((f" {min(share, 1.0) * 100:.1f} %", "strong"))
        line.append((f"  {elapsed(analysis.now_s)} of {elapsed(analysis.target_s)}", ""))
    else:
        line.append((f"  {elapsed(analysis.now_s)}", ""))
    left = width - sum(cell_len(text) for text, _ in line) - 2
    if analysis.state in CALM and analysis.why and left > 12:
        line.append(("  " + fit(safe_text(analysis.why, 200), left), "muted"))
    return tuple(line)


def _load(analysis: Analysis) -> list[Piece]:
    offered, achieved = analysis.offered_rate, analysis.achieved_rate
    behind = offered is not None and achieved is not None and achieved < 0.99 * offered
    lag = analysis.latencies.get("lag")
    told: list[Piece] = [
        [("offered ", "muted"), (_rate(offered), "")],
        [("achieved ", "muted"), (_rate(achieved), "warn" if behind else "")],
    ]
    if lag is not None and lag.n:
        late = lag.quantile(0.99)
        told.append([("lag p99 ", "muted"), (ms(late), "warn" if late is not None and late > 1000 else "")])
    told.append([(some(analysis.requests, "request"), "")])
    if analysis.skipped:
        told.append([(f"{step(analysis.skipped)} skipped", "warn")])
    if analysis.lost:
        told.append([(f"{step(analysis.lost)} lost", "warn")])
    if analysis.degraded is not None:
        share = analysis.degraded / analysis.requests if analysis.requests else 0.0
        told.append([("degraded ", "muted"), (down(share), "warn" if share > 0.01 else "")])
    if analysis.goodput is not None:
        told.append([("goodput ", "muted"), (_rate(analysis.goodput), "")])
    if analysis.output_tokens_per_s is not None:
        told.append([("output ", "muted"), (f"{number(analysis.output_tokens_per_s, 3)} tok/s", "")])
    return told


def _availability(analysis: Analysis) -> list[Piece]:
    verdict = uptime(analysis)
    probe, request, blind = analysis.probe_availability, analysis.request_availability, analysis.unobserved_s
    told = [_verdict("uptime", verdict, up(verdict.value), _between(verdict, up))]
    told.append([("probe ", "muted"), (up(probe) if probe is not None else "none sent", "" if probe else "muted")])
    told.append([("request ", "muted"), (up(request), "")])
    if analysis.plan is None:
        return told
    share = blind / analysis.now_s if analysis.now_s else 0.0
    shown = f"{elapsed(blind)} ({percent(share)})" if blind else "0s"
    told.append([("unobserved ", "muted"), (shown, "warn" if blind else "")])
    return told


def _failures(analysis: Analysis) -> list[Piece]:
    wrong, broken = errors(analysis), failures(analysis)
    told = [_verdict("errors", wrong, down(wrong.value), _between(wrong, down))]
    count = "—" if broken.value is None else f"{broken.value:.0f}"
    told.append(_verdict("failures", broken, count, ""))
    if any(one.closed is None for one in analysis.incidents):
        told.append([("✖ an incident is open", "bad")])
    return told


def _verdict(name: str, verdict: Verdict, value: str, between: str) -> Piece:
    look = BANDS[verdict.band]
    piece: Piece = [(f"{name} ", "muted"), (value, "strong"), (f" {look.glyph} {look.word}", look.ink)]
    return [*piece, (f" {between}", "muted")] if between else piece


def _between(verdict: Verdict, write: Callable[[float], str]) -> str:
    """Return the 95 % bounds, without the unit that the value tells."""
    if verdict.low is None or verdict.high is None:
        return ""
    return f"[{write(verdict.low).removesuffix(' %')}, {write(verdict.high).removesuffix(' %')}]"


def _budget(budget: Budget | None, width: int) -> list[Piece]:
    if budget is None:
        return []
    ink = "bad" if budget.left <= 0 else "warn" if budget.left < 0.25 else "good"
    text = f"{budget.left * 100:.0f} % left" if budget.left > 0 else f"overdrawn by {step(round(-budget.left * 100))} %"
    cells = max(6, min(16, width // 12))
    piece: Piece = [("budget ", "muted"), (bar(min(max(budget.left, 0.0), 1.0), cells), ink), (f" {text}", ink)]
    piece.append((f" of {duration(budget.allowed_s)}", "muted"))
    told = [piece]
    if budget.burn is not None:
        hour = f", last hour {number(budget.burn_hour, 3)}×" if budget.burn_hour is not None else ""
        told.append(
            [("burn ", "muted"), (f"{number(budget.burn, 3)}×", "warn" if budget.burn > 1 else ""), (hour, "muted")]
        )
    return told


def _mtbf(analysis: Analysis) -> list[Piece]:
    if analysis.mtbf_s is None and analysis.mtbf_lower_bound_s is None:
        return []
    piece: Piece = [("MTBF ", "muted")]
    if analysis.mtbf_s is not None:
        piece.append((duration(analysis.mtbf_s), ""))
    else:
        piece.append(("no failure", ""))
    if analysis.mtbf_lower_bound_s is not None:
        piece.append((f", at least {duration(analysis.mtbf_lower_bound_s)} (95 %)", ""))
    told = [piece]
    if analysis.mttr_s is not None:
        told.append([("MTTR ", "muted"), (duration(analysis.mttr_s), "")])
    if analysis.mtbf_needs_s is not None:
        told.append([(f"1000 h would take {hours(analysis.mtbf_needs_s)} in all", "muted")])
    return told


def hours(seconds: float) -> str:
    """Return a long time in hours: ``2 996 h``."""
    return f"{step(round(seconds / 3600))} h"


def _rate(value: float | None) -> str:
    return "—" if value is None else f"{number(value, 3)}/s"


def _joined(pieces: list[Piece], width: int) -> Line:
    """Return as many pieces as fit on one line, the first ones first."""
    line: Piece = [(" ", "")]
    used = 1
    for piece in pieces:
        cells = sum(cell_len(text) for text, _ in piece) + 2
        if used + cells - 2 > width and used > 1:
            continue
        line += [*piece, ("  ", "")]
        used += cells
    return tuple(line)
