"""One measured figure: its target, our sample, the anchor's, and what follows from them.

Numbers only; how they were measured and how they are printed is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["met", "missed", "no anchor", "shown"]
"""``no anchor``: the target is relative and the anchor was not measured. ``shown``: there is no target."""


@dataclass(frozen=True, slots=True)
class Target:
    """A limit: `limit` itself, or `limit` times the anchor's median where `of_anchor`. At most, unless `at_least`."""

    limit: float
    of_anchor: bool = False
    at_least: bool = False

    def bound(self, anchor: float | None) -> float | None:
        """Return the limit in the figure's unit, None where that takes an anchor that is not there."""
        if not self.of_anchor:
            return self.limit
        return None if anchor is None else self.limit * anchor

    def text(self, unit: str) -> str:
        """Return the limit in words."""
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:g} × anchor" if self.of_anchor else f"{sign} {self.limit:g} {unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `ours` and `anchor` are samples in `unit`, their medians are what counts.

    `note` says what the numbers cannot: a smaller input, or why there is no anchor.
    """

    name: str
    unit: str
    ours: Sequence[float]
    target: Target | None = None
    anchor: Sequence[float] = ()
    anchor_name: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.ours or not all(map(math.isfinite, (*self.ours, *self.anchor))):
            raise ValueError(f"{self.name}: a figure needs finite measurements, got {self.ours!r} and {self.anchor!r}")

    @property
    def value(self) -> float:
        """Our median."""
        return median(self.ours)

    @property
    def anchor_value(self) -> float | None:
        """The anchor's median, None where it was not measured."""
        return median(self.anchor) if self.anchor else None

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of ours (the extremes where there are fewer than four measurements)."""
        if len(self.ours) < 4:
            return min(self.ours), max(self.ours)
        low, _, high = quantiles(self.ours, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.target is None:
            return "shown"
        bound = self.target.bound(self.anchor_value)
        if bound is None:
            return "no anchor"
        met = self.value >= bound if self.target.at_least else self.value <= bound
        return "met" if met else "missed"

    def document(self) -> dict[str, Any]:
        """Return the figure as JSON values."""
        return {
            "name": self.name,
            "unit": self.unit,
            "target": None if self.target is None else self.target.text(self.unit),
            "ours": self.value,
            "n": len(self.ours),
            "spread": list(self.spread),
            "anchor": self.anchor_value,
            "anchor_name": self.anchor_name,
            "verdict": self.verdict,
            "note": self.note,
        }
