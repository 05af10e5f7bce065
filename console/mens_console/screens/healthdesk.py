"""The table of batches and what it is set to: order, filter, and whether its cursor follows the newest batch.

It holds one log's rows; what they say is `healthshelf`'s.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.screens.healthshelf import BatchRows
from mens_console.screens.query import Terms
from mens_console.signals.generation import HealthReport, TierFigures
from mens_widgets.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.signals.generation import Judged
    from mens_console.store.snapshot import HealthView

HISTORY: Final = 64
"""Batches that a sparkline looks back."""
OLDEST_FIRST, WORST_FIRST = 1, 2
_NONE: Final = HealthReport(0, 1, (), TierFigures("", (), 0, 0, 0, math.nan, math.nan, math.nan, 0, math.nan))


class BatchGrid(Grid):
    """The table of batches; there is nothing to mark."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer no marks."""
        return action != "mark"


class BatchDesk:
    """The rows of the log on screen."""

    def __init__(self) -> None:
        self.following = True
        self.view: str | None = None
        self.rows = BatchRows(_NONE, 0, Terms(""), named=False)
        self._order, self._query = 0, ""
        self._left_at = 0
        """How many batches there were when the cursor left the newest."""
        self._tiers: dict[str, TierFigures] = {}

    @property
    def named(self) -> bool:
        """Whether rows name their run, because there are several."""
        return self.rows.named

    @property
    def newest(self) -> int:
        """The place of the row to stay with: the newest, or the worst."""
        return -1 if self._order == OLDEST_FIRST else 0

    def build(self, view: HealthView, order: int, query: Terms) -> bool:
        """Take a log's report, an order and a filter; return whether there are new rows."""
        if view.id != self.view:
            self.view, self.following = view.id, True
        elif view.report is self.rows.report and (order, query.text) == (self._order, self._query):
            return False
        if view.report is not self.rows.report:
            self._tiers = {one.tier: one for one in view.report.runs}
        self._order, self._query = order, query.text
        self.rows = BatchRows(view.report, order, query, named=len(view.report.runs) > 1)
        return True

    def moved(self, key: str | None) -> None:
        """Follow the newest batch where the cursor went to it, and no longer where it left it."""
        if len(self.rows):
            following = key == self.rows[self.newest].key
            if self.following and not following:
                self._left_at = len(self.rows)
            self.following = following

    def place_words(self) -> list[str]:
        """Return whether the newest batch is followed, or how many came since and the key that goes there."""
        if self._order == WORST_FIRST or not len(self.rows):
            return []
        key, newer = "G" if self._order == OLDEST_FIRST else "g", len(self.rows) - self._left_at
        if self.following:
            return ["following"]
        return [f"+{newer} newer ({key})" if newer > 0 else f"{key} follows"]

    def judged(self, key: str | None) -> Judged | None:
        """Return a batch by the key of its row."""
        position = self.rows.find(key)
        return self.rows.report.batches[position] if position is not None else None

    def history(self, judged: Judged) -> Sequence[Judged]:
        """Return the batches of the same run up to this one, the newest of them."""
        span = self.rows.span_of(judged.batch.run_id)
        if span is None:
            return [judged]
        position = span.start + judged.batch.index - self.rows.report.batches[span.start].batch.index
        return self.rows.report.batches[max(span.start, position + 1 - HISTORY) : position + 1]

    def tier(self, run_id: str) -> TierFigures | None:
        """Return the figures of a run."""
        return self._tiers.get(run_id)
