"""The adapter pairs of a LoRA run, and one look at all of them: plain data that producers write and the console reads.

A pair is the matrices A (r × in) and B (out × r) of one adapted module. No estimator lives here, no I/O.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from mens_console.signals.byvalue import ByValue

METRICS: Final = ("grad", "grad_a", "grad_b", "update", "ratio", "rank")
"""What can be known of a pair at a step. `grad` is hypot(grad_a, grad_b), the norm of the pair's true gradient;
`update` the norm of what one optimizer step changed in A and B together; `ratio` that over the norm of A and B; `rank`
the effective rank of BA (exponential of the entropy of its singular values)."""

_LAYER: Final = re.compile(r"(?:^|\.)(?:layers?|h|blocks?|encoder\.layer|decoder\.layer)\.(\d+)\.(.+)$")


class PairState(StrEnum):
    """What a pair is doing.

    ``frozen``: neither matrix is trainable. ``unused``: trainable, but never reached by a gradient. ``warming``: too
    early to tell. ``dead``: gets gradients (or exact zeros) and does not move, or moves with no gradient at all behind
    it. ``vanishing`` and ``exploding`` by gradient norm. ``unknown``: nothing was measured.
    """

    ACTIVE = "active"
    FROZEN = "frozen"
    UNUSED = "unused"
    DEAD = "dead"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    WARMING = "warming"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PairTable:
    """The pairs in the order that rows count them in. `names` are module paths; `r` is 0 where unknown."""

    names: tuple[str, ...]
    frozen: tuple[bool, ...] = ()
    r: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.names)

    @cached_property
    def places(self) -> tuple[tuple[int, str], ...]:
        """Return (layer number, module) of each pair for display, the layer -1 where the name has none."""
        return tuple(place_of(name) for name in self.names)


def place_of(name: str) -> tuple[int, str]:
    """Return the layer number (-1: none) and the rest of a module's path: ``(3, "self_attn.q_proj")``."""
    found = _LAYER.search(name)
    return (int(found[1]), found[2]) if found else (-1, name)


@dataclass(frozen=True, slots=True)
class LayerRow(ByValue):
    """One look at all pairs: per metric a column as long as the table; NaN where nothing was measured.

    A gradient that is itself NaN or infinite is told by `inf` here, as a norm that is not finite; no gradient at all
    is NaN. `learning_rate` is NaN where unsaid.
    """

    step: int
    wall: float
    values: Mapping[str, array[float]]
    learning_rate: float = math.nan


@dataclass(frozen=True, slots=True)
class PairSummary(ByValue):
    """How many pairs do what, and who does most.

    `moving` of `trainable` pairs are active, exploding or vanishing (they learn, well or badly); `imbalance` is
    max / min of the gradient norm over active pairs, NaN under two; `top` are (place in the table, share of the
    squared gradient norm), largest first; `step` is the newest look's.
    """

    total: int
    counts: Mapping[PairState, int]
    imbalance: float
    top: tuple[tuple[int, float], ...]
    step: int | None

    def text(self) -> str:
        """Return it in a line: ``24/28 pairs active, 4 dead``."""
        active = self.counts.get(PairState.ACTIVE, 0)
        rest = [f"{n} {state}" for state, n in self.counts.items() if n and state is not PairState.ACTIVE]
        return ", ".join([f"{active}/{self.total} pairs active", *rest])
