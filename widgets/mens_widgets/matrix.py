"""A small table of shares: rows × columns of text on shades from 0 to 1, with a cursor.

It shows what it is given; what a cell counts, and which share decides its shade, belongs to whoever fills it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from mens_widgets import heat
from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.heatface import RICH
from mens_widgets.heatink import STOPS, Inks, ink_on
from mens_widgets.text import clean, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

NARROW: Final = 7
"""The least cells of a column."""
BROAD: Final = 14


@dataclass(frozen=True, slots=True)
class Share:
    """One cell: a line of text, a note that stands below or beside it where there is room, and the share of its shade.

    A share of NaN is a blank cell: nothing was seen.
    """

    text: str = ""
    note: str = ""
    share: float = math.nan


class Matrix(Canvas, can_focus=True):
    """Labelled rows and columns of `Share`. The cursor is a row and a column; both scroll where they do not fit."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "matrix--title", "matrix--axis", "matrix--label", "matrix--cursor",
        "heatmap--zero", "heatmap--bad", "heatmap--shade", "heatmap--cursor", *STOPS,
    }  # fmt: skip
    DEFAULT_CSS = """
    Matrix {
        width: 1fr;
        height: 1fr;
        min-height: 3;
        & .matrix--title { color: $text-muted; }
        & .matrix--axis { color: $text-muted; }
        & .matrix--cursor { color: $foreground; text-style: bold; }
        & .heatmap--zero { color: $text-muted; }
        & .heatmap--bad { color: $text-error; text-style: bold; }
        & .heatmap--shade { color: $text-primary; }
        & .heatmap--cursor { background: $surface-lighten-1; }
        & .heatmap--ramp-1 { color: $secondary; }
        & .heatmap--ramp-2 { color: $primary; }
        & .heatmap--ramp-3 { color: $success; }
        & .heatmap--ramp-4 { color: $accent; }
        &:focus .matrix--title { color: $foreground; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1,0)", "Row up", show=False, id="matrix.up"),
        Binding("down,j", "move(1,0)", "Row down", show=False, id="matrix.down"),
        Binding("left,h", "move(0,-1)", "Column left", show=False, id="matrix.left"),
        Binding("right,l", "move(0,1)", "Column right", show=False, id="matrix.right"),
        Binding("g,home", "end(-1)", "First row", show=False, id="matrix.first"),
        Binding("G,end", "end(1)", "Last row", show=False, id="matrix.last"),
    ]

    class Moved(Message):
        """The cursor is on another cell."""

        def __init__(self, matrix: Matrix, place: tuple[int, int]) -> None:
            super().__init__()
            self.matrix, self.place = matrix, place

        @property
        def control(self) -> Matrix:
            """The matrix that sent this."""
            return self.matrix

    def __init__(
        self, title: str = "", *, unit: str = "", empty: str = "no data yet",
        name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.title, self.unit, self.empty = title, unit, empty
        self._rows: Sequence[str] = ()
        self._columns: Sequence[str] = ()
        self._cells: Sequence[Sequence[Share]] = ()
        self._at = (0, 0)
        self._first = (0, 0)
        self._inks: Inks | None = None

    def show(self, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Share]]) -> None:
        """Show these cells, a sequence of rows; labels are untrusted text."""
        self._rows, self._columns, self._cells = rows, columns, cells
        self._at = (min(self._at[0], max(0, len(rows) - 1)), min(self._at[1], max(0, len(columns) - 1)))
        self.redraw()

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the cursor."""
        return self._at

    def forget(self) -> None:
        """Drop what carries old styles."""
        super().forget()
        self._inks = None

    @property
    def inks(self) -> Inks:
        """What shades look like with the styles of now."""
        if self._inks is None:
            self._inks = Inks(self.style_for, few=self.app.no_color or self.app.console.color_system not in RICH)
        return self._inks

    # Drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw title and legend, the columns' labels, and the rows, each on two lines where there is room."""
        blank = self.style_for()
        if not self._rows or not self._columns or width < 16 or height < 3:
            strips = [Strip.blank(width, blank)] * height
            strips[0] = strip_of([Segment(fit(self.title, width), self.style_for("matrix--title"))], width, blank)
            text = clean(self.empty) if not self._rows or not self._columns else "too small"
            note = Segment(fit(text.center(width), width), self.style_for("matrix--axis"))
            strips[height // 2] = strip_of([note], width, blank)
            return strips
        label = min(max(len(clean(row)) for row in self._rows), max(8, width // 3)) + 3
        cell = max(NARROW, min(BROAD, (width - label) // len(self._columns) - 1))
        fits = max(1, (width - label) // (cell + 1))
        tall = 2 if height - 2 >= 2 * len(self._rows) else 1
        gap = int(height - 2 >= 3 * len(self._rows) - 1)
        lines = max(1, (height - 2 + gap) // (tall + gap))
        self._scroll(lines, fits)
        top, left = self._first
        columns = range(left, min(left + fits, len(self._columns)))
        strips = [self._title(width), self._head(columns, label, cell, width)]
        for row in range(top, min(top + lines, len(self._rows))):
            strips += [self._line(row, columns, label, cell, width, line, tall) for line in range(tall)]
            strips += [Strip.blank(width, blank)] * gap
        return strips[:height]

    def _scroll(self, lines: int, fits: int) -> None:
        (row, column), (top, left) = self._at, self._first
        top = min(max(min(top, len(self._rows) - lines), row - lines + 1, 0), row)
        left = min(max(min(left, len(self._columns) - fits), column - fits + 1, 0), column)
        self._first = (top, left)

    def _title(self, width: int) -> Strip:
        axis, count = self.style_for("matrix--axis"), self.inks.levels
        shades = [self.inks.cell(heat.FIRST + i, 1 if self.inks.colours else 3) for i in range(count)]
        legend = [Segment("0 % ", axis), *shades, Segment(f" 100 % {clean(self.unit)}", axis)]
        used = sum(segment.cell_length for segment in legend)
        if used + len(clean(self.title)) > width:
            legend, used = [], 0
        title = Segment(fit(self.title, width - used), self.style_for("matrix--title"))
        return strip_of([title, *legend], width, self.style_for())

    def _head(self, columns: range, label: int, cell: int, width: int) -> Strip:
        axis, strong = self.style_for("matrix--axis"), self.style_for("matrix--cursor")
        more = ("‹" if columns.start else " ", "›" if columns.stop < len(self._columns) else "")
        parts = [Segment(fit("", label - 1) + more[0], axis)]
        for column in columns:
            style = strong if column == self._at[1] else axis
            parts.append(Segment(_middle(clean(self._columns[column]), cell) + " ", style))
        return strip_of([*parts, Segment(more[1], axis)], width, self.style_for())

    def _line(self, row: int, columns: range, label: int, cell: int, width: int, line: int, tall: int) -> Strip:
        base = self.style_for()
        here = row == self._at[0]
        name = ("› " if here else "  ") + fit(self._rows[row], label - 3) + " " if line == 0 else " " * label
        parts = [Segment(name, self.style_for("matrix--cursor") if here else base)]
        for column in columns:
            text = self._text(self._cells[row][column], cell, line, tall)
            style = self._shade(self._cells[row][column].share)
            if (row, column) == self._at:
                text = f"›{text[1:-1]}‹" if line == 0 else text
                style += Style(bold=True, reverse=self.inks.colours is None)
            parts += [Segment(text, style), Segment(" ", base)]
        return strip_of(parts, width, base)

    def _text(self, share: Share, cell: int, line: int, tall: int) -> str:
        if tall == 2:
            text = share.text if line == 0 else share.note
        else:
            both = f"{share.text} {share.note}"
            text = both if len(both) <= cell - 2 else share.text
        if self.inks.colours is None and not math.isnan(share.share) and line == 0 and len(text) + 4 <= cell:
            code = int(heat.levels(np.array([max(share.share, 1e-9)]), (0.0, 1.0), self.inks.levels, log=False)[0])
            text = f"{self.inks.cell(code, 1).text} {text}"
        return _middle(clean(text), cell)

    def _shade(self, share: float) -> Style:
        colours = self.inks.colours
        if math.isnan(share) or colours is None:
            return self.style_for()
        return ink_on(colours[min(int(max(share, 0.0) * len(colours)), len(colours) - 1)])

    # Keys and mouse

    def _go(self, row: int, column: int) -> None:
        if not self._rows or not self._columns:
            return
        at = (max(0, min(row, len(self._rows) - 1)), max(0, min(column, len(self._columns) - 1)))
        if at != self._at:
            self._at = at
            self.redraw()
            self.post_message(self.Moved(self, at))

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by so many rows and columns."""
        self._go(self._at[0] + rows, self._at[1] + columns)

    def action_end(self, side: int) -> None:
        """Go to the first (-1) or last (1) row."""
        self._go(0 if side < 0 else len(self._rows) - 1, self._at[1])

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down a row."""
        event.stop()
        self.action_move(1, 0)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up a row."""
        event.stop()
        self.action_move(-1, 0)


def _middle(text: str, cells: int) -> str:
    return fit(fit(text, min(len(text), cells)).center(cells), cells)
