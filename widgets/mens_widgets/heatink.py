"""What cells of a heatmap look like: shades of the theme's colours, or ``░▒▓█`` where colours are few.

Codes in, segments out; where a cell stands and what it means stays outside.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from mens_widgets import heat, oklab

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS: Final = 16
SHADES: Final = "░▒▓█"
"""The levels where colours are few: they read without any."""
STOPS: Final = tuple(f"heatmap--ramp-{i}" for i in range(1, 5))
"""The component classes whose colours the ramp goes through."""
_HALVES: Final = 256
"""Keys of half-height cells begin here, above all codes."""


class Inks:
    """The look of every code, made from a widget's component styles: kept until those change.

    `colours` are the shades from low to high; None where the terminal has too `few`, or the theme none of its own.
    """

    def __init__(self, style_for: Callable[[str], Style], *, few: bool) -> None:
        self._style_for = style_for
        self.colours = None if few else self._ramp()
        self.levels = len(SHADES) if self.colours is None else LEVELS
        self._segments: dict[tuple[int, int], Segment] = {}

    def _ramp(self) -> list[oklab.Rgb] | None:
        colours = [self._style_for(stop).color for stop in STOPS]
        stops = [colour.triplet for colour in colours if colour is not None and colour.triplet is not None]
        ground = self._style_for("").bgcolor
        if len(stops) < len(STOPS) or ground is None or ground.triplet is None:
            return None
        base = oklab.lightness(ground.triplet)
        # From near the background to far from it, so that what is large stands out on dark and on light; the warm end
        # is the bright one on both.
        if base < 0.6:
            return oklab.ramp(stops, LEVELS, base + 0.06, 0.94)
        return oklab.ramp(stops[::-1], LEVELS, base - 0.06, 0.27)

    def cell(self, code: int, cells: int) -> Segment:
        """Return so many cells of one code."""
        known = self._segments.get((code, cells))
        if known is None:
            text, style = self._look(code)
            known = self._segments[code, cells] = Segment(text * cells, style)
        return known

    def _look(self, code: int) -> tuple[str, Style]:
        if code == heat.BLANK:
            return " ", self._style_for("")
        if code == heat.ZERO:
            return "·", self._style_for("heatmap--zero")
        if code == heat.BAD:
            return "!", self._style_for("heatmap--bad")
        if self.colours is None:
            return SHADES[code - heat.FIRST], self._style_for("heatmap--shade")
        return " ", _ground(self.colours[code - heat.FIRST])

    def row(self, codes: heat.Codes) -> list[Segment]:
        """Return a row of cells, equal neighbours in one segment."""
        borders = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
        numbers = codes.tolist()
        return [self.cell(numbers[a], b - a) for a, b in pairwise(borders)]

    def halves(self, codes: heat.Codes) -> list[Segment]:
        """Return one line that shows two rows of cells, the lower one blank where only one is given."""
        upper = codes[0].astype(np.int32)
        lower = codes[1].astype(np.int32) if len(codes) > 1 else np.full_like(upper, heat.BLANK)
        both = (upper << 8 | lower) + _HALVES
        borders = [0, *(np.flatnonzero(both[1:] != both[:-1]) + 1).tolist(), len(both)]
        return [self._pair(int(both[a]), b - a) for a, b in pairwise(borders)]

    def _pair(self, both: int, cells: int) -> Segment:
        known = self._segments.get((both, cells))
        if known is None:
            above, below = self._half((both - _HALVES) >> 8), self._half((both - _HALVES) & 255)
            glyph = " " if above == below else "▀"
            style = Style(color=None if glyph == " " else above, bgcolor=below)
            known = self._segments[both, cells] = Segment(glyph * cells, style)
        return known

    def _half(self, code: int) -> Color | None:
        """Return the colour of a cell of half a line's height, in which no glyph has room."""
        if code == heat.BLANK:
            return self._style_for("").bgcolor
        if code == heat.BAD:
            return self._style_for("heatmap--bad").color
        if code == heat.ZERO or self.colours is None:
            return self._style_for("heatmap--cursor").bgcolor
        return Color.from_rgb(*self.colours[code - heat.FIRST])

    def cursor(self, code: int) -> Segment:
        """Return the cell that is read, in ink that is seen on its shade."""
        if self.colours is None or code < heat.FIRST:
            text, style = self._look(code)
            return Segment(text if text.strip() else "┼", style + Style(reverse=True))
        shade = self.colours[code - heat.FIRST]
        return Segment("┼", ink_on(shade) + Style(bold=True))


@lru_cache(maxsize=256)
def _ground(shade: oklab.Rgb) -> Style:
    """Return the style of blanks on a shade: one object for each, because equal ones are slow to compare."""
    return Style(bgcolor=Color.from_rgb(*shade))


def ink_on(shade: oklab.Rgb) -> Style:
    """Return the style of text on a shade: black or white, whichever is seen."""
    ink = (0, 0, 0) if oklab.lightness(shade) > 0.62 else (255, 255, 255)
    return Style(color=Color.from_rgb(*ink), bgcolor=Color.from_rgb(*shade))
