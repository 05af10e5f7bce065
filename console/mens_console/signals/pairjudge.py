"""What each adapter pair of a LoRA run is doing, look by look: counters in a row, and the state that follows.

Looks in, states out; what of them deserves an alert is told in `layers`. Standard library only, no clock, no I/O.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.signals.pairs import PairState, PairTable
from mens_console.signals.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.signals.pairs import LayerRow
    from mens_console.signals.rules import Rule

LOOKS: Final = 3
"""Looks before a pair is judged."""
WARMUP_STEPS: Final = 10
"""Optimizer steps before a pair is judged."""
ALL_STILL: Final = 10
"""Looks in a row in which a model that moved before stands still as a whole, before all of it is called dead; also
those in which a pair that had gradients before has none (an expert that no token was sent to)."""
OVERFLOWS: Final = 3
"""Looks in a row with gradients that are not finite and nothing moved, before that is no skipped step any more."""
_BEHIND: Final = 3
"""Looks in a row at earlier steps that mean a resume; fewer are another source that lags."""


class _Look(NamedTuple):
    """A row in the order of the table known: columns (None: not measured) and the trainable pairs it speaks of."""

    grad: Sequence[float] | None
    a: Sequence[float] | None
    b: Sequence[float] | None
    update: Sequence[float] | None
    among: Sequence[int]


class PairJudge:
    """Counts per pair, look by look, and the state that follows from them.

    *Frozen* is what the table says. A pair is *warming* until it was looked at three times and ten optimizer steps
    passed since it was made known, or since a resume; looks at learning rate 0 do not count. *Unused*: no gradient at
    all (NaN) since then, in three looks or more, and no movement. *Dead*: in each of the last three looks that
    measured it the update was exactly 0 in spite of a gradient, or both gradients were (at the first step A's gradient
    is exactly 0 because B is, which is why it must be both). A pair that had gradients before is patiently waited for
    when it has none, or zeros: experts get no token in many a batch, so ten such looks without movement are death. A
    look in which no trainable pair moved (learning rate 0, a step that the loss
    scaler skipped) proves nothing about single pairs and is left out; only where a warm model never moved, or stands
    still for ten looks, at a learning rate that is not 0, are all pairs dead. *Vanishing*: gradient norm below 1e-5 in
    three looks; *exploding*: above 100, or not finite once warm (where no movement was measured, in three looks in a
    row). Both end past the exit threshold of their rule.
    """

    __slots__ = (
        "_behind", "_cold", "_fed", "_last", "_low", "_moved", "_none", "_odd", "_overflows", "_place", "_reached",
        "_rules", "_still_looks", "by", "grads", "states", "step", "still", "table", "trainable", "zero",
    )  # fmt: skip

    table: PairTable
    trainable: list[int]
    states: list[PairState]
    by: dict[PairState, set[int]]
    """The places of the pairs in each state."""
    grads: Sequence[float]
    """Gradient norms of the newest look that was judged, empty before the first."""
    step: int | None
    """Step of the newest look."""
    still: array[int]
    """Looks in a row in which a pair did not move."""
    zero: array[int]
    """Looks in a row in which both its gradients were exactly 0."""
    _none: array[int]
    """Looks in a row without a gradient."""
    _low: array[int]
    """Looks in a row with one below the threshold."""
    _reached: bytearray
    """Whether a gradient was seen since the warm-up."""
    _fed: bytearray
    """Whether a gradient above 0 was ever seen."""
    _odd: bytearray
    """Pairs that the quick pass over a row may not skip."""
    _cold: dict[int, tuple[int, int | None]]
    """Pairs in their warm-up: looks since, and the last step before it."""

    def __init__(self, rules: Mapping[str, Rule] = RULES) -> None:
        self._rules = rules
        self.step = None
        self._take_table(PairTable(()))
        self.restart(None)

    # ------------------------------------------------------------------ the pairs

    def know(self, table: PairTable) -> None:
        """Learn which pairs there are; those that were known keep what is known of them."""
        if table.names == self.table.names and table.frozen == self.table.frozen:
            self.table = table
            return
        before, place, cold = self.states, self._place, self._cold
        counters, reached, fed = (self.still, self.zero, self._none, self._low), self._reached, self._fed
        self._take_table(table)
        self._cold = {}
        fresh = (self.still, self.zero, self._none, self._low)
        for i in self.trainable:
            j = place.get(table.names[i])
            if j is None or before[j] is PairState.FROZEN:
                self._chill(i, None)
                continue
            for new, old in zip(fresh, counters, strict=True):
                new[i] = old[j]
            self._reached[i], self._fed[i] = reached[j], fed[j]
            self._odd[i] = 1
            self._become(i, before[j])
            if j in cold:
                self._cold[i] = cold[j]

    def _take_table(self, table: PairTable) -> None:
        n = len(table)
        frozen = table.frozen or (False,) * n
        self.table = table
        self._place = {name: i for i, name in enumerate(table.names)}
        self.trainable = [i for i in range(n) if not frozen[i]]
        self.states = [PairState.FROZEN if still else PairState.WARMING for still in frozen]
        self.by = {state: set() for state in PairState}
        for i, state in enumerate(self.states):
            self.by[state].add(i)
        self.grads = ()
        self._blank(n)

    def _blank(self, n: int) -> None:
        zeros = bytes(array("i").itemsize * n)
        self.still, self.zero = array("i", zeros), array("i", zeros)
        self._none, self._low = array("i", zeros), array("i", zeros)
        self._reached, self._fed = bytearray(n), bytearray(n)
        self._odd = bytearray(b"\1" * n)

    def restart(self, step: int | None) -> None:
        """Begin the warm-up of every pair anew, at `step` (None: at the next look)."""
        self._blank(len(self.table))
        self.grads = ()
        self._cold = {}
        self._moved = False
        self._still_looks = self._overflows = self._behind = 0
        self._last: int | None = None
        for i in self.trainable:
            self._chill(i, None if step is None else step - 1)

    def _chill(self, i: int, origin: int | None) -> None:
        self._cold[i] = (0, origin)
        self._become(i, PairState.WARMING)

    def _become(self, i: int, state: PairState) -> None:
        old = self.states[i]
        if state is not old:
            self.by[old].discard(i)
            self.by[state].add(i)
            self.states[i] = state

    # ------------------------------------------------------------------ looks

    def take(self, row: LayerRow, table: PairTable) -> bool:
        """Take a look in that counts in `table`; say whether it was judged.

        A look that repeats or precedes the step of the last one is passed over, and so is one whose columns are not
        as long as the table, or whose learning rate is 0.
        """
        look = self._aligned(row, table)
        if look is None or not self._follows(row.step):
            return False
        self.step = row.step
        if row.learning_rate == 0.0:
            return False
        self._warm_up(row.step, look.among)
        if not self._proves(look):
            return False
        if look.grad is not None:
            self.grads = look.grad
        self._judge(look)
        if len(look.among) < len(self.trainable):
            for i in set(self.trainable).difference(look.among, self._cold):
                self._become(i, PairState.UNKNOWN)  # the table of this look no longer has it
        return True

    def _aligned(self, row: LayerRow, table: PairTable) -> _Look | None:
        """Return the row in the order of the table known; None where it does not fit the table it counts in."""
        same = table.names == self.table.names
        found: dict[str, Sequence[float]] = {}
        for name in ("grad", "grad_a", "grad_b", "update"):
            column = row.values.get(name)
            if column is None:
                continue
            if len(column) != len(table):
                return None
            found[name] = column if same else self._spread_out(column, table)
        a, b, grad = found.get("grad_a"), found.get("grad_b"), found.get("grad")
        if grad is None and a is not None and b is not None:
            grad = array("d", map(_norm, a, b))
        among = self.trainable
        if not same:
            spoken = {self._place.get(name) for name in table.names}
            among = [i for i in among if i in spoken]
        return _Look(grad or a or b, a, b, found.get("update"), among)

    def _spread_out(self, column: Sequence[float], table: PairTable) -> array[float]:
        spread = array("d", [math.nan]) * len(self.table)
        for name, value in zip(table.names, column, strict=True):
            i = self._place.get(name)
            if i is not None:
                spread[i] = value
        return spread

    def _follows(self, step: int) -> bool:
        """Say whether a look at `step` is the next one; after some at earlier steps the run was resumed."""
        if self._last is not None and step <= self._last:
            self._behind += step < self._last
            if self._behind < _BEHIND:
                return False
            self.restart(step)
        self._last, self._behind = step, 0
        return True

    def _warm_up(self, step: int, among: Sequence[int]) -> None:
        """Count a look for the pairs that are warming."""
        if not self._cold:
            return
        for i in among:
            if i in self._cold:
                looks, origin = self._cold[i]
                begun = step - 1 if origin is None else origin
                if looks + 1 >= LOOKS and step - begun >= WARMUP_STEPS:
                    del self._cold[i]
                else:
                    self._cold[i] = (looks + 1, begun)

    def _proves(self, look: _Look) -> bool:
        """Say whether the model moved, or the look does not tell, or it has stood still as a whole for too long."""
        update = look.update
        if update is None:
            return True
        if any(update[i] > 0.0 for i in look.among):
            self._still_looks = self._overflows = 0
            self._moved = self._moved or not self._cold
            return True
        if not any(update[i] == 0.0 for i in look.among):
            return not self._overflowed(look)
        self._note_reached(look)
        if self._cold:
            return False
        self._still_looks += 1
        if self._still_looks < (ALL_STILL if self._moved else self._rules["lora_dead"].for_points):
            return False
        for i in look.among:
            if update[i] == 0.0:
                self.still[i], self._odd[i] = self._still_looks - 1, 1
        return True

    def _overflowed(self, look: _Look) -> bool:
        """Say whether a look without any movement is one that a loss scaler skipped, since gradients were not finite.

        That is how a scaler finds its scale, all along a run. In so many looks in a row it is a fault.
        """
        if look.grad is None or not any(look.grad[i] == math.inf for i in look.among):
            return False
        self._note_reached(look)
        self._overflows += 1
        return self._overflows < OVERFLOWS

    def _note_reached(self, look: _Look) -> None:
        """Learn which pairs have a gradient at all from a look that says nothing else of single pairs."""
        if look.grad is not None:
            for i in look.among:
                self._odd[i] = 1
                if look.grad[i] == look.grad[i]:
                    self._none[i] = 0
                    self._reached[i] |= i not in self._cold
                else:
                    self._none[i] += 1

    def _judge(self, look: _Look) -> None:
        """Judge the pairs of a look: those that are well and were are passed over quickly."""
        low, high = self._rules["lora_vanishing"].entry, self._rules["lora_exploding"].entry
        odd, grad, update = self._odd, look.grad, look.update
        if grad is None:
            queue: Sequence[int] = look.among
        elif update is None:
            queue = [i for i in look.among if odd[i] or not low <= grad[i] <= high]
        else:
            queue = [i for i in look.among if odd[i] or not (low <= grad[i] <= high and update[i] > 0.0)]
        for i in queue:
            self._judge_pair(i, look)

    def _judge_pair(self, i: int, look: _Look) -> None:
        g = look.grad[i] if look.grad is not None else math.nan
        u = look.update[i] if look.update is not None else math.nan
        cold = i in self._cold
        if u > 0.0:
            self.still[i] = 0
        elif u == 0.0 and (look.grad is None or g > 0.0):
            self.still[i] += 1
        if g == g:
            self._fed[i] |= g > 0.0
            nothing = g == 0.0 and (_both(i, look) or not u > 0.0)
            self.zero[i] = self.zero[i] + 1 if nothing else 0
            self._none[i] = 0
            self._reached[i] |= not cold
            self._low[i] = self._low[i] if nothing else self._count_low(i, g)
        elif look.grad is not None:
            self._none[i] += 1
        state = self._state(i, g, u, cold=cold)
        self._become(i, state)
        busy = self.still[i] or self.zero[i] or self._none[i] or self._low[i] or not self._reached[i]
        self._odd[i] = 1 if busy or state is not PairState.ACTIVE else 0

    def _count_low(self, i: int, g: float) -> int:
        rule, count = self._rules["lora_vanishing"], self._low[i]
        if g < rule.entry:
            return count + 1
        return count if g <= rule.exit and count >= rule.for_points else 0

    def _state(self, i: int, g: float, u: float, *, cold: bool) -> PairState:
        before, rule = self.states[i], self._rules["lora_exploding"]
        if cold:
            return PairState.EXPLODING if rule.entry < g < math.inf else PairState.WARMING
        if not self._reached[i] and self._none[i] >= LOOKS and not u > 0.0:
            return PairState.UNUSED
        dead = self._rules["lora_dead"].for_points
        starved = max(dead, ALL_STILL) if self._fed[i] else dead
        if self.still[i] >= dead or self.zero[i] >= starved or (self._none[i] >= starved and u == 0.0):
            return PairState.DEAD
        if g > rule.entry or (before is PairState.EXPLODING and not g < rule.exit):
            return PairState.EXPLODING
        if self._low[i] >= self._rules["lora_vanishing"].for_points:
            return PairState.VANISHING
        if g == g or u == u:
            return PairState.ACTIVE
        return PairState.UNKNOWN if before is PairState.WARMING else before


def _both(i: int, look: _Look) -> bool:
    """Say whether the gradients of both matrices were measured, as far as they are told apart."""
    if look.a is None or look.b is None:
        return True
    return look.a[i] == look.a[i] and look.b[i] == look.b[i]


def _norm(a: float, b: float) -> float:
    if a != a:
        return b
    return a if b != b else math.hypot(a, b)
