"""The charts of one run side by side: as many as fit, the rest on further pages, with one cursor and one view.

It places charts and keeps them in step; what they draw comes from `curves`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.containers import Container

from mens_console.ingest.text import safe_text
from mens_console.screens.curves import marks_of, panels_of, traces_of
from mens_widgets.chart import Chart

if TYPE_CHECKING:
    from datetime import tzinfo

    from textual import events

    from mens_console.screens.curves import Panel
    from mens_console.store.snapshot import RunView

COLUMN: Final = 46
"""Cells a chart should have, gutter and all."""
ROWS: Final = 9
"""Lines a chart should have, title and axis and all."""
ON_TOP: Final = "▴ "
"""What stands before the title of a chart that is kept on top."""
SMOOTHING: Final = 0.6
"""How smooth curves are at first; schedules and evaluations are shown as they are."""


class Charts(Container):
    """A page of charts. Charts are made when their page is first seen, and kept by panel from run to run."""

    DEFAULT_CSS = """
    Charts { layout: grid; grid-gutter: 0 2; height: 1fr; }
    Charts Chart { display: none; height: 1fr; }
    Charts Chart.-shown { display: block; }
    """
    can_focus: ClassVar[bool] = False  # type: ignore[misc]

    def __init__(self, *, zone: tzinfo | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self.maximised = False
        self._zone = zone
        self._on_top: tuple[str, ...] = ()
        self._run: RunView | None = None
        self._wanted: tuple[str, ...] = ()
        self._panels: list[Panel] = []
        self._charts: dict[str, Chart] = {}
        self._exact: set[Chart] = set()
        self._smoothing = SMOOTHING
        self._current = 0
        self._drawn: dict[str, tuple[str, int]] = {}
        self._placed: tuple[object, ...] = ()

    # What is shown

    @property
    def layout_of(self) -> tuple[int, int]:
        """Columns and rows of charts on a page."""
        if self.maximised or not self._panels:
            return 1, 1
        width, height = self.size
        columns = max(1, min(3, width // COLUMN))
        rows = max(1, height // ROWS)
        # No more places than charts: two on a tall screen share it, and four stand two by two, not three and one.
        rows = min(rows, -(-len(self._panels) // columns))
        return min(columns, -(-len(self._panels) // rows)), rows

    @property
    def pages(self) -> tuple[int, int]:
        """Which page is shown, from 0, and how many there are."""
        columns, rows = self.layout_of
        size = columns * rows
        return self._current // size, max(1, -(-len(self._panels) // size))

    @property
    def current(self) -> Panel | None:
        """The panel that has the keys."""
        return self._panels[self._current] if self._panels else None

    @property
    def current_chart(self) -> Chart | None:
        """The chart that has the keys."""
        return self._charts.get(self.current.key) if self.current else None

    def show(self, run: RunView, on_top: tuple[str, ...] | None = None) -> None:
        """Show a run, the charts named `on_top` first; only charts on the page that changed are drawn."""
        if on_top is not None and on_top != self._on_top:
            self._on_top = on_top
            self._drawn.clear()
        other = self._run is None or self._run.id != run.id
        if other:
            self._drawn.clear()
            for chart in self._charts.values():
                chart.set_cursor(None)
                chart.set_window(None)
        key = self.current.key if self.current else None
        self._run, self._panels = run, [panel for panel in self._ordered(run) if self._matches(panel)]
        places = [i for i, panel in enumerate(self._panels) if panel.key == key]
        self._current = places[0] if places else 0
        self._place()
        self._draw()

    def filter(self, text: str) -> None:
        """Show only charts whose title or series hold every word of `text`; all of them where it is empty."""
        self._wanted = tuple(text.casefold().split())
        if self._run is not None:
            self.show(self._run)

    @property
    def filtered(self) -> tuple[int, int] | None:
        """How many charts pass the filter, and how many there are; None without a filter."""
        if not self._wanted or self._run is None:
            return None
        return len(self._panels), len(panels_of(self._run))

    def _ordered(self, run: RunView) -> list[Panel]:
        places = {key: i for i, key in enumerate(self._on_top)}
        return sorted(panels_of(run), key=lambda panel: places.get(panel.key, len(places)))

    def _matches(self, panel: Panel) -> bool:
        names = " ".join((panel.title, *panel.metrics)).casefold()
        return all(word in names for word in self._wanted)

    def _page(self) -> list[Panel]:
        columns, rows = self.layout_of
        first = self.pages[0] * columns * rows
        return self._panels[first : first + columns * rows]

    def _place(self) -> None:
        """Put the charts of this page on screen, making those that are missing."""
        page, shape = self._page(), self.layout_of
        placed = (shape, tuple(panel.key for panel in page))
        if placed == self._placed:
            return
        self._placed = placed
        self.styles.grid_size_columns, self.styles.grid_size_rows = shape
        missing = []
        for panel in page:
            if panel.key not in self._charts:
                chart = Chart(unit=panel.unit, zone=self._zone)
                self._join(chart, exact=panel.exact)
                self._charts[panel.key] = chart
                missing.append(chart)
        if missing:
            self.mount_all(missing)
        order = {id(self._charts[panel.key]): i for i, panel in enumerate(page)}
        self.sort_children(key=lambda child: order.get(id(child), len(order)))
        for chart in self._charts.values():
            chart.set_class(id(chart) in order, "-shown")
        focused = self.screen.focused
        if isinstance(focused, Chart) or focused is None:
            self.call_after_refresh(self.focus_current)

    def _join(self, chart: Chart, *, exact: bool) -> None:
        """Give a new chart the axis, view and cursor of those that are there."""
        chart.smoothing = 0.0 if exact else self._smoothing
        if exact:
            self._exact.add(chart)
        model = next(iter(self._charts.values()), None)
        if model is not None:
            chart.axis, chart.cursor = model.axis, model.cursor
            chart.viewport.window = model.viewport.window

    def _draw(self) -> None:
        run = self._run
        if run is None:
            return
        rev = (run.id, run.rev)
        marks = None
        for panel in self._page():
            chart = self._charts[panel.key]
            if self._drawn.get(panel.key) != rev:
                marks = marks_of(run) if marks is None else marks
                chart.title = (ON_TOP if panel.key in self._on_top else "") + safe_text(panel.title, 60)
                chart.show(traces_of(run, panel), marks)
                self._drawn[panel.key] = rev

    def on_resize(self, _event: events.Resize) -> None:
        """Fit other numbers of charts."""
        self._place()
        self._draw()

    # The keys

    def focus_current(self) -> None:
        """Give the keys to the current chart."""
        panel = self.current
        if panel is not None and (chart := self._charts.get(panel.key)) is not None and chart.is_attached:
            chart.focus(scroll_visible=False)

    def move(self, charts: int) -> None:
        """Go on by so many charts, to another page where need be, round at the ends."""
        if self._panels:
            self._current = (self._current + charts) % len(self._panels)
            self._place()
            self._draw()
            self.focus_current()

    def turn(self, pages: int) -> None:
        """Go on by so many pages."""
        columns, rows = self.layout_of
        page, count = self.pages
        self._current = min((page + pages) % count * columns * rows, max(0, len(self._panels) - 1))
        self.move(0)

    def maximise(self, *, on: bool | None = None) -> None:
        """Show the current chart alone, or all of them again."""
        self.maximised = not self.maximised if on is None else on
        self._place()
        self._draw()
        self.focus_current()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which chart has the keys."""
        for i, panel in enumerate(self._panels):
            if self._charts.get(panel.key) is event.widget:
                self._current = i

    @on(Chart.CursorMoved)
    def _cursor_moved(self, event: Chart.CursorMoved) -> None:
        for chart in self._charts.values():
            if chart is not event.chart:
                chart.set_cursor(event.x)

    @on(Chart.ViewChanged)
    def _view_changed(self, event: Chart.ViewChanged) -> None:
        """Move all charts together; the value axis of each stays its own."""
        if event.chart not in self._exact:
            self._smoothing = event.smoothing
        for chart in self._charts.values():
            if chart is event.chart:
                continue
            if chart.axis != event.axis:
                chart.axis, chart.cursor = event.axis, event.chart.cursor
                self._drawn.clear()
            if event.chart not in self._exact and chart not in self._exact:
                chart.smoothing = event.smoothing
            chart.set_window(event.window)
        self._draw()
