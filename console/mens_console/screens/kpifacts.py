"""What explains the KPIs: diagnostics by category, lanes, and the files that were read.

Pure functions from a report to lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.feeds import feed_lines, feed_summary
from mens_console.screens.hardwarerows import ago
from mens_console.screens.healthlines import section
from mens_console.screens.kpitable import ends_text, kpi_figure
from mens_console.screens.sheet import Line, prose
from mens_console.screens.words import age
from mens_console.signals.human import some, step
from mens_widgets.bar import bar
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.screens.words import Ink
    from mens_console.signals.kpivalues import Feed, KpiReport, KpiValue, Lane, ModelKpis


def histogram(model: ModelKpis, width: int) -> list[Line]:
    """Return how often each class of diagnostics occurred, the most frequent first."""
    total = sum(one.diagnostics for one in model.categories)
    label = max(10, min(26, width - 30))
    gauge = max(4, min(24, width - label - 20))
    lines: list[Line] = []
    for one in sorted(model.categories, key=lambda one: (-one.diagnostics, one.name)):
        share = one.diagnostics / total if total else math.nan
        told = f"{share * 100:5.1f}%" if math.isfinite(share) else "    —"
        lines.append(
            (
                (fit(safe_text(one.name, 60), label) + " ", ""),
                (bar(share, gauge), "accent"),
                (f" {step(one.diagnostics):>6} {told}", "muted"),
                (f"  {some(one.tasks, 'task')}" if width >= label + gauge + 28 else "", "muted"),
            )
        )
    return lines or [(("no record tells of diagnostics by category", "muted"),)]


def lane_lines(model: ModelKpis, width: int) -> list[Line]:
    """Return what each lane suffers from the others."""
    lines: list[Line] = []
    for lane in model.lanes:
        lines.append(((safe_text(lane.name, 60), "strong"), (f"  n {step(lane.n)}", "muted")))
        for what, value in _of_lane(lane):
            figure = kpi_figure(value.value, value.unit)
            told = ends_text(value.interval, value.unit) if not math.isnan(value.value) else value.reason or "UNDERFED"
            ink: Ink = "" if not math.isnan(value.value) else "warn"
            lines.append(((fit(f"  {what}", 20), "muted"), (f"{figure:>9}", ink), (fit(f"  {safe_text(told, 120)}", max(width - 29, 1)), "muted")))  # fmt: skip # noqa: E501
    return lines or [(("no record names a lane", "muted"),)]


def _of_lane(lane: Lane) -> tuple[tuple[str, KpiValue], ...]:
    return (
        ("prose leakage", lane.leakage),
        ("compactness loss", lane.compactness_loss),
        ("repair burden", lane.repair_burden),
    )


def source_lines(report: KpiReport, now: float, width: int) -> list[Line]:
    """Return the files that were read."""
    lines: list[Line] = []
    for one in report.sources:
        bad: tuple[str, Ink] = (f" · {some(one.bad_rows, 'bad row')}", "warn") if one.bad_rows else ("", "")
        text = f"  {safe_text(one.kind, 60)} · {some(one.rows, 'row')} · written {ago(age(one.updated, now))}"
        lines += [((safe_text(one.path, 300), ""),), ((text, "muted"), bad)]
        if one.problem:
            lines += prose(safe_text(one.problem, 300), width, "bad", "  ! ")
    for problem in report.problems:
        lines += prose(safe_text(problem, 300), width, "warn", "! ")
    return lines


def aside_lines(report: KpiReport, model: ModelKpis, feeds: Sequence[Feed], now: float, width: int) -> list[Line]:
    """Return everything that explains a model's KPIs, one part below the other."""
    return [
        *section("Diagnostics", histogram(model, width)),
        *section("Lanes", lane_lines(model, width)),
        *section("Contract drift", [feed_summary(feeds), *feed_lines(feeds, width)]),
        *section("Files", source_lines(report, now, width)),
    ][1:]
