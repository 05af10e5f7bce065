"""A table of thousands of rows on the Line API: only the visible rows cost anything, only changed cells repaint.

It shows rows in the order given; filtering, sorting and what a row means belong to whoever fills it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.text import Align, Cut, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from textual import events

LEAD = 3
"""Columns left of the first cell: the cursor's glyph, the checkbox, and a blank."""
GAP = 1
WHEEL = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column of at least `width` cells that takes its share `flex` of what is left over; longer text is `cut`.

    Where the table is too narrow, the columns of the lowest `priority` go first, the right one of two equals.
    """

    key: str
    title: str
    width: int
    flex: int = 0
    align: Align = "left"
    priority: int = 0
    cut: Cut = "end"


@dataclass(frozen=True, slots=True)
class Cell:
    """Untrusted text and its tone: "", good, warning, critical, info, muted or strong (a `grid--…` class)."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the same `key` and `rev` promise the same cells, one for each column."""

    key: str
    cells: tuple[Cell | str, ...]
    rev: Hashable = 0


class LazyRows(Sequence[Row]):
    """Rows that are built when they come on screen; they know themselves where a key stands."""

    @abstractmethod
    def place(self, key: str) -> int | None:
        """Return the place of the row with this key, None where there is none."""


def _nowhere(_key: str) -> int | None:
    return None


