"""One line a soak, for `mens-console status`: its state, how far it is, uptime, errors and incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.soakwords import BANDS, down, elapsed, state_look, up
from mens_console.signals.human import some
from mens_console.soak.verdicts import errors, uptime
from mens_console.soak.wording import cure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mens_console.store.snapshot import SoakView


def soak_lines(views: Iterable[SoakView], ink: Callable[[str, str], str]) -> list[str]:
    """Return one line a soak; `ink` colours text."""
    return [_line(view, ink) for view in views]


def _line(view: SoakView, ink: Callable[[str, str], str]) -> str:
    name, report = safe_text(view.id, 80), view.report
    if report is None:
        return f"{ink('? unknown', 'warn')}  soak {name}  {safe_text(view.problem, 200) or 'not read'}"
    look, availability, wrong = state_look(report.state), uptime(report), errors(report)
    gone = elapsed(report.now_s) + (f" of {elapsed(report.target_s)}" if report.target_s else "")
    parts = [ink(f"{look.glyph} {look.word}", look.ink), f"soak {name}", gone]
    for what, verdict, value in (("up", availability, up(availability.value)), ("errors", wrong, down(wrong.value))):
        band = BANDS[verdict.band]
        parts.append(f"{what} {value} " + ink(f"{band.glyph} {band.word}", band.ink))
    is_open = any(one.closed is None for one in report.incidents)
    looked = report.plan is not None or report.incidents  # without probes nobody can say that there was none
    parts.append(some(len(report.incidents), "incident") + " (one is open)" * is_open if looked else "incidents —")
    if report.state in ("died", "unknown", "stopped") and report.why:
        parts.append("; ".join(filter(None, (safe_text(report.why, 200), cure(report.state, str(view.path))))))
    return "  ".join(parts)
