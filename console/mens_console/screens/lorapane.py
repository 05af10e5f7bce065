"""The series of one adapter pair as charts: which there are, their curves, and what a resume went back over.

It draws what the view holds; which pair and which metric is the screen's choice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
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
    Group("gradient norm", ("grad", "grad_a", "grad_b")),
    Group("update of one step", ("update",)),
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
        groups = groups_from(layers, metric)
        room = max(1, min(3, len(groups), (self.size.width or COLUMN) // COLUMN))
        what = (run.id, layers.table.names[pair], metric, room)
        if (*what, layers.rev, run.rev) == self._drawn:
            return
        fresh, self._drawn = what != self._drawn[:4], (*what, layers.rev, run.rev)
        marks = marks_of(run)
        for i, chart in enumerate(self.query(Chart)):
            chart.set_class(i >= room, "-hidden")
            if i >= room:
                continue
            group = groups[i]
            chart.title = group.title
            if fresh:
                chart.log_scale = WORDS[group.metrics[0]].log and _positive(layers, pair, group.metrics)
                chart.set_window(None)
            chart.show(traces_of(layers, pair, group.metrics), marks)

    def again(self) -> None:
        """Draw anew at the next `show`, whatever was drawn."""
        self._drawn = ()


def _positive(layers: LayersView, pair: int, metrics: Sequence[str]) -> bool:
    """Return whether there is anything that a logarithmic axis can show."""
    return any(bool(((row := layers.values[m][pair]) > 0).any() and np.nanmin(row) < math.inf) for m in metrics)
