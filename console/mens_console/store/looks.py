"""Adapter pairs of one run: their history, the judgement of each look, and what was said of them.

The best source that tells of adapters is followed, and no other; what a look means is decided in `signals`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mens_console.signals.layers import LayerSignals
from mens_console.signals.pairs import PairTable
from mens_console.store.layers import LayerHistory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mens_console.signals.alerts import Observation
    from mens_console.signals.pairs import LayerRow
    from mens_console.signals.rules import Rule
    from mens_console.store.snapshot import LayersView

MOST_SAID: Final = 20_000
"""Observations kept for judging a history anew."""


class Looks:
    """Every look at the adapters of a run, in the order in which they were written."""

    def __init__(self, entity: str, rules: Mapping[str, Rule]) -> None:
        self._entity, self._rules = entity, rules
        self._rank: int | None = None
        self.said: deque[Observation] = deque(maxlen=MOST_SAID)
        """What the looks gave rise to, in order."""
        self._begin()

    def _begin(self) -> None:
        self.history = LayerHistory()
        self.judge = LayerSignals(self._entity, self._rules)
        self._table = PairTable(())
        self.said.clear()

    def take(self, parts: Iterable[PairTable | LayerRow], rank: int) -> list[Observation]:
        """Take in what a source of precedence `rank` (the lowest is best) tells; return what there is to say of it."""
        if self._rank is not None and rank > self._rank:
            return []
        if rank != self._rank:
            self._rank = rank
            self._begin()
        found: list[Observation] = []
        for part in parts:
            if isinstance(part, PairTable):
                self._table = part
                self.judge.table(self.history.know(part))
            else:
                self.history.take(part, self._table)
                found += self.judge.observe(part, self._table)
        self.said.extend(found)
        return found

    def view(self) -> LayersView | None:
        """Return the frozen view, None before the first look."""
        return self.history.view(self.judge.states, self.judge.summary()) if len(self.history) else None
