"""What stands beneath a plot: which value is in which column, ticks, marks and labels.

Glyphs come with the name of a component class; whoever draws them knows what that looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mens_widgets import ticks
from mens_widgets.curve import Axis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

MarkKind = Literal["resume", "checkpoint", "eval", "throttle", "nan", "alert"]
MARK_GLYPHS: Final[dict[MarkKind, str]] = {
    "checkpoint": "▾", "eval": "◆", "resume": "↻", "throttle": "↯", "nan": "✖", "alert": "▲",
}  # fmt: skip
"""In order of importance: where two share a column, the later one is seen."""
_MARK_STYLES: Final[dict[MarkKind, str]] = {"nan": "chart--bad", "alert": "chart--alert"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, shown on the x axis: where it is, for each axis it has a place on."""

    kind: MarkKind
    at: Mapping[Axis, float]
    label: str = ""


@dataclass(frozen=True, slots=True)
class XAxis:
    """The axis from `x0` to `x1` over so many `columns`: steps, or seconds since the start, or since the epoch."""

    kind: Axis
    x0: float
    x1: float
    columns: int
    step_name: str
    zone: tzinfo | None

    @property
    def name(self) -> str:
        """What it counts, in a word."""
        return {"step": self.step_name, "relative": "time", "wall": "clock"}[self.kind]

    def cell(self, x: float | None) -> int | None:
        """Return the column of a value, None where it is out of view."""
        if x is None or not self.x0 <= x <= self.x1:
            return None
        return min(int((x - self.x0) / (self.x1 - self.x0) * self.columns), self.columns - 1)

    def line(self, marks: Sequence[Mark], cursor: int | None) -> list[tuple[str, str]]:
        """Return the axis as (glyph, component class) for each column."""
        cells: list[tuple[str, str]] = [("─", "chart--axis")] * self.columns
        for tick, _ in self.ticks():
            cells[tick] = ("┴", "chart--axis")
        if cursor is not None:
            cells[cursor] = ("┼", "chart--cursor")
        order = list(MARK_GLYPHS)
        for mark in sorted(marks, key=lambda mark: order.index(mark.kind)):
            if (place := self.cell(mark.at.get(self.kind))) is not None:
                cells[place] = (MARK_GLYPHS[mark.kind], _MARK_STYLES.get(mark.kind, "chart--mark"))
        return cells

    def ticks(self) -> list[tuple[int, str]]:
        """Return the columns of round values, and what they are called."""
        x0, x1 = self.x0, self.x1
        count = max(2, self.columns // 10)
        if self.kind == "step":
            places = [place for place in ticks.linear_ticks(x0, x1, count) if place == round(place) or x1 - x0 < 2]
            labels = ticks.format_ticks(places)
        elif self.kind == "relative":
            places = ticks.time_ticks(x0, x1, count)
            labels = [ticks.format_duration(place) for place in places]
        else:
            places = ticks.time_ticks(x0, x1, count, ticks.zone_offset(x0, self.zone))
            labels = [ticks.format_clock(place, x1 - x0, self.zone) for place in places]
        placed = [(self.cell(place), label) for place, label in zip(places, labels, strict=True)]
        return [(cell, label) for cell, label in placed if cell is not None]

    def labels(self) -> str:
        """Return the line of labels, each under its tick; those without room are left out."""
        line = ""
        for middle, label in self.ticks():
            start = max(0, min(middle - len(label) // 2, self.columns - len(label)))
            if start >= len(line) + (2 if line else 0):
                line = line.ljust(start) + label
        return line

    def format(self, x: float) -> str:
        """Return a value in words: its step, how long after the start, or the time of day."""
        if self.kind == "step":
            return f"{self.step_name} {x:,.0f}".replace(",", " ")
        if self.kind == "relative":
            return f"+{ticks.format_duration(x)}"
        return ticks.format_clock(x, 1.0, self.zone)
