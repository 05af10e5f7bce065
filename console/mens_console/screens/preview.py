"""A closer look at one run of the fleet: its loss, alone or over those of marked runs, and its story.

It stands on numpy, so the fleet loads it with the first run and never for the first paint. Keys are the fleet's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Horizontal

from mens_console.ingest.text import safe_text
from mens_console.screens.curves import PANELS, marks_of, traces_of
from mens_console.screens.facts import alert_lines, state_lines
from mens_console.screens.sheet import Line, Sheet, heading
from mens_widgets.face import ChartFace
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from textual.app import ComposeResult

    from mens_console.store.snapshot import RunView

ALERTS = 3


class Preview(Horizontal):
    """A chart and a sheet side by side."""

    def __init__(self, *, zone: tzinfo | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._chart = ChartFace("loss", unit="nats", empty="no loss logged yet", zone=zone)
        self._story = Sheet(id="story")

    def compose(self) -> ComposeResult:
        """Lay out chart and story."""
        yield self._chart
        yield self._story

    def show(self, run: RunView | None, overlaid: Sequence[RunView], now: float) -> None:
        """Show a run, with the losses of several runs in its chart where more than one is overlaid."""
        if len(overlaid) > 1:
            self._chart.title = "loss of marked runs"
            self._chart.show([replace(one.series["loss"], name=one.name) for one in overlaid if "loss" in one.series])
        elif run is not None:
            self._chart.title = f"loss  {shorten(safe_text(run.name, 200), 60)}"
            self._chart.show(traces_of(run, PANELS[0]._replace(metrics=("loss",))), marks_of(run))
        else:
            self._chart.title = "loss"
            self._chart.show([])
        self._story.write(lambda width: [] if run is None else _story(run, now, width))


def _story(run: RunView, now: float, width: int) -> list[Line]:
    alerts = alert_lines(run, now, width, ALERTS)
    return state_lines(run, now, width, 4) + (heading("Alerts") + alerts if alerts else [])
