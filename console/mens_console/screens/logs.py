"""Screen 0: every log stream of the box, or several by time, read from the end, with search and filters.

Lines come from `ingest`, what is chosen from `logstreams`; this screen opens it and passes keys on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from mens_console.screens.empty import no_logs
from mens_console.screens.logsreading import ReadingRoom
from mens_console.screens.logstreams import COLUMNS, alone, next_choice, row, streams
from mens_console.screens.logwords import LEVEL_SETS
from mens_console.screens.sheet import Sheet
from mens_widgets.grid import Grid
from mens_widgets.logview import LogView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.screens.logstreams import Stream
    from mens_console.store.snapshot import Snapshot


class LogsScreen(ReadingRoom):
    """The list of streams and the one that is read."""

    MODE = "logs"
    AUTO_FOCUS = "LogView"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (110, "-wide"),
        (160, "-widest"),
    ]
    CSS = """
    LogsScreen #desk { height: 1fr; layout: vertical; }
    LogsScreen #streams { height: 5; border-bottom: solid $border; }
    LogsScreen.-wide #desk, LogsScreen.-widest #desk { layout: horizontal; }
    LogsScreen.-wide #streams, LogsScreen.-widest #streams {
        width: 44; height: 1fr; border-bottom: none; border-right: solid $border;
    }
    LogsScreen.-widest #streams { width: 64; }
    LogsScreen LogView { width: 1fr; height: 1fr; }
    LogsScreen.-wide LogView, LogsScreen.-widest LogView { padding-left: 1; }
    LogsScreen #status { height: 1; }
    LogsScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; }
    LogsScreen.-asking Input { display: block; }
    LogsScreen #none { display: none; margin: 0 2; }
    LogsScreen.-empty #none { display: block; }
    LogsScreen.-empty #desk { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "ask('search')", "Search", key_display="/", id="logs.search"),
        Binding("ampersand", "ask('filter')", "Filter", key_display="&", id="logs.filter"),
        Binding("m", "merge", "Merge", id="logs.merge"),
        Binding("L", "level", "Level", id="logs.level"),
        Binding("F", "follow", "Follow or stay", show=False, id="logs.follow"),
        Binding("tab", "other", "Streams", id="logs.other", priority=True),
        Binding("right_square_bracket", "stream(1)", "Next stream", show=False, key_display="]", id="logs.next"),
        Binding(
            "left_square_bracket", "stream(-1)", "Previous stream", show=False, key_display="[", id="logs.previous"
        ),
        Binding("escape", "back", "Back", show=False, id="logs.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._asking = ""

    def body(self) -> ComposeResult:
        """Lay out streams and lines."""
        yield Sheet(id="none")
        with Container(id="desk"):
            yield Grid(COLUMNS, empty="no log stream", id="streams")
            yield LogView()
        yield Sheet(id="status")
        yield Input(id="question")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return the streams' ages."""
        return [stream.updated for stream in streams(snapshot)]

    # Streams

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the streams; open the one that was asked for, or the newest."""
        found = streams(snapshot)
        self.set_class(not found and self._opened is None, "-empty")
        if not found:
            self.query_one("#none", Sheet).write(lambda width: no_logs(snapshot, width))
        grid = self.query_one(Grid)
        grid.set_rows([row(stream, now) for stream in found])
        app = self.console_app
        asked = next((stream for stream in found if stream.path == app.chosen_log), None)
        if asked is not None:
            grid.cursor_key = asked.key
            self._choose(alone(asked), app.chosen_moment)
            app.chosen_log = app.chosen_moment = None
        elif self._choice is None and found:
            newest = max(found, key=lambda stream: stream.updated)
            grid.cursor_key = newest.key
            self._choose(alone(newest))

    @on(Grid.Highlighted)
    def _look(self, event: Grid.Highlighted) -> None:
        if event.key is not None and self.query_one(Grid).has_focus:
            self._choose_key(event.key)

    @on(Grid.Selected)
    def _read(self, event: Grid.Selected) -> None:
        self._choose_key(event.key)
        self.query_one(LogView).focus()

    def _stream(self, key: str | None) -> Stream | None:
        return next((stream for stream in streams(self.console_app.snapshot) if stream.key == key), None)

    def _choose_key(self, key: str) -> None:
        if (stream := self._stream(key)) is not None:
            self._choose(alone(stream))

    def action_merge(self) -> None:
        """Read several streams by time: those marked, or those of the run; then all of the box; then one again.

        Who follows goes on following; who looks at a line stays at its time.
        """
        grid = self.query_one(Grid)
        here = self._stream(grid.cursor_key)
        if here is None:
            return
        choice = next_choice(self._choice, streams(self.console_app.snapshot), here, grid.marked)
        if choice is None:
            self.notify("There is one stream only", markup=False)
        else:
            place, opened = self.query_one(LogView).place, self._opened
            self._choose(choice, None if place is None or opened is None else opened.time_at(place))

    # Search and filters

    def action_ask(self, what: str) -> None:
        """Type what to search for, or an expression to filter by."""
        self._asking = what
        box = self.query_one(Input)
        box.placeholder = (
            "search for this text (n, N go on)" if what == "search" else "show lines that match this expression"
        )
        box.value = self.query_one(LogView).wanted if what == "search" else self._pattern
        self.add_class("-asking")
        box.focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        view = self.query_one(LogView)
        if self._asking == "filter":
            try:
                re.compile(event.value)
            except re.error as error:
                self.notify(f"Not a regular expression: {error}", severity="warning", markup=False)
                return
            self._pattern = event.value
            self._sieve()
        else:
            view.search(event.value)
        self.remove_class("-asking")
        view.focus()

    def action_level(self) -> None:
        """Show only the next more severe lines, or all again."""
        self._level = (self._level + 1) % len(LEVEL_SETS)
        self._sieve()

    def action_follow(self) -> None:
        """Go to the end and stay there, or stay where it is."""
        view = self.query_one(LogView)
        if view.following:
            view.action_scroll(-1)
        else:
            view.action_end(1)

    def action_other(self) -> None:
        """Change between streams and lines."""
        grid, view = self.query_one(Grid), self.query_one(LogView)
        (grid if view.has_focus else view).focus()

    def action_stream(self, streams_on: int) -> None:
        """Read the next stream."""
        grid = self.query_one(Grid)
        grid.action_move(streams_on)
        if grid.cursor_key is not None:
            self._choose_key(grid.cursor_key)

    def action_back(self) -> None:
        """Leave the question, the search, the filters, the marks, the merge, then the screen."""
        view = self.query_one(LogView)
        if self.has_class("-asking"):
            self.remove_class("-asking")
            view.focus()
        elif view.wanted:
            view.search("")
        elif self._pattern or self._level:
            self._pattern, self._level = "", 0
            self._sieve()
        elif (grid := self.query_one(Grid)).marked:
            grid.set_marked(())
        elif self._choice is not None and self._choice.merged and (here := self._stream(grid.cursor_key)) is not None:
            self._choose(alone(here))
        else:
            self.console_app.leave()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        return {
            "Log: search": ("key /", lambda: self.action_ask("search")),
            "Log: filter by expression": ("key &", lambda: self.action_ask("filter")),
            "Log: next level": ("key L", self.action_level),
            "Log: follow": ("key F", self.action_follow),
            "Log: merge streams by time": ("key m", self.action_merge),
        }
