"""What the adapter pairs of a LoRA run are doing, and what of it deserves an alert: one a run, never one a pair.

Looks in, observations and a summary out; the judgement of single pairs is `pairjudge`. No clock, no I/O.
"""

from __future__ import annotations

import math
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from mens_console.signals.detectors import Detector
from mens_console.signals.human import number, plain
from mens_console.signals.pairjudge import PairJudge
from mens_console.signals.pairs import PairState, PairSummary
from mens_console.signals.rules import RULES, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.signals.alerts import Observation
    from mens_console.signals.pairs import LayerRow, PairTable
    from mens_console.signals.rules import Rule

TOP: Final = 10
"""Pairs named as the most active."""
_NAMED: Final = 3
_LISTED: Final = 20
_DO: Final = {
    PairState.DEAD: "are dead",
    PairState.VANISHING: "have a vanishing gradient",
    PairState.EXPLODING: "have an exploding gradient",
}


class LayerSignals(Detector):
    """The states of all pairs, and the rules ``lora_dead``, ``lora_vanishing``, ``lora_exploding``, ``lora_imbalance``.

    What the states mean is defined in `PairJudge`. `observe` looks anew at what stands after each look, so that an
    alert goes on for as long as one pair is in its state.
    """

    __slots__ = ("_judge", "_spread", "_written")

    def __init__(self, entity: str = "", rules: Mapping[str, Rule] = RULES) -> None:
        super().__init__(entity, rules)
        self._judge = PairJudge(rules)
        self._spread = 0
        """Looks in a row with gradients too far apart."""
        self._written: dict[str, tuple[tuple[int, ...], str, tuple[str, ...]]] = {}
        """Per rule the pairs last told of, and the words: looks that say the same share them."""

    def table(self, table: PairTable) -> None:
        """Learn which pairs there are; those that were known keep what is known of them."""
        self._judge.know(table)
        self._written.clear()

    def observe(self, row: LayerRow, table: PairTable | None = None) -> list[Observation]:
        """Take a look in and return what there is to say; `table` is what the row counts in, if not the one known."""
        known = self._judge.table if table is None else table
        return self._say(row.step, row.wall) if self._judge.take(row, known) else []

    # ------------------------------------------------------------------ alerts

    def _say(self, step: int, wall: float) -> list[Observation]:
        found = self._say_of(PairState.DEAD, "lora_dead", step, wall)
        found += self._say_of(PairState.VANISHING, "lora_vanishing", step, wall)
        found += self._say_of(PairState.EXPLODING, "lora_exploding", step, wall)
        return found + self._say_imbalance(step, wall)

    def _say_of(self, state: PairState, rule: str, step: int, wall: float) -> list[Observation]:
        """Say that pairs are in a state, or that none is any more: one alert a run, not one a pair."""
        places = sorted(self._judge.by[state])
        if not places:
            return self._clear(rule, step, wall)
        grads = [self._judge.grads[i] for i in places] if self._judge.grads else [math.nan] * len(places)
        known = [g for g in grads if g == g]
        severity, threshold, value = None, None, float(len(places))
        if state is PairState.VANISHING:
            value = min(known, default=math.nan)
            limit = self._rules[rule].critical
            if limit is not None and value < limit:
                severity, threshold = Severity.CRITICAL, limit
        elif state is PairState.EXPLODING:
            value = max(known, default=math.nan)
        text, lines = self._words(rule, state, tuple(places))
        return [self._breach(rule, (step, wall, value), text, *lines, severity=severity, threshold=threshold)]

    def _words(self, rule: str, state: PairState, places: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
        told = self._written.get(rule)
        if told is not None and told[0] == places:
            return told[1:]
        names = [plain(self._judge.table.names[i], 120) for i in places[:_LISTED]]
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        trainable = len(self._judge.trainable)
        count = f"all {trainable}" if len(places) == trainable else f"{len(places)} of {trainable}"
        text = f"{count} trainable pairs {_DO[state]}: {', '.join(names[:_NAMED])}{more}"
        lines = [f"{name}: {self._why(i, state)}" for i, name in zip(places[:_LISTED], names, strict=True)]
        if len(places) > _LISTED:
            lines.append(f"and {len(places) - _LISTED} more")
        self._written[rule] = (places, text, tuple(lines))
        return text, tuple(lines)

    def _why(self, i: int, state: PairState) -> str:
        gradient = f"gradient norm {number(self._judge.grads[i] if self._judge.grads else None)}"
        if state is not PairState.DEAD:
            return gradient
        if self._judge.still[i]:
            return f"update exactly 0 in {self._judge.still[i]} looks, {gradient}"
        if self._judge.zero[i]:
            return f"gradient exactly 0 in {self._judge.zero[i]} looks"
        return "no gradient any more, and no movement"

    def _say_imbalance(self, step: int, wall: float) -> list[Observation]:
        rule = self._rules["lora_imbalance"]
        extremes = self._extremes()
        if extremes is None:
            self._spread = 0
            return self._clear(rule.id, step, wall)
        least, most = extremes
        ratio = self._judge.grads[most] / self._judge.grads[least]
        self._spread = self._spread + 1 if ratio > rule.entry else 0
        if self._spread >= rule.for_points:
            lines = [
                f"{what} {plain(self._judge.table.names[i], 120)}: gradient norm {number(self._judge.grads[i])}"
                for what, i in (("largest", most), ("smallest", least))
            ]
            text = f"gradient norms of active pairs are {number(ratio, 3)} × apart"
            return [self._breach(rule.id, (step, wall, ratio), text, *lines)]
        return self._clear(rule.id, step, wall) if ratio < rule.exit else []

    def _extremes(self) -> tuple[int, int] | None:
        """Return the active pairs with the least and the largest gradient norm, None under two."""
        grads = self._judge.grads
        active = [i for i in self._judge.by[PairState.ACTIVE] if 0.0 < grads[i] < math.inf] if grads else []
        if len(active) < 2:
            return None
        return min(active, key=grads.__getitem__), max(active, key=grads.__getitem__)

    def rewind(self, step: int, wall: float = math.nan) -> list[Observation]:
        """Begin again after a resume at `step`: every pair warms up anew."""
        self._judge.restart(step)
        self._spread = 0
        return [o for rule in sorted(self._active) for o in self._clear(rule, step, wall)]

    # ------------------------------------------------------------------ standing

    @property
    def states(self) -> tuple[PairState, ...]:
        """Return what each pair is doing, in the order of the table."""
        return tuple(self._judge.states)

    def summary(self) -> PairSummary:
        """Return how many pairs do what, and who does most."""
        counts = {state: len(self._judge.by[state]) for state in PairState if self._judge.by[state]}
        extremes = self._extremes()
        imbalance = self._judge.grads[extremes[1]] / self._judge.grads[extremes[0]] if extremes else math.nan
        finite = (
            [(i, self._judge.grads[i]) for i in self._judge.trainable if 0.0 < self._judge.grads[i] < math.inf]
            if self._judge.grads
            else []
        )
        largest = nlargest(TOP, finite, key=itemgetter(1))
        scale = largest[0][1] if largest else 1.0  # squares of what is far from 1 leave the range of a float
        total = math.fsum((g / scale) ** 2 for _, g in finite)
        top = tuple((i, (g / scale) ** 2 / total) for i, g in largest)
        return PairSummary(len(self._judge.table), counts, imbalance, top, self._judge.step)
