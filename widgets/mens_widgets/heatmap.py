"""A live heatmap: the keys that move its cursor, its rows and its view.

How it looks belongs to `heatface`, what a shade means to `heat`; it knows nothing of files, runs or metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from mens_widgets.heatface import HeatFace
from mens_widgets.heatshown import HeatRow

if TYPE_CHECKING:
    from textual import events

__all__ = ["HeatFace", "HeatRow", "Heatmap"]

WHEEL = 3


class Heatmap(HeatFace, can_focus=True):
    """A `HeatFace` with a cursor (row and column), zoom, pan and everything else that keys do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Row up", show=False, id="heatmap.up"),
        Binding("down,j", "move(1)", "Row down", show=False, id="heatmap.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="heatmap.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="heatmap.page_down"),
        Binding("g,home", "end(-1)", "First row", show=False, id="heatmap.first"),
        Binding("G,end", "end(1)", "Last row", show=False, id="heatmap.last"),
        Binding("left,h", "column(-1)", "Read earlier", show=False, id="heatmap.left"),
        Binding("right,l", "column(1)", "Read later", show=False, id="heatmap.right"),
        Binding("shift+left,H", "column(-10)", "Read far earlier", show=False, id="heatmap.far_left"),
        Binding("shift+right,L", "column(10)", "Read far later", show=False, id="heatmap.far_right"),
        Binding("enter", "select", "Open", id="heatmap.select"),
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom in", show=False, id="heatmap.zoom_in", key_display="+"),
        Binding("minus", "zoom(2.0)", "Zoom out", show=False, id="heatmap.zoom_out", key_display="-"),
        Binding("left_square_bracket", "pan(-0.25)", "Earlier", show=False, id="heatmap.pan_left", key_display="["),
        Binding("right_square_bracket", "pan(0.25)", "Later", show=False, id="heatmap.pan_right", key_display="]"),
        Binding("r", "reset", "Reset view", show=False, id="heatmap.reset"),
        Binding("y", "toggle_log", "Log scale", id="heatmap.log"),
        Binding("z", "toggle_dense", "Half-height rows", show=False, id="heatmap.dense"),
    ]

    class Highlighted(Message):
        """The cursor is on another row, or on none."""

        def __init__(self, heatmap: Heatmap, key: str | None) -> None:
            super().__init__()
            self.heatmap, self.key = heatmap, key

        def can_replace(self, message: Message) -> bool:
            """Only the newest place of the cursor matters."""
            return isinstance(message, Heatmap.Highlighted) and message.heatmap is self.heatmap

        @property
        def control(self) -> Heatmap:
            """The heatmap that sent this."""
            return self.heatmap

    class Selected(Message):
        """The operator opened a row (Enter, or a click on the one under the cursor)."""

        def __init__(self, heatmap: Heatmap, key: str) -> None:
            super().__init__()
            self.heatmap, self.key = heatmap, key

        @property
        def control(self) -> Heatmap:
            """The heatmap that sent this."""
            return self.heatmap

    # Rows

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self._rows) - 1))
        if self._rows and place != self._cursor:
            self._cursor = place
            self.redraw()
            self.post_message(self.Highlighted(self, self.cursor_key))

    def action_move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many screens."""
        _, body, _ = self._frame(self.size.height)
        self._go(self._cursor + pages * max(1, (body - 1) * self._per_line))

    def action_end(self, side: int) -> None:
        """Go to the first (-1) or last (1) row."""
        self._go(0 if side < 0 else len(self._rows) - 1)

    def action_select(self) -> None:
        """Open the row under the cursor."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Selected(self, key))

    # Columns

    @property
    def _cells(self) -> int:
        _, body, _ = self._frame(self.size.height)
        return self._layout(self.size.width, body).cells

    def action_column(self, cells: int) -> None:
        """Read so many cells to the side; the first press reads the newest column in view."""
        if self.viewport.data is None:
            return
        x0, x1 = self.viewport.shown()
        first, end = self.viewport.data
        newest = end - self.course.spacing
        if self.column is None:
            self.column = min(newest, x1 - (x1 - x0) / self._cells / 2)
        else:
            width = (x1 - x0) / self._cells
            x = x0 + (int((self.column - x0) / width) + cells + 0.5) * width
            self.column = max(first, min(x, max(first, end - width / 2)))
            self.viewport.reveal(self.column)
        self.redraw()

    def action_zoom(self, factor: float) -> None:
        """Scale the visible span around the column that is read, or around the newest."""
        self.viewport.zoom(factor, self.column)
        self.redraw()

    def action_pan(self, share: float) -> None:
        """Move the view by a share of its span."""
        self.viewport.pan(share)
        self.redraw()

    def action_reset(self) -> None:
        """Show everything, and read the newest column."""
        self.viewport.window = self.column = None
        self.redraw()

    # How it looks

    def action_toggle_log(self) -> None:
        """Switch the shades between a logarithmic and a linear scale."""
        self.log_scale = not self.log_scale
        self.redraw()

    def action_toggle_dense(self) -> None:
        """Switch between one and two rows a line; where there are no colours there is nothing to make halves of."""
        if not self.coloured:
            self.notify("Half-height rows need a terminal with colours", markup=False)
            return
        self.dense = not self.dense
        self.redraw()

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row and the cell under the mouse; open the row where it is there already."""
        titled, body, _ = self._frame(self.size.height)
        line = event.y - titled
        place = self._top + line * self._per_line
        if self.viewport.data is None or not 0 <= line < body or place >= len(self._rows):
            return
        layout = self._layout(self.size.width, body)
        cell = event.x - layout.gutter
        if 0 <= cell < layout.cells:
            x0, x1 = self.viewport.shown()
            self.column = x0 + (cell + 0.5) / layout.cells * (x1 - x0)
            self.redraw()
        elif place <= self._cursor < place + self._per_line:
            self.action_select()
        self._go(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down a few rows."""
        event.stop()
        self.action_move(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up a few rows."""
        event.stop()
        self.action_move(-WHEEL)
