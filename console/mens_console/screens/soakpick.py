"""The list from which a soak is picked: one line each, those that match what is typed.

Pure functions from views to lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.query import Terms
from mens_console.screens.sheet import Line
from mens_console.screens.soakwords import BANDS, elapsed, state_look, up
from mens_console.soak.verdicts import uptime
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.store.snapshot import SoakView


def matching(views: Sequence[SoakView], text: str) -> list[SoakView]:
    """Return the soaks that match: ``word``, ``state:died``, ``source:k6``, ``model:llama``; ``-`` before is not."""
    query = Terms(text)
    return [view for view in views if query.hold(lambda field, view=view: _values(field, view))]  # type: ignore[misc]


def _values(field: str, view: SoakView) -> Iterable[str]:
    report = view.report
    model = report.plan.model if report is not None and report.plan is not None else ""
    state, source = (str(report.state), report.source) if report is not None else ("unknown", "")
    values = {"state": (state,), "source": (source,), "model": (model,), "path": (str(view.path),), "name": (view.id,)}
    return values.get(field, (view.id, state, source, model)) if field else (view.id, state, source, model)


def pick_lines(views: Sequence[SoakView], chosen: int, width: int) -> list[Line]:
    """Return one line a soak; the chosen one is marked."""
    if not views:
        return [((" no soak matches; Esc leaves", "muted"),)]
    lines: list[Line] = [((" Enter opens, ↑ ↓ choose, Esc leaves", "muted"),)]
    return lines + [_line(view, width, marked=i == chosen) for i, view in enumerate(views)]


def _line(view: SoakView, width: int, *, marked: bool) -> Line:
    report = view.report
    name = fit(safe_text(view.id, 120), max(16, min(44, width - 52)))
    mark = ("› " if marked else "  ", "accent")
    if report is None:
        return (mark, (name, ""), ("  not read" if view.problem else "  reading…", "bad" if view.problem else "muted"))
    look, judged = state_look(report.state), uptime(report)
    band = BANDS[judged.band]
    return (
        mark,
        (name, "strong" if marked else ""),
        (f"  {look.glyph} {look.word:<9}", look.ink),
        (f" {elapsed(report.now_s):>8}", ""),
        (f"  up {up(judged.value):>9}", ""),
        (f" {band.glyph} {band.word}", band.ink),
        ("" if report.source == "mens-console" else f"  {safe_text(report.source, 16)}", "muted"),
    )
