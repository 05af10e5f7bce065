"""The columns of imported minutes as they grow: those that nothing comes to any more are drawn once.

Nobody probes in an import, and when requests were due is rarely told, so those columns hold nothing; incidents are
those that its requests show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from mens_console.soak.columns import Table, sheets_of
from mens_console.soak.imports.tally import Tally
from mens_console.soak.incidents import Watch
from mens_console.soak.types import MINUTE, Columns, Incident, Minute

_SETTLED_S: Final = 600.0
"""A minute that ended so long before the newest row is hardly changed again; if it is, all are drawn anew."""


class Drawer:
    """Draws one tally again and again."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._table, self._watch = Table(), Watch(probed=False)
        self._drawn = 0

    def draw(self, tally: Tally, minutes: Sequence[Minute], now_s: float, *, scheduled: bool) -> Columns:
        """Return the columns of all minutes; `scheduled` where `due` counts what a schedule asked for."""
        if any(index < self._drawn for index in tally.changed):
            self._begin()
        tally.changed.clear()
        settled = min(max(int((now_s - _SETTLED_S) // MINUTE), self._drawn), len(minutes))
        fresh = minutes[self._drawn : settled]
        self._table.extend(fresh, sheets_of(fresh), now_s)
        self._see(self._watch, fresh)
        self._drawn = settled
        rest = minutes[settled:]
        columns = self._table.columns(rest, sheets_of(rest), now_s)
        return columns if scheduled else replace(columns, offered=np.full(len(minutes), np.nan))

    def incidents(self, minutes: Sequence[Minute]) -> tuple[Incident, ...]:
        """Return the incidents in the minutes that were just drawn."""
        watch = self._watch.copy()
        self._see(watch, minutes[self._drawn :])
        return watch.incidents()

    def _see(self, watch: Watch, minutes: Sequence[Minute]) -> None:
        for minute in minutes:
            watch.feed(minute)
