"""What the Soak screen works on: which soak is looked at, through which lens, and its heat; counted in the background.

It shows nothing itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mens_console.screens.soakbins import EDGES, Heats, Lens, Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.soak.types import Analysis
    from mens_console.store.snapshot import SoakView


class Desk:
    """The soaks as they are looked at. All methods are called on the screen's thread."""

    def __init__(self) -> None:
        self.chosen = ""
        self.metric = "e2e"
        self._lenses: dict[str, Lens] = {}
        self._stack: tuple[Analysis, Stack] | None = None
        self._heats: dict[tuple[str, str], Heats] = {}
        self._heat: tuple[Analysis, str, Stack] | None = None
        self._counting: tuple[int, str] | None = None

    def view(self, views: Sequence[SoakView]) -> SoakView | None:
        """Return the chosen soak, else the first one."""
        return next((one for one in views if one.id == self.chosen), views[0] if views else None)

    def lens(self, soak: str) -> Lens:
        """Return how a soak is looked at."""
        return self._lenses.setdefault(soak, Lens())

    def stack(self, report: Analysis) -> Stack:
        """Return the report's columns, summed up."""
        if self._stack is None or self._stack[0] is not report:
            self._stack = (report, Stack(report.columns))
        return self._stack[1]

    def heat(self, report: Analysis) -> Stack | None:
        """Return what there is of the heat of the metric, that of an earlier report while the newest is counted."""
        if self.metric == "e2e":
            return self.stack(report)
        held = self._heat
        fits = held is not None and held[1] == self.metric and held[0].path == report.path
        return held[2] if held is not None and fits else None

    def wants(self, report: Analysis) -> bool:
        """Whether heat of the metric is to be counted; asked once a report."""
        if self.metric == "e2e" or (
            self._heat is not None and self._heat[0] is report and self._heat[1] == self.metric
        ):
            return False
        return self._counting is None

    async def count(self, report: Analysis) -> None:
        """Count the heat of the metric off the screen's thread."""
        metric = self.metric
        self._counting = (report.rev, metric)
        heats = self._heats.setdefault((report.path, metric), Heats(metric))
        try:
            counts = await asyncio.to_thread(heats.of, report.minutes)
            self._heat = (report, metric, Stack(report.columns, counts, EDGES))
        finally:
            self._counting = None
