"""The way from an alert to the moment on the chart: which metric it is about, and where on the axis it began.

It moves the cursor of charts that are there; which run is shown is the Run screen's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mens_console.screens.curves import panels_of
from mens_widgets.chart import Chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.screens.charts import Charts
    from mens_console.screens.curves import Panel
    from mens_console.signals.alerts import AlertView
    from mens_console.signals.rules import Rule
    from mens_console.store.snapshot import RunView
    from mens_widgets.curve import Axis


class Moment(NamedTuple):
    """A place on the charts of a run: `metrics` in the order of preference, the step (None unknown) and the time."""

    run_id: str
    metrics: tuple[str, ...]
    step: int | None
    wall: float


def moment_of(run_id: str, alert: AlertView, rule: Rule | None) -> Moment:
    """Return where an alert began."""
    return Moment(run_id, rule.needs if rule is not None else (), alert.since_step, alert.since)


def go_to(charts: Charts, run: RunView, moment: Moment) -> bool:
    """Give the keys to the chart of the moment's metric and put the cursor of all charts there.

    Returns whether the place is known: without a step and a time only the chart is chosen.
    """
    panels = panels_of(run)
    target = _panel(panels, moment.metrics)
    if target is None:
        return False
    here = charts.current
    keys = [panel.key for panel in panels]
    start = keys.index(here.key) if here is not None and here.key in keys else 0
    charts.move(keys.index(target.key) - start)
    chart = charts.current_chart
    if chart is None:
        return False
    x = _x(run, target, moment, chart.axis)
    shown = list(charts.query(Chart))
    for one in shown:
        one.set_cursor(x)
    if x is not None and chart.viewport.reveal(x):
        for one in shown:
            one.set_window(chart.viewport.window)
    return x is not None


def _panel(panels: Sequence[Panel], metrics: Sequence[str]) -> Panel | None:
    """Return the panel that draws one of the metrics, the first one otherwise (the loss, where there is one)."""
    for metric in metrics:
        for panel in panels:
            if metric in panel.metrics:
                return panel
    return panels[0] if panels else None


def _x(run: RunView, panel: Panel, moment: Moment, axis: Axis) -> float | None:
    """Return the place of the logged point nearest to the moment; None where neither step nor time is known."""
    for metric in panel.metrics:
        series = run.series[metric]
        if moment.step is not None:
            point = series.at(float(moment.step), "step")
        elif math.isfinite(moment.wall):
            point = series.at(moment.wall, "wall")
        else:
            return None
        if point is None:
            continue
        if axis == "step":
            return float(point.step)
        start = float(series.walls[0]) if axis == "relative" and len(series.walls) else 0.0
        if math.isfinite(x := point.wall - start):
            return x
    return None
