"""The face of a heatmap: labelled rows, cells in shades, a legend, and an axis with marks, drawn into strips.

It turns codes into styles and places into numbers; keys and messages belong to `heatmap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mens_widgets import heat, ticks
from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.face import MARK_GLYPHS, Mark
from mens_widgets.text import clean, fit
from mens_widgets.viewport import Viewport

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

LEVELS: Final = 16
SHADES: Final = "░▒▓█"
"""The levels where colours are few: they read without any."""
NOTE: Final = 8
"""Cells of the newest value at the right, with the blank before it."""
NOTED: Final = 90
"""Widgets narrower than this have no room for it."""
NOT_FINITE: Final = "NaN/∞"


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row: which row of the matrix it shows (`source`), and untrusted words beside it.

    Rows of equal `group` that stand together are bracketed. `mark` is one character before the row; `tone` its colour
    and the label's: "", good, warning, critical, info or muted (a `heatmap--…` class).
    """

    key: str
    source: int
    label: str
    group: str = ""
    mark: str = ""
    tone: str = ""


class _Layout(NamedTuple):
    """Cells from left to right: marks and cursor, group with its bracket, label, shades, newest value, scrollbar."""

    lead: int
    group: int
    label: int
    cells: int
    note: int
    bar: int

    @property
    def gutter(self) -> int:
        return self.lead + self.group + self.label + 1


_NO_VALUES: Final = np.empty((0, 0), np.float32)