class Grid(Canvas, can_focus=True):
    """A table with a header, a cursor that stays on its row when the order changes, and marks.

    The cursor is kept by key; when its row disappears, it goes to the row that took its place.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header", "grid--cursor", "grid--empty", "grid--scroll",
        "grid--good", "grid--warning", "grid--critical", "grid--info", "grid--muted", "grid--strong",
    }  # fmt: skip
    DEFAULT_CSS = """
    Grid {
        width: 1fr;
        height: 1fr;
        & .grid--header { color: $text-muted; text-style: bold; }
        & .grid--cursor { background: $surface-lighten-1; }
        & .grid--empty { color: $text-muted; }
        & .grid--scroll { color: $text-muted; }
        & .grid--good { color: $text-success; }
        & .grid--warning { color: $text-warning; }
        & .grid--critical { color: $text-error; text-style: bold; }
        & .grid--info { color: $text-primary; }
        & .grid--muted { color: $text-muted; }
        & .grid--strong { text-style: bold; }
        &:focus .grid--cursor { background: $block-cursor-blurred-background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="grid.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="grid.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("g,home", "end(-1)", "First row", show=False, id="grid.first"),
        Binding("G,end", "end(1)", "Last row", show=False, id="grid.last"),
        Binding("enter", "select", "Open", id="grid.select"),
        Binding("space", "mark", "Mark", id="grid.mark"),
    ]

    class Highlighted(Message):
        """The cursor is on another row, or on none."""

        def __init__(self, grid: Grid, key: str | None) -> None:
            super().__init__()
            self.grid, self.key = grid, key

        def can_replace(self, message: Message) -> bool:
            """Only the newest place of the cursor matters."""
            return isinstance(message, Grid.Highlighted) and message.grid is self.grid

        @property
        def control(self) -> Grid:
            """The grid that sent this."""
            return self.grid

    class Selected(Message):
        """The operator opened a row (Enter, or a click on the highlighted one)."""

        def __init__(self, grid: Grid, key: str) -> None:
            super().__init__()
            self.grid, self.key = grid, key

        @property
        def control(self) -> Grid:
            """The grid that sent this."""
            return self.grid

    class Marked(Message):
        """The set of marked rows changed; `keys` in the order of marking."""

        def __init__(self, grid: Grid, keys: tuple[str, ...]) -> None:
            super().__init__()
            self.grid, self.keys = grid, keys

        @property
        def control(self) -> Grid:
            """The grid that sent this."""
            return self.grid

    class HeaderClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, grid: Grid, column: str) -> None:
            super().__init__()
            self.grid, self.column = grid, column

        @property
        def control(self) -> Grid:
            """The grid that sent this."""
            return self.grid

    def __init__(
        self, columns: Sequence[Column], *, empty: str = "nothing here yet",
        name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.columns = tuple(columns)
        self.empty = empty
        self.sort: tuple[str, bool] | None = None
        self._rows: Sequence[Row] = ()
        self._place: Callable[[str], int | None] = _nowhere
        self._cursor = 0
        self._top = 0
        self._marks: dict[str, None] = {}
        self._cache: dict[str, tuple[Hashable, Strip]] = {}
        self._head: tuple[Hashable, Strip] | None = None

    # What it shows

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows, in this order. A row whose key and rev did not change is not built again."""
        key = self.cursor_key
        self._rows = rows
        if isinstance(rows, LazyRows):
            self._place = rows.place
        else:
            index = {row.key: i for i, row in enumerate(rows)}
            self._place = lambda wanted: index.get(wanted)
        place = self._place(key) if key is not None else None
        self._cursor = max(0, min(self._cursor if place is None else place, len(rows) - 1))
        self._scroll_to_cursor()
        if any(self._place(mark) is None for mark in self._marks):
            self._marks = {mark: None for mark in self._marks if self._place(mark) is not None}
            self.post_message(self.Marked(self, self.marked))
        if self.cursor_key != key:
            self.post_message(self.Highlighted(self, self.cursor_key))
        self.redraw()

    def set_sort(self, column: str | None, *, reverse: bool = False) -> None:
        """Show in the header by which column the rows are sorted; `reverse` means largest first."""
        self.sort = None if column is None else (column, reverse)
        self.redraw()

    @property
    def cursor_key(self) -> str | None:
        """The key of the highlighted row, None where there are no rows."""
        return self._rows[self._cursor].key if self._rows else None

    @cursor_key.setter
    def cursor_key(self, key: str) -> None:
        """Highlight the row of this key, where it is there."""
        if (place := self._place(key)) is not None:
            self._go(place)

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of the marked rows, in the order of marking."""
        return tuple(self._marks)

    def set_marked(self, keys: Iterable[str]) -> None:
        """Mark exactly these rows; posts no message."""
        self._marks = {key: None for key in keys if self._place(key) is not None}
        self.redraw()

    # Drawing

    def forget(self) -> None:
        """Drop the strips that carry old styles."""
        super().forget()
        self._cache, self._head = {}, None

    def layout_columns(self, width: int) -> list[tuple[int, int]]:
        """Return (column index, cells) of the columns that fit into `width`, left to right."""
        room = width - LEAD
        kept = list(range(len(self.columns)))
        while len(kept) > 1 and sum(self.columns[i].width + GAP for i in kept) > room:
            kept.remove(min(kept, key=lambda i: (self.columns[i].priority, -i)))
        spare = max(0, room - sum(self.columns[i].width + GAP for i in kept))
        flex = sum(self.columns[i].flex for i in kept)
        widths = []
        for i in kept:
            share = spare * self.columns[i].flex // flex if flex else 0
            spare, flex = spare - share, flex - self.columns[i].flex
            widths.append((i, min(self.columns[i].width + share, max(0, room - GAP))))
        return widths

    @property
    def _body(self) -> int:
        return max(0, self.size.height - 1)

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw the header and the visible rows."""
        blank, body = self.style_for(), height - 1
        self._scroll_to_cursor()
        scrolls = len(self._rows) > body > 0
        layout = tuple(self.layout_columns(width - scrolls))
        if self._head is None or self._head[0] != (layout, self.sort, width):
            strip = strip_of([*self._header(layout)], width, self.style_for("grid--header"))
            self._head = ((layout, self.sort, width), strip)
        strips = [self._head[1]]
        if not self._rows and body > 0:
            text = strip_of(
                [Segment(fit(self.empty.center(width), width), self.style_for("grid--empty"))], width, blank
            )
            return [*strips, *[Strip.blank(width, blank)] * ((body - 1) // 2), text]
        visible = self._rows[self._top : self._top + body]
        cache: dict[str, tuple[Hashable, Strip]] = {}
        marking = bool(self._marks)
        for i, row in enumerate(visible, self._top):
            state = (row.rev, i == self._cursor, row.key in self._marks, marking, layout, width)
            known = self._cache.get(row.key)
            if known is None or known[0] != state:
                known = (state, self._row(row, layout, width - scrolls, i == self._cursor))
            cache[row.key] = known
            strips.append(known[1])
        self._cache = cache
        return self._with_scrollbar(strips, width, body) if scrolls else strips

    def _header(self, layout: Sequence[tuple[int, int]]) -> Iterable[Segment]:
        style = self.style_for("grid--header")
        yield Segment(" " * LEAD, style)
        for i, cells in layout:
            column = self.columns[i]
            title = column.title
            if self.sort is not None and self.sort[0] == column.key:
                arrow = "↓" if self.sort[1] else "↑"
                title = title[: max(0, cells - 1)] + arrow
            yield Segment(fit(title, cells, column.align) + " " * GAP, style)

    def _row(self, row: Row, layout: Sequence[tuple[int, int]], width: int, cursor: bool) -> Strip:
        shade = self.style_for("grid--cursor") if cursor else None
        base = self.style_for()
        glyph = "›" if cursor else " "
        box = ("☑" if row.key in self._marks else "☐") if self._marks else " "
        parts = [(f"{glyph}{box} ", base)]
        for i, cells in layout:
            cell = row.cells[i] if i < len(row.cells) else ""
            text, tone = (cell, "") if isinstance(cell, str) else (cell.text, cell.tone)
            style = self.style_for(f"grid--{tone}") if tone else base
            parts += [(fit(text, cells, self.columns[i].align, self.columns[i].cut), style), (" " * GAP, base)]
        if shade is None:
            return strip_of((Segment(text, style) for text, style in parts), width, base)
        # Over the cursor's bar only the background changes, so that a state keeps its colour.
        bar = shade.background_style
        return strip_of((Segment(text, style + bar) for text, style in parts), width, base + bar)

    def _with_scrollbar(self, strips: list[Strip], width: int, body: int) -> list[Strip]:
        style, total = self.style_for("grid--scroll"), len(self._rows)
        thumb = max(1, body * body // total)
        start = round(self._top / (total - body) * (body - thumb))
        out = [strips[0]]
        for y, strip in enumerate(strips[1:]):
            glyph = "┃" if start <= y < start + thumb else "│"
            out.append(Strip([*strip, Segment(glyph, style)], width))
        return out

    # Keys and mouse

    def _scroll_to_cursor(self) -> None:
        body = self._body
        self._top = max(0, min(self._top, len(self._rows) - body))
        if body:
            self._top = min(max(self._top, self._cursor - body + 1), self._cursor)

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self._rows) - 1))
        if place != self._cursor and self._rows:
            self._cursor = place
            self.redraw()
            self.post_message(self.Highlighted(self, self.cursor_key))

    def action_move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many screens."""
        self._go(self._cursor + pages * max(1, self._body - 1))

    def action_end(self, side: int) -> None:
        """Go to the first (-1) or last (1) row."""
        self._go(0 if side < 0 else len(self._rows) - 1)

    def action_select(self) -> None:
        """Open the highlighted row."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Selected(self, key))

    def action_mark(self) -> None:
        """Mark or unmark the highlighted row and go on to the next."""
        if (key := self.cursor_key) is None:
            return
        if key in self._marks:
            del self._marks[key]
        else:
            self._marks[key] = None
        self.post_message(self.Marked(self, self.marked))
        self.redraw()
        self._go(self._cursor + 1)

    def on_click(self, event: events.Click) -> None:
        """Highlight the row under the mouse, or open it where it is highlighted; on a title, tell which."""
        if event.y == 0:
            x = LEAD
            for i, cells in self.layout_columns(self.size.width):
                if x <= event.x < x + cells:
                    self.post_message(self.HeaderClicked(self, self.columns[i].key))
                x += cells + GAP
            return
        place = self._top + event.y - 1
        if place >= len(self._rows):
            return
        if place == self._cursor:
            self.action_select()
        else:
            self._go(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down a few rows."""
        event.stop()
        self.action_move(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up a few rows."""
        event.stop()
        self.action_move(-WHEEL)
