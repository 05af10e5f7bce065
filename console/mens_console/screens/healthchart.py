"""One indicator over all batches of a run, as a chart.

It stands on numpy, so it is loaded with the first detail that is opened.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mens_console.screens.bands import NAMES
from mens_console.screens.healthlines import figure
from mens_widgets.curve import ArrayCurve
from mens_widgets.face import ChartFace
from mens_widgets.xaxis import Mark

if TYPE_CHECKING:
    from datetime import tzinfo

    from mens_console.screens.healthshelf import Span
    from mens_console.signals.generation import HealthReport, Indicator

UNITS = {"repair_rate": "%", "repair_rate_trend": "pp a batch", "opening_entropy": "nats", "mean_latency": "ms"}


class CourseChart(ChartFace):
    """An indicator by batch; the batch under the cursor of the table is marked."""

    def __init__(self, *, zone: tzinfo | None = None) -> None:
        super().__init__(smoothing=0.0, zone=zone, empty="not measured in any batch of this run", id="chart")
        self.step_name = "batch"
        self._drawn: tuple[HealthReport, Span, Indicator] | None = None

    def course(self, report: HealthReport, span: Span, indicator: Indicator, index: int) -> None:
        """Show a run's batches; what was not measured is no point."""
        drawn = self._drawn
        if drawn is None or drawn[0] is not report or drawn[1:] != (span, indicator):
            self._drawn = (report, span, indicator)
            batches = report.batches[span.start : span.end]
            values = np.fromiter((figure(one, indicator) for one in batches), np.float64, len(batches))
            values *= 100.0 if indicator == "repair_rate" else 1.0
            known = ~np.isnan(values)
            places = np.fromiter((one.batch.index for one in batches), np.int64, len(batches))
            self.title, self.unit = NAMES[indicator], UNITS.get(indicator, "")
            self._curve = ArrayCurve(NAMES[indicator], values[known], places[known])
        at = Mark("eval", {"step": float(index)}, f"batch {index}") if math.isfinite(index) else None
        self.show([self._curve], [at] if at is not None else [])
