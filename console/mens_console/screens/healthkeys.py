"""The keys of the Health screen: which log, batch, indicator and page are looked at, and what is filtered.

What they show is the screen's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from textual import on
from textual.containers import VerticalScroll
from textual.widgets import Input

from mens_console.screens.bands import NAMES
from mens_console.screens.healthdesk import BatchDesk, BatchGrid
from mens_console.screens.healthshelf import ORDERS
from mens_console.screens.query import Terms
from mens_console.screens.room import Room
from mens_console.signals.generation import INDICATORS
from mens_widgets.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.signals.generation import Indicator

Page = Literal["table", "detail", "bad", "reasons"]
WIDE: Final = 110
"""Columns from which on the make-up of a batch stands beside the table."""


class KeyedRoom(Room):
    """What the Health screen is told by keys; how it looks is its own."""

    def __init__(self) -> None:
        super().__init__()
        self._page: Page = "table"
        self._view: str | None = None
        self._indicator: Indicator = INDICATORS[0]
        self._order = 0
        self._query = Terms("")
        self._desk = BatchDesk()

    @on(Grid.Highlighted)
    def _moved(self) -> None:
        self._desk.moved(self.query_one(BatchGrid).cursor_key)
        self.console_app.paint()

    @on(Grid.Selected)
    def _open(self) -> None:
        self.action_page("detail")

    def action_move(self, rows: int) -> None:
        """Go to another batch, or scroll a page of text."""
        if self._page in ("bad", "reasons"):
            self.query_one("#sheets", VerticalScroll).scroll_relative(y=rows, animate=False)
        else:
            self.query_one(BatchGrid).action_move(rows)

    def action_end(self, side: int) -> None:
        """Go to the first or last batch, or an end of a page of text."""
        if self._page in ("bad", "reasons"):
            sheets = self.query_one("#sheets", VerticalScroll)
            sheets.scroll_to(y=0 if side < 0 else sheets.max_scroll_y, animate=False)
        else:
            self.query_one(BatchGrid).action_end(side)

    def action_read(self, pages: int) -> None:
        """Scroll what stands beside the table, or the page, by half of it."""
        part = self.query_one("#aside" if self._page == "table" else "#sheets", VerticalScroll)
        part.scroll_relative(y=pages * max(1, part.size.height // 2), animate=False)

    def action_indicator(self, by: int) -> None:
        """Look at the next indicator."""
        self._indicator = INDICATORS[(INDICATORS.index(self._indicator) + by) % len(INDICATORS)]
        self.console_app.paint()

    def action_order(self) -> None:
        """Take the next order of batches and go to its first."""
        self._order = (self._order + 1) % len(ORDERS)
        self._desk.following = True
        self.console_app.paint()

    def action_page(self, page: Page) -> None:
        """Show a page in place of the table, or the table again."""
        self._go("table" if page == self._page else page)
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)  # what was hidden has no size before it is laid out

    def _go(self, page: Page) -> None:
        if page == self._page:
            return
        self._page = page
        self.set_class(page != "table", "-sheet")
        self.set_class(page == "detail", "-detail")
        self.query_one("#sheets", VerticalScroll).scroll_home(animate=False)
        self._hold_focus()
        self.refresh_bindings()

    def _hold_focus(self) -> None:
        """Give the keys to the table where it is shown, else to the screen."""
        self.call_after_refresh(self.set_focus, self.query_one(BatchGrid) if self._page == "table" else None)

    def action_makeup(self) -> None:
        """Show what the batch is made of in place of its indicators, where there is no room for both."""
        self.toggle_class("-makeup")
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only keys that do something with what is shown."""
        if action == "makeup":
            return self._page == "table" and self.size.width < WIDE
        if action == "order":
            return self._page == "table"
        return True

    def action_log(self, logs: int) -> None:
        """Look at the next log."""
        ids = [view.id for view in self.console_app.snapshot.health]
        if len(ids) < 2:
            self.notify("There is one attempt log on this box" if ids else "There is no attempt log", markup=False)
            return
        place = ids.index(self._desk.view) if self._desk.view in ids else -1
        self._view = ids[(place + logs) % len(ids)]
        self._desk.following = True
        self.console_app.paint()

    def action_filter(self) -> None:
        """Type which runs to show."""
        self._go("table")
        self.add_class("-filtering")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._query = Terms(event.value)
        self._desk.following = True
        self.console_app.paint()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self.remove_class("-filtering")
        self._hold_focus()

    def action_back(self) -> None:
        """Leave the filter, the page, the make-up, then drop the filter, then go back to the fleet."""
        if self.has_class("-filtering"):
            self.remove_class("-filtering")
            self.query_one(Input).value = ""
            self._hold_focus()
        elif self._page != "table":
            self.action_page("table")
        elif self.has_class("-makeup"):
            self.action_makeup()
        elif self._query:
            self.query_one(Input).value = ""
        else:
            self.console_app.leave()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        looks = {f"Health: {NAMES[one]}": ("detail of the indicator", partial(self._look, one)) for one in INDICATORS}
        return {
            "Health: next order": ("key o", self.action_order),
            "Health: bad rows and files": ("key b", lambda: self.action_page("bad")),
            "Health: all reasons": ("key d", lambda: self.action_page("reasons")),
            "Health: next log": ("key ]", lambda: self.action_log(1)),
            **looks,
        }

    def _look(self, indicator: Indicator) -> None:
        self._indicator = indicator
        self._go("table")
        self.action_page("detail")
