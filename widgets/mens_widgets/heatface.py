"""The face of a heatmap: labelled rows, cells in shades, a legend, and an axis with marks, drawn into strips.

It turns codes into styles and places into numbers; keys and messages belong to `heatmap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.strip import Strip

from mens_widgets import heat, ticks
from mens_widgets.canvas import strip_of
from mens_widgets.heatink import STOPS, Inks
from mens_widgets.heatshown import HeatShown
from mens_widgets.text import clean, fit
from mens_widgets.xaxis import MARK_GLYPHS, MarkKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from textual.filter import LineFilter

    from mens_widgets.heatshown import HeatRow

RICH: Final = ("truecolor", "256")
"""Colour systems that have enough colours for a ramp."""
NOTE: Final = 8
"""Cells of the newest value at the right, with the blank before it."""
NOTED: Final = 90
"""Widgets narrower than this have no room for it."""
NOT_FINITE: Final = "NaN/∞"


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


class HeatFace(HeatShown):
    """Rows × columns of numbers as shades, at any size, without keys.

    `show` gives it a matrix with a column a step; rows are shown in the order given, and only those in sight cost
    anything. Columns are put together, or stretched, to the width. `log_scale`, `dense` (two rows a line) and `fixed`
    (limits; None: robust ones) may be changed at will, followed by `redraw`.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "heatmap--title", "heatmap--value", "heatmap--axis", "heatmap--mark", "heatmap--empty", "heatmap--cursor",
        "heatmap--zero", "heatmap--bad", "heatmap--shade", "heatmap--good", "heatmap--warning", "heatmap--critical",
        "heatmap--info", "heatmap--muted", *STOPS,
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
        & .heatmap--cursor { background: $panel; }
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
        super().__init__(
            title, unit=unit, empty=empty, axis_name=axis_name, log_scale=log_scale, name=name, id=id, classes=classes
        )
        self._inks: Inks | None = None
        self._true: bool | None = None
        """Whether every style has true colours, None where they were not looked at yet."""
        self._known: dict[str, tuple[tuple[object, ...], Strip]] = {}

    @property
    def coloured(self) -> bool:
        """Whether shades are colours; where the terminal has too few, or none are wanted, they are ``░▒▓█``."""
        return self.inks.colours is not None

    def forget(self) -> None:
        """Drop everything that carries old styles."""
        super().forget()
        self._known, self._inks, self._true = {}, None, None

    @property
    def inks(self) -> Inks:
        """What cells look like with the styles of now."""
        if self._inks is None:
            self._inks = Inks(self.style_for, few=self.app.no_color or self.app.console.color_system not in RICH)
        return self._inks

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Leave out what makes true colours of a terminal's own where there are none of these: a fifth of a frame."""
        if self._true is None:
            styles = [self.style_for(name) for name in ("", *HeatFace.COMPONENT_CLASSES)]
            colours = [colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
            self._true = all(colour.triplet for colour in colours) and not any(style.dim for style in styles)
        filters = super().get_line_filters()
        return [one for one in filters if not isinstance(one, ANSIToTruecolor)] if self._true else filters

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
        if not self._rows or not len(self.course.xs) or width < 12:
            return self._draw_empty(width, height)
        self._scroll(body)
        layout, per = self._layout(width, body), self._per_line
        x0, x1 = self.viewport.shown()
        edges = x0 + (x1 - x0) / layout.cells * np.arange(layout.cells + 1, dtype=np.float64)
        visible = self._rows[self._top : self._top + body * per]
        cells = heat.resample(self._values[[row.source for row in visible]], self.course.xs, edges, self.course.spacing)
        count = self.inks.levels
        codes = heat.levels(cells, self.limits, count, log=self.log_scale)
        cursor = None if self.column is None or not x0 <= self.column < x1 else self._at(self.column, layout.cells)
        strips = [strip_of(self._title(width, layout, edges), width, blank)] if titled else []
        strips += self._body(visible, codes, layout, cursor, width)
        strips += [Strip.blank(width, blank)] * (titled + body - len(strips))
        return strips[: titled + body] + self._foot(width, layout, cursor, foot)

    def _draw_empty(self, width: int, height: int) -> list[Strip]:
        blank = self.style_for()
        text = "too small" if self._rows and len(self.course.xs) else clean(self.empty)
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
        cells = self.inks.row(codes[0]) if self._per_line == 1 else self.inks.halves(codes)
        if at is not None and cursor is not None:
            strip, code = Strip(cells), int(codes[at][cursor])
            cells = [*strip.crop(0, cursor), self.inks.cursor(code), *strip.crop(cursor + 1)]
        right = []
        if layout.note:
            bad = newest == NOT_FINITE
            right.append(Segment(fit(newest, layout.note, "right"), self.style_for("heatmap--bad") if bad else base))
        if shaft:
            right.append(Segment(shaft, axis))
        head = strip_of(left, layout.gutter, base)
        cell_length = layout.gutter + len(codes[0]) + layout.note + layout.bar
        return Strip([*head, *cells, *right], cell_length).adjust_cell_length(width, base)

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
        return reading(float(self._newest[row.source]))[0] or "—" if self._newest is not None else ""

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
        where, value_text, bad = self._readout(layout, edges)
        left = [
            Segment(f"{clean(self.title)} ", title), Segment(f"{clean(where)} ", self.style_for("heatmap--axis")),
            Segment(f"{value_text} ", self.style_for("heatmap--bad") if bad else value),
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
        axis, limits, count = self.style_for("heatmap--axis"), self.limits, self.inks.levels
        scale = "log" if self.log_scale else "linear"
        if limits is None:
            return [[Segment(f"{scale}, nothing to show", axis)], [Segment(scale, axis)]]
        low, high = (ticks.format_value(limit, 3) for limit in limits)
        shades = [self.inks.cell(heat.FIRST + i, 1 if self.coloured else 3) for i in range(count)]
        few = [self.inks.cell(heat.FIRST + i, 1) for i in range(0, count, 2 if self.coloured else 1)]
        unit = f" {clean(self.unit)}" if self.unit else ""
        words = [Segment(" · 0", axis), Segment(" ! ", self.style_for("heatmap--bad")), Segment(NOT_FINITE, axis)]
        words = words if self._per_line == 1 else []
        left, right = Segment(f"{low} ", axis), Segment(f" {high}{unit}", axis)
        return [
            [Segment(f"{scale}  ", axis), left, *shades, right, *words],
            [left, *shades, right, *words],
            [left, *shades, right],
            [left, *few, Segment(f" {high}", axis)],
        ]

    def _readout(self, layout: _Layout, edges: NDArray[np.float64]) -> tuple[str, str, bool]:
        """Return where the cursor is, what is there, and whether that is bad."""
        row, course = self._rows[self._cursor], self.course
        if self.column is None:
            place = f"{self.axis_name} {_whole(course.steps[-1])}"
            value = self._newest[row.source] if self._newest is not None else self._values[row.source, -1]
        else:
            cell = self._at(self.column, layout.cells)
            part = heat.merged(course.xs, float(edges[cell]), float(edges[cell + 1]))
            steps = course.steps[part]
            value = np.fmax.reduce(self._values[row.source, part]) if len(steps) else np.nan
            ends = dict.fromkeys(map(_whole, steps[[0, -1]] if len(steps) else [course.step(self.column)]))
            place = f"{self.axis_name} {'–'.join(ends)}" + (f", largest of {len(steps)}" if len(steps) > 1 else "")
        text, bad = reading(float(value))
        return f"{f'{row.group} {row.label}'.strip()} · {place}:", text or "not measured", bad

    def _at(self, x: float, cells: int) -> int:
        x0, x1 = self.viewport.shown()
        return max(0, min(int((x - x0) / (x1 - x0) * cells), cells - 1))

    def _foot(self, width: int, layout: _Layout, cursor: int | None, lines: int) -> list[Strip]:
        """Return the axis with its marks, and its labels: as many of them as there are lines for."""
        axis, (x0, x1) = self.style_for("heatmap--axis"), self.viewport.shown()
        places = [
            (self._at(x, layout.cells), label) for x, label in self.course.ticks(x0, x1, max(2, layout.cells // 8))
        ]
        line = [("─", "heatmap--axis")] * layout.cells
        for cell, _ in places:
            line[cell] = ("┴", "heatmap--axis")
        if cursor is not None:
            line[cursor] = ("┼", "heatmap--value")
        for x, glyph, style in self._placed_marks():
            if x0 <= x < x1:
                line[self._at(x, layout.cells)] = (glyph, style)
        text = ""
        for cell, label in places:
            start = max(0, min(cell - len(label) // 2, layout.cells - len(label)))
            if start >= len(text) + (2 if text else 0):
                text = text.ljust(start) + label
        corner = Segment(" " * (layout.gutter - 1) + "└", axis)
        name = Segment(fit(self.axis_name, layout.gutter - 1, "right") + " " + text, axis)
        drawn = [[corner, *(Segment(glyph, self.style_for(style)) for glyph, style in line)], [name]]
        return [strip_of(parts, width, self.style_for()) for parts in drawn[:lines]]

    def _placed_marks(self) -> list[tuple[float, str, str]]:
        """Return places, glyphs and styles of the marks, the most important last; where steps fall back is a resume."""
        looks = {"nan": "heatmap--bad", "alert": "heatmap--warning"}
        order, course = list(MARK_GLYPHS), self.course
        marks = sorted(self._marks, key=lambda mark: order.index(mark.kind))
        placed: list[tuple[float, MarkKind]] = [(x, "resume") for x in course.falls]
        for mark in marks:
            step = mark.at.get("step", np.nan)
            x = None if mark.kind == "resume" and course.fell_to(step) else course.place(step)
            placed += [] if x is None else [(x, mark.kind)]
        return [(x, MARK_GLYPHS[kind], looks.get(kind, "heatmap--mark")) for x, kind in placed]


def reading(value: float) -> tuple[str, bool]:
    """Return a value as text ("" where nothing was measured), and whether it is not finite."""
    if np.isnan(value):
        return "", False
    return (ticks.format_value(value, 3), False) if np.isfinite(value) else (NOT_FINITE, True)


def _whole(x: float) -> str:
    return f"{float(x):,.0f}".replace(",", " ")