class HeatFace(Canvas):
    """Rows × columns of numbers as shades, at any size, without keys.

    `show` gives it a matrix whose columns begin at ascending `xs`; rows are shown in the order given, and only those
    in sight cost anything. Columns are put together, or stretched, to the width. `log_scale`, `dense` (two rows a line) and
    `fixed` (limits; None: robust ones) may be changed at will, followed by `redraw`.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "heatmap--title", "heatmap--value", "heatmap--axis", "heatmap--mark", "heatmap--empty", "heatmap--cursor",
        "heatmap--zero", "heatmap--bad", "heatmap--shade", "heatmap--good", "heatmap--warning", "heatmap--critical",
        "heatmap--info", "heatmap--muted", *(f"heatmap--ramp-{i}" for i in range(1, 5)),
    }  # fmt: skip
    DEFAULT_CSS = """
    HeatFace {
        width: 1fr;
        height: 1fr;
        min-height: 3;
        & .heatmap--title { color: $text-muted; }
        & .heatmap--value { color: $foreground; text-style: bold; }
        & .heatmap--axis { color: $text-muted; }
        & .heatmap--mark { color: $text-accent; }
        & .heatmap--empty { color: $text-muted; }
        & .heatmap--cursor { background: $surface-lighten-1; }
        & .heatmap--zero { color: $text-muted; }
        & .heatmap--bad { color: $text-error; text-style: bold; }
        & .heatmap--shade { color: $text-primary; }
        & .heatmap--good { color: $text-success; }
        & .heatmap--warning { color: $text-warning; }
        & .heatmap--critical { color: $text-error; text-style: bold; }
        & .heatmap--info { color: $text-primary; }
        & .heatmap--muted { color: $text-muted; }
        & .heatmap--ramp-1 { color: $secondary; }
        & .heatmap--ramp-2 { color: $primary; }
        & .heatmap--ramp-3 { color: $success; }
        & .heatmap--ramp-4 { color: $accent; }
        &:focus .heatmap--title { color: $foreground; text-style: bold; }
        &:focus .heatmap--cursor { background: $block-cursor-blurred-background; }
    }
    """

    def __init__(
        self, title: str = "", *, unit: str = "", empty: str = "no data yet", axis_name: str = "step",
        log_scale: bool = True, name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.title, self.unit, self.empty, self.axis_name = title, unit, empty, axis_name
        self.log_scale, self.dense = log_scale, False
        self.fixed: tuple[float, float] | None = None
        self.viewport = Viewport()
        self.column: float | None = None
        """The x that is read, None for the newest."""
        self._rows: Sequence[HeatRow] = ()
        self._index: dict[str, int] = {}
        self._widths = (0, 0)
        self._values: NDArray[np.floating[Any]] = _NO_VALUES
        self._xs: NDArray[Any] = np.empty(0)
        self._newest: NDArray[np.floating[Any]] | None = None
        self._spacing = 1.0
        self._marks: tuple[Mark, ...] = ()
        self._limits: tuple[tuple[object, bool], tuple[float, float] | None] = ((None, True), None)
        self._cursor = 0
        self._top = 0
        self._shades: list[heat.Rgb] | None = None
        self._looked_up = False
        self._segments: dict[tuple[int, int], Segment] = {}
        self._known: dict[str, tuple[tuple[object, ...], Strip]] = {}

    # What it shows

    def show(
        self, rows: Sequence[HeatRow], values: NDArray[np.floating[Any]], xs: NDArray[Any], *,
        newest: NDArray[np.floating[Any]] | None = None, marks: Sequence[Mark] = (),
    ) -> None:  # fmt: skip
        """Show these rows of a matrix of sources × columns; `newest` has one value a source. Cheap when unchanged.

        `rows` that are the same object as before are not looked through again. Values NaN were not measured,
        infinities were not finite.
        """
        if rows is not self._rows:
            key = self.cursor_key
            self._rows, self._index = rows, {row.key: i for i, row in enumerate(rows)}
            self._widths = max((len(r.group) for r in rows), default=0), max((len(r.label) for r in rows), default=0)
            place = self._index.get(key, self._cursor) if key is not None else 0
            self._cursor = max(0, min(place, len(rows) - 1))
        if xs is not self._xs:
            self._xs, self._spacing = xs, heat.usual_spacing(xs)
        self._values, self._newest, self._marks = values, newest, tuple(marks)
        self.viewport.follow((float(xs[0]), float(xs[-1]) + self._spacing) if len(xs) else None)
        self.redraw()

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor, None where there are no rows."""
        return self._rows[self._cursor].key if self._rows else None

    def place_cursor(self, key: str) -> None:
        """Put the cursor on this row, if it is there; posts no message."""
        if (place := self._index.get(key)) is not None:
            self._cursor = place
            self.redraw()

    @property
    def limits(self) -> tuple[float, float] | None:
        """What the lowest and the highest shade stand for, None while there is nothing to show."""
        if self.fixed is not None:
            return self.fixed
        known, log = self._limits[0]
        if known is not self._values or log != self.log_scale:
            self._limits = (self._values, self.log_scale), heat.limits(self._values, log=self.log_scale)
        return self._limits[1]

    @property
    def coloured(self) -> bool:
        """Whether shades are colours; where the terminal has too few, or none are wanted, they are ``░▒▓█``."""
        return self._colours() is not None

    # Styles

    def forget(self) -> None:
        """Drop everything that carries old styles."""
        super().forget()
        self._known, self._segments, self._looked_up = {}, {}, False

    def _colours(self) -> list[heat.Rgb] | None:
        if not self._looked_up:
            self._looked_up, self._shades = True, self._ramp()
        return self._shades

    def _ramp(self) -> list[heat.Rgb] | None:
        if self.app.no_color or self.app.console.color_system not in ("truecolor", "256"):
            return None
        colours = [self.style_for(f"heatmap--ramp-{i}").color for i in range(1, 5)]
        stops = [tuple(c.triplet) for c in colours if c is not None and c.triplet is not None]
        ground = self.style_for().bgcolor
        if len(stops) < 4 or ground is None or ground.triplet is None:
            return None
        base = heat.lightness((ground.triplet.red, ground.triplet.green, ground.triplet.blue))
        # From near the background to far from it, so that what is large stands out on dark and on light.
        low, high = (base + 0.06, 0.94) if base < 0.6 else (base - 0.06, 0.25)
        return heat.ramp([(r, g, b) for r, g, b in stops], LEVELS, low, high)

    def _cell(self, code: int, cells: int) -> Segment:
        """Return so many cells of one code."""
        known = self._segments.get((code, cells))
        if known is None:
            known = self._segments[code, cells] = Segment(*self._look(code, cells))
        return known

    def _look(self, code: int, cells: int) -> tuple[str, Style]:
        blank = self.style_for()
        if code == heat.BLANK:
            return " " * cells, blank
        if code == heat.ZERO:
            return "·" * cells, self.style_for("heatmap--zero")
        if code == heat.BAD:
            return "!" * cells, self.style_for("heatmap--bad")
        colours = self._colours()
        if colours is None:
            return SHADES[code - heat.FIRST] * cells, self.style_for("heatmap--shade")
        return " " * cells, Style(bgcolor=Color.from_rgb(*colours[code - heat.FIRST]))

    def _half(self, code: int) -> Color | None:
        """Return the colour of a cell of half a line's height."""
        if code == heat.BLANK:
            return self.style_for().bgcolor
        if code == heat.BAD:
            return self.style_for("heatmap--bad").color
        if code == heat.ZERO:
            return self.style_for("heatmap--cursor").bgcolor
        colours = self._colours() or []
        return Color.from_rgb(*colours[code - heat.FIRST])

    # Drawing

    @property
    def _per_line(self) -> int:
        return 2 if self.dense and self.coloured else 1

    def _frame(self, height: int) -> tuple[bool, int, int]:
        """Return whether there is a title, how many lines the rows have, and how many the axis."""
        foot = (height >= 5) + (height >= 7)
        return height >= 3, height - (height >= 3) - foot, foot

    def _layout(self, width: int, body: int) -> _Layout:
        lead = 2 + self._per_line
        bar = int(len(self._rows) > body * self._per_line)
        note = NOTE if self._newest is not None and width >= NOTED else 0
        group = self._widths[0] + 3 if self._widths[0] else 0
        group = min(group, width // 5)
        label = min(self._widths[1], max(0, width * 2 // 5 - lead - group - 1))
        cells = max(1, width - lead - group - label - 1 - note - bar)
        return _Layout(lead, group, label, cells, note, bar)

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw title and legend, the rows in sight, and the axis; the lower lines give way first."""
        blank = self.style_for()
        titled, body, foot = self._frame(height)
        if not self._rows or not len(self._xs) or width < 12:
            return self._draw_empty(width, height)
        self._scroll(body)
        layout, per = self._layout(width, body), self._per_line
        x0, x1 = self.viewport.shown()
        edges = x0 + (x1 - x0) / layout.cells * np.arange(layout.cells + 1, dtype=np.float64)
        visible = self._rows[self._top : self._top + body * per]
        cells = heat.resample(self._values[[row.source for row in visible]], self._xs, edges, self._spacing)
        count = LEVELS if self.coloured else len(SHADES)
        codes = heat.levels(cells, self.limits, count, log=self.log_scale)
        cursor = None if self.column is None or not x0 <= self.column < x1 else self._at(self.column, layout.cells)
        strips = [strip_of(self._title(width, layout, edges), width, blank)] if titled else []
        strips += self._body(visible, codes, layout, cursor, width)
        strips += [Strip.blank(width, blank)] * (titled + body - len(strips))
        return strips[: titled + body] + self._foot(width, layout, cursor, foot)

    def _draw_empty(self, width: int, height: int) -> list[Strip]:
        blank = self.style_for()
        text = "too small" if self._rows and len(self._xs) else clean(self.empty)
        strips = [Strip.blank(width, blank)] * height
        strips[0] = strip_of([Segment(fit(self.title, width), self.style_for("heatmap--title"))], width, blank)
        note = Segment(fit(text.center(width), width), self.style_for("heatmap--empty"))
        strips[height // 2] = strip_of([note], width, blank)
        return strips

    def _body(
        self, visible: Sequence[HeatRow], codes: heat.Codes, layout: _Layout, cursor: int | None, width: int
    ) -> list[Strip]:
        per, known, strips = self._per_line, dict[str, tuple[tuple[object, ...], Strip]](), []
        thumb = self._thumb(-(-len(visible) // per)) if layout.bar else range(0)
        for line, first in enumerate(range(0, len(visible), per)):
            rows, here = visible[first : first + per], self._top + first
            at = self._cursor - here if here <= self._cursor < here + per else None
            numbers = codes[first : first + per]
            shaft = ("┃" if line in thumb else "│") if layout.bar else ""
            newest = self._note(rows[at or 0]) if layout.note else ""
            bracket = self._bracket(here, line == 0)
            state = (rows, numbers.tobytes(), layout, at, None if at is None else cursor, newest, bracket, shaft, width)
            old = self._known.get(rows[0].key)
            if old is None or old[0] != state:
                old = (state, self._strip(rows, numbers, layout, at, cursor, newest, bracket, shaft, width))
            known[rows[0].key] = old
            strips.append(old[1])
        self._known = known
        return strips

    def _strip(
        self, rows: Sequence[HeatRow], codes: heat.Codes, layout: _Layout, at: int | None, cursor: int | None,
        newest: str, bracket: tuple[str, str], shaft: str, width: int,
    ) -> Strip:  # fmt: skip
        base, axis = self.style_for(), self.style_for("heatmap--axis")
        bar = self.style_for("heatmap--cursor").background_style if at is not None else Style.null()
        one = rows[at or 0]
        tone = self.style_for(f"heatmap--{one.tone}") if one.tone else base
        left = [Segment("›" if at is not None else " ", base + bar)]
        for row in rows:
            style = self.style_for(f"heatmap--{row.tone}") if row.tone else base
            left.append(Segment(fit(row.mark, 1), style + bar))
        left.append(Segment(" " * (layout.lead - 1 - len(rows)), base + bar))
        if layout.group:
            left.append(Segment(fit(bracket[0], layout.group - 3) + f" {bracket[1]} ", axis + bar))
        left.append(Segment(fit(one.label, layout.label), tone + bar))
        left.append(Segment(" ", base))
        cells = self._row_cells(codes[0]) if self._per_line == 1 else self._half_cells(codes)
        if at is not None and cursor is not None:
            cells = self._with_cursor(cells, codes[min(at, len(codes) - 1)], cursor)
        right = []
        if layout.note:
            bad = newest == NOT_FINITE
            right.append(Segment(fit(newest, layout.note, "right"), self.style_for("heatmap--bad") if bad else base))
        if shaft:
            right.append(Segment(shaft, axis))
        head = strip_of(left, layout.gutter, base)
        return Strip([*head, *cells, *right]).adjust_cell_length(width, base)

    def _row_cells(self, codes: heat.Codes) -> list[Segment]:
        borders = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
        numbers = codes.tolist()
        return [self._cell(numbers[a], b - a) for a, b in pairwise(borders)]

    def _half_cells(self, codes: heat.Codes) -> list[Segment]:
        upper = codes[0].astype(np.int32)
        lower = codes[1].astype(np.int32) if len(codes) > 1 else np.full_like(upper, heat.BLANK)
        both = (upper << 8 | lower) + 256
        borders = [0, *(np.flatnonzero(both[1:] != both[:-1]) + 1).tolist(), len(both)]
        return [self._pair(int(both[a]), b - a) for a, b in pairwise(borders)]

    def _pair(self, both: int, cells: int) -> Segment:
        known = self._segments.get((both, cells))
        if known is None:
            above, below = self._half((both - 256) >> 8), self._half((both - 256) & 255)
            glyph = " " if above == below else "▀"
            style = Style(color=None if glyph == " " else above, bgcolor=below)
            known = self._segments[both, cells] = Segment(glyph * cells, style)
        return known

    def _with_cursor(self, cells: list[Segment], codes: heat.Codes, cursor: int) -> list[Segment]:
        """Mark the cell that is read, in ink that is seen on its shade."""
        code, colours = int(codes[cursor]), self._colours()
        glyph, style = self._look(code, 1) if self._per_line == 1 else ("▀", self.style_for())
        if colours is not None and code >= heat.FIRST:
            shade = colours[code - heat.FIRST]
            ink = Color.from_rgb(0, 0, 0) if heat.lightness(shade) > 0.6 else Color.from_rgb(255, 255, 255)
            mark = Segment("┼", Style(color=ink, bgcolor=Color.from_rgb(*shade), bold=True))
        else:
            mark = Segment(glyph if glyph.strip() else "┼", style + Style(reverse=True))
        strip = Strip(cells)
        return [*strip.crop(0, cursor), mark, *strip.crop(cursor + 1)]

    def _bracket(self, place: int, first: bool) -> tuple[str, str]:
        """Return the group's name where it begins or comes into sight, and its piece of the bracket."""
        per, rows = self._per_line, self._rows
        group = rows[place].group
        last = min(place + per, len(rows)) - 1
        above = place > 0 and rows[place - 1].group == group
        below = last + 1 < len(rows) and rows[last + 1].group == rows[last].group
        if per > 1 and rows[last].group != group and not above:
            return (group, "─")
        glyph = "│" if above and below else "└" if above else "┌" if below else "─"
        return ("" if above and not first else group), glyph if group else " "

    def _note(self, row: HeatRow) -> str:
        value = float(self._newest[row.source]) if self._newest is not None else np.nan
        return "—" if np.isnan(value) else ticks.format_value(value, 3) if np.isfinite(value) else NOT_FINITE

    def _thumb(self, lines: int) -> range:
        total = -(-len(self._rows) // self._per_line)
        size = max(1, lines * lines // total)
        start = round(self._top / self._per_line / max(1, total - lines) * (lines - size))
        return range(start, start + size)

    def _scroll(self, body: int) -> None:
        per = self._per_line
        total, line = -(-len(self._rows) // per), self._cursor // per
        top = max(0, min(self._top // per, total - body))
        self._top = (min(max(top, line - body + 1), line) if body > 0 else top) * per

    # The line above and the lines below

    def _title(self, width: int, layout: _Layout, edges: NDArray[np.float64]) -> list[Segment]:
        title, value = self.style_for("heatmap--title"), self.style_for("heatmap--value")
        where, reading, bad = self._readout(layout, edges)
        left = [
            Segment(f"{clean(self.title)} ", title), Segment(f"{clean(where)} ", self.style_for("heatmap--axis")),
            Segment(f"{reading} ", self.style_for("heatmap--bad") if bad else value),
        ]  # fmt: skip
        used = sum(segment.cell_length for segment in left)
        for legend in self._legends():
            room = width - sum(segment.cell_length for segment in legend)
            if used <= room:
                break
        room = max(0, room)
        line = strip_of(left, used, title).crop(0, room).extend_cell_length(room, self.style_for())
        return [*line, *(legend if room < width else [])]

    def _legends(self) -> list[list[Segment]]:
        """Return the legend, the longest first."""
        axis, limits, count = self.style_for("heatmap--axis"), self.limits, LEVELS if self.coloured else len(SHADES)
        scale = "log" if self.log_scale else "linear"
        if limits is None:
            return [[Segment(f"{scale}, nothing to show", axis)], [Segment(scale, axis)]]
        low, high = (ticks.format_value(limit, 3) for limit in limits)
        stretch = 1 if self.coloured else 3
        shades = [self._cell(heat.FIRST + i, stretch) for i in range(count)]
        few = [self._cell(heat.FIRST + i, 1) for i in range(0, count, 2 if self.coloured else 1)]
        unit = f" {clean(self.unit)}" if self.unit else ""
        words = [Segment(" · 0", axis), Segment(" ! ", self.style_for("heatmap--bad")), Segment(NOT_FINITE, axis)]
        if self._per_line > 1:
            words = []
        left, right = Segment(f"{low} ", axis), Segment(f" {high}{unit}", axis)
        return [
            [Segment(f"{scale}  ", axis), left, *shades, right, *words],
            [left, *shades, right, *words],
            [left, *shades, right],
            [left, *few, Segment(f" {high}", axis)],
        ]

    def _readout(self, layout: _Layout, edges: NDArray[np.float64]) -> tuple[str, str, bool]:
        """Return where the cursor is, what is there, and whether that is bad."""
        row = self._rows[self._cursor]
        name = f"{row.group} {row.label}".strip()
        if self.column is None:
            value = float(self._newest[row.source]) if self._newest is not None else float(self._values[row.source, -1])
            place = f"{self.axis_name} {_whole(self._xs[-1])}"
        else:
            cell = self._at(self.column, layout.cells)
            part = heat.merged(self._xs, float(edges[cell]), float(edges[cell + 1]))
            numbers, xs = self._values[row.source, part], self._xs[part]
            value = float(np.fmax.reduce(numbers)) if len(numbers) else float("nan")
            where = [_whole(self.column)] if not len(xs) else list(dict.fromkeys((_whole(xs[0]), _whole(xs[-1]))))
            place = f"{self.axis_name} {'–'.join(where)}" + (f", largest of {len(xs)}" if len(xs) > 1 else "")
        bad = not np.isfinite(value) and not np.isnan(value)
        text = "not measured" if np.isnan(value) else NOT_FINITE if bad else ticks.format_value(value, 3)
        return f"{name} · {place}:", text, bad

    def _at(self, x: float, cells: int) -> int:
        x0, x1 = self.viewport.shown()
        return max(0, min(int((x - x0) / (x1 - x0) * cells), cells - 1))

    def _foot(self, width: int, layout: _Layout, cursor: int | None, lines: int) -> list[Strip]:
        axis, blank = self.style_for("heatmap--axis"), self.style_for()
        x0, x1 = self.viewport.shown()
        places = [place for place in ticks.linear_ticks(x0, x1, max(2, layout.cells // 10)) if x0 <= place < x1]
        line: list[tuple[str, str]] = [("─", "heatmap--axis")] * layout.cells
        for place in places:
            line[self._at(place, layout.cells)] = ("┴", "heatmap--axis")
        if cursor is not None:
            line[cursor] = ("┼", "heatmap--value")
        order = list(MARK_GLYPHS)
        for mark in sorted(self._marks, key=lambda mark: order.index(mark.kind)):
            if x0 <= (x := mark.at.get("step", float("nan"))) < x1:
                style = {"nan": "heatmap--bad", "alert": "heatmap--warning"}.get(mark.kind, "heatmap--mark")
                line[self._at(x, layout.cells)] = (MARK_GLYPHS[mark.kind], style)
        corner = Segment(" " * (layout.gutter - 1) + "└", axis)
        text = ""
        for place, label in zip(places, ticks.format_ticks(places), strict=True):
            start = max(0, min(self._at(place, layout.cells) - len(label) // 2, layout.cells - len(label)))
            if start >= len(text) + (2 if text else 0):
                text = text.ljust(start) + label
        name = Segment(fit(self.axis_name, layout.gutter - 1, "right") + " " + text, axis)
        drawn = [[corner, *(Segment(glyph, self.style_for(style)) for glyph, style in line)], [name]]
        return [strip_of(parts, width, blank) for parts in drawn[:lines]]


def _whole(x: float) -> str:
    return f"{float(x):,.0f}".replace(",", " ")
