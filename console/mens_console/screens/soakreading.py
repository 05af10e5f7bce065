"""Where in a soak an operator reads: the minute under the cursor, the zoom, and the incident that is chosen.

The keys for that, on a screen that holds a `SoakFace`; what is said of the place is the screen's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import VerticalScroll

from mens_console.screens.room import Room
from mens_console.screens.soakdesk import Desk
from mens_console.screens.soakface import SoakFace

if TYPE_CHECKING:
    from mens_console.screens.soakbins import Lens, Window
    from mens_console.soak.types import Analysis


class Reading(Room):
    """A screen on which a soak is read through time. `look` is called whenever another place is read."""

    def __init__(self) -> None:
        super().__init__()
        self._desk = Desk()
        self._incident = -1
        """The incident that is chosen; -1 for none."""
        self._armed = False
        """Whether j or k chose an incident to which the cursor did not go yet."""

    def look(self, report: Analysis) -> None:
        """Tell what is read now."""
        raise NotImplementedError

    # ------------------------------------------------------------------ the minute that is read

    def _report(self) -> Analysis | None:
        view = self._desk.view(self.console_app.snapshot.soaks)
        return view.report if view is not None else None

    def _window(self) -> Window | None:
        return self.query_one(SoakFace).window

    def _span(self) -> tuple[int, int] | None:
        report = self._report()
        return self._desk.stack(report).span if report is not None else None

    def _wanted(self) -> range:
        """Return the minutes of the column under the cursor."""
        window, span = self._window(), self._span()
        if window is None or span is None:
            return range(0)
        column = window.column(self._lens.read(*span))
        return window.minutes(column) if column is not None else range(0)

    @property
    def _lens(self) -> Lens:
        return self.query_one(SoakFace).lens

    def _stay(self) -> None:
        """Go on showing this soak, though another may begin: somebody reads it."""
        view = self._desk.view(self.console_app.snapshot.soaks)
        if view is not None:
            self._desk.chosen = view.id

    def _moved(self) -> None:
        self._armed = False
        self._stay()
        self.query_one(SoakFace).redraw()
        report = self._report()
        if report is not None:
            self.look(report)

    def action_minute(self, columns: int) -> None:
        """Read so many columns to the side."""
        window, span = self._window(), self._span()
        if window is not None and span is not None:
            self._lens.move(columns * window.per, *span)
            self._moved()

    def action_page(self, pages: int) -> None:
        """Read half a screen to the side."""
        window = self._window()
        if window is not None:
            self.action_minute(pages * max(window.columns // 2, 1))

    def action_end(self, side: int) -> None:
        """Read the first minute, or follow the newest."""
        span = self._span()
        if span is not None:
            self._lens.cursor = span[0] if side < 0 else None
            self._lens.left = None
            self._moved()

    def action_zoom(self, steps: int) -> None:
        """Put fewer or more minutes into a column, around the one that is read."""
        span = self._span()
        if span is not None:
            self._stay()
            self._lens.zoomed(steps, *span, self.query_one(SoakFace).cells)
            self.console_app.paint()

    def action_reset(self) -> None:
        """Show all of the soak, and follow the newest minute."""
        lens = self._lens
        lens.zoom = lens.left = lens.cursor = None
        self.console_app.paint()

    @on(SoakFace.Clicked)
    def _read_there(self, event: SoakFace.Clicked) -> None:
        span = self._span()
        if span is not None:
            self._lens.cursor = max(span[0], min(event.minute, span[1]))
            self._moved()

    # ------------------------------------------------------------------ incidents

    def _choose(self, by: int) -> None:
        """Choose another incident in the list, and keep it in sight; the cursor stays."""
        report = self._report()
        if report is None or not report.incidents:
            return
        last = len(report.incidents) - 1
        if self._incident < 0:
            self._incident = 0 if by > 0 else last
        else:
            self._incident = max(0, min(self._incident + by, last))
        self._armed = True
        self._stay()
        pane = self.query_one("#pane", VerticalScroll)
        if not pane.scroll_y <= self._incident < pane.scroll_y + pane.size.height:
            pane.scroll_to(y=max(self._incident - pane.size.height // 2, 0), animate=False)
        self.look(report)

    def action_incident(self, by: int) -> None:
        """Read the minute in which the next incident began, seen from what is read; after the last comes the first."""
        report, wanted = self._report(), self._wanted()
        if report is None or not report.incidents:
            self.notify("No incident was recorded", markup=False)
            return
        begins = [int(one.opened // 60) for one in report.incidents]
        if 0 <= self._incident < len(begins) and begins[self._incident] in wanted:
            place = self._incident + by
        elif by > 0:
            place = sum(begin < wanted.start for begin in begins)
        else:
            place = sum(begin < wanted.stop for begin in begins) - 1
        self._jump(report, place % len(begins))

    def _jump(self, report: Analysis, place: int) -> None:
        self._incident = place
        span = self._span()
        if span is not None:
            self._lens.cursor = max(span[0], min(int(report.incidents[place].opened // 60), span[1]))
        self._choose(0)
        self._moved()

    def _arrive(self) -> bool:
        """Go to the incident that was chosen and not gone to; False where there is none."""
        report = self._report()
        if report is None or not self._armed or not 0 <= self._incident < len(report.incidents):
            return False
        self._jump(report, self._incident)
        return True
