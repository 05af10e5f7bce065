"""The series of one adapter pair as charts: which there are, their curves, and what a resume went back over.

It draws what the view holds; which pair and which metric is the screen's choice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from textual import on
from textual.containers import Horizontal

from mens_console.screens.curves import marks_of
from mens_console.screens.loralines import WORDS
from mens_widgets.chart import ArrayCurve, Chart, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from textual.app import ComposeResult

    from mens_console.store.snapshot import LayersView, RunView


class Group(NamedTuple):
    """Metrics that share a chart."""

    title: str
    metrics: tuple[str, ...]


GROUPS: Final = (
    Group("gradient", ("grad", "grad_a", "grad_b")),
    Group("update", ("update",)),
    Group("update ratio |Δ|/|W|", ("ratio",)),
    Group("effective rank", ("rank",)),
)
COLUMN: Final = 46
"""Cells a chart should have."""


def groups_from(layers: LayersView, metric: str) -> list[Group]:
    """Return the charts there are, the one with `metric` first and the others after it, in turn."""
    have = [g._replace(metrics=tuple(m for m in g.metrics if m in layers.values)) for g in GROUPS]
    have = [group for group in have if group.metrics]
    first = next((i for i, group in enumerate(have) if metric in group.metrics), 0)
    return have[first:] + have[:first]


def traces_of(layers: LayersView, pair: int, metrics: Sequence[str]) -> list[Trace]:
    """Return the curves of one pair: what resumes went back over beneath, then one line a metric.

    Looks that did not measure a metric are no points of it; a value that was not finite is.
    """
    steps = layers.steps
    # A column is rewound where a later one is at its step or before.
    later = np.append(np.minimum.accumulate(steps[::-1])[::-1][1:], np.iinfo(np.int64).max)
    old = steps >= later
    lines: list[Trace] = []
    beneath: list[Trace] = []
    for metric in metrics:
        values = layers.values[metric][pair].astype(np.float64)
        for kept, dim in ((~old, False), (old, True)):
            points = kept & ~np.isnan(values)
            if dim and not points.any():
                continue
            curve = ArrayCurve(WORDS[metric].sign, values[points], steps[points], layers.walls[points])
            (beneath if dim else lines).append(Trace(curve, rewound=dim))
    return [*beneath, *lines]


class PairCharts(Horizontal):
    """As many charts of one pair side by side as fit, the one of the metric at hand first."""

    DEFAULT_CSS = """
    PairCharts { height: 1fr; }
    PairCharts Chart { width: 1fr; }
    PairCharts Chart.-second, PairCharts Chart.-third { margin-left: 2; }
    PairCharts Chart.-hidden { display: none; }
    """

    def __init__(self, *, zone: tzinfo | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._zone = zone
        self._drawn: tuple[object, ...] = ()
        self._shown: tuple[RunView, LayersView, int, str] | None = None

    def compose(self) -> ComposeResult:
        """Lay out three charts; those without a place are hidden."""
        for name in ("first", "second", "third"):
            yield Chart(smoothing=0.0, zone=self._zone, id=name, classes=f"-{name}", empty="not measured")

    @property
    def first(self) -> Chart:
        """The chart of the metric at hand, which has the keys."""
        return self.query_one("#first", Chart)

    def show(self, run: RunView, layers: LayersView, pair: int, metric: str) -> None:
        """Show a pair. A pair or metric that was not shown before starts with the scale that shows it best."""
        self._shown = (run, layers, pair, metric)
        groups = groups_from(layers, metric)
        room = max(1, min(3, len(groups), self.size.width // COLUMN))
        what = (run.id, layers.table.names[pair], metric)
        drawn = (what, room, layers.rev, run.rev)
        if drawn == self._drawn:
            return
        fresh, self._drawn = not self._drawn or what != self._drawn[0], drawn
        marks = marks_of(run)
        for i, chart in enumerate(self.query(Chart)):
            chart.set_class(i >= room, "-hidden")
            if i < room:
                chart.title = groups[i].title
                if fresh or chart.has_class("-new"):
                    chart.log_scale = WORDS[groups[i].metrics[0]].log and _positive(layers, pair, groups[i].metrics)
                    chart.set_window(None)
                chart.show(traces_of(layers, pair, groups[i].metrics), marks)
            chart.set_class(i >= room, "-new")

    def on_resize(self) -> None:
        """Fit another number of charts."""
        if self._shown is not None and self.display:
            self.show(*self._shown)

    @on(Chart.CursorMoved)
    def _cursor_moved(self, event: Chart.CursorMoved) -> None:
        for chart in self.query(Chart):
            if chart is not event.chart:
                chart.set_cursor(event.x)

    @on(Chart.ViewChanged)
    def _view_changed(self, event: Chart.ViewChanged) -> None:
        """Move all charts together; the value axis of each stays its own."""
        for chart in self.query(Chart):
            if chart is not event.chart:
                chart.axis, chart.smoothing = event.axis, event.smoothing
                chart.set_window(event.window)
        if self._shown is not None:
            self._drawn = (self._drawn[0],) if self._drawn else ()
            self.show(*self._shown)


def _positive(layers: LayersView, pair: int, metrics: Sequence[str]) -> bool:
    """Return whether there is anything that a logarithmic axis can show."""
    return any(bool(((row := layers.values[m][pair]) > 0).any() and np.nanmin(row) < math.inf) for m in metrics)
