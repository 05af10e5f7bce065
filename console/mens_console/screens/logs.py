"""Screen 0: every log stream of the box, or several by time, read from the end, with search and filters.

Lines come from `ingest`, what is chosen from `logstreams`; this screen opens it and passes keys on.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from mens_console.ingest.safeopen import explain
from mens_console.ingest.text import safe_text
from mens_console.screens.empty import no_logs
from mens_console.screens.logstreams import COLUMNS, Opened, alone, next_choice, row, streams
from mens_console.screens.room import Room
from mens_console.screens.sheet import Sheet
from mens_console.screens.words import moment_text
from mens_console.signals.human import step
from mens_widgets.grid import Grid
from mens_widgets.logview import LogView
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.screens.logstreams import Choice, Stream
    from mens_console.store.snapshot import Snapshot

BESIDE: Final = 44
"""Columns of the status line for what is said of a stream, beside its name."""
LEVEL_SETS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("all levels", ()),
    ("warnings and worse", ("critical", "error", "warning")),
    ("errors and worse", ("critical", "error")),
)


class Grown(Message):
    """A log, or what a filter found of it, has something new."""

    def can_replace(self, message: Message) -> bool:
        """Once is enough."""
        return isinstance(message, Grown)


class LogsScreen(Room):
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
        self._opened: Opened | None = None
        self._choice: Choice | None = None
        self._moment: float | None = None
        self._pattern, self._level = "", 0
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

    def _choose(self, choice: Choice, moment: float | None = None) -> None:
        """Read something else, from its end or from a moment."""
        now = self._choice
        same = now is not None and (choice.kind, choice.paths) == (now.kind, now.paths)
        self._moment = moment
        if not same:
            self._choice = choice
            self.run_worker(self._open(choice), group="open", exclusive=True, exit_on_error=False)
        elif self._opened is not None:
            self._seek()

    async def _open(self, choice: Choice) -> None:
        """Open streams off the screen's thread: files may be long, their disk slow."""
        self._close()
        view = self.query_one(LogView)
        opening = asyncio.ensure_future(asyncio.to_thread(Opened, choice, self._grown))
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unseen)
            raise
        except OSError as error:
            view.empty = safe_text(f"{choice.paths[0].name}: {explain(error)}")
            view.set_source(None)
            self._tell()
            return
        self._opened = opened
        self._sieve()
        self._seek()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def on_unmount(self) -> None:
        """Give files and children back."""
        self._close()

    def _grown(self) -> None:
        """Say that there is something new; called on the threads of the log."""
        self.post_message(Grown())

    @on(Grown)
    def _show_growth(self) -> None:
        opened = self._opened
        if opened is None or not self.is_current:
            return
        if opened.filter is not None and opened.filter.stale:
            self._sieve()
        if opened.filter is not None:
            opened.filter.more()
        self._seek()
        self.query_one(LogView).update_lines()
        self._tell()

    def _seek(self) -> None:
        """Go to the moment that was asked for, once lines are counted."""
        opened, moment = self._opened, self._moment
        if opened is None or moment is None or opened.filter is not None or opened.log.line_count is None:
            return
        self._moment = None
        place = opened.place_of(moment)
        if place is None:
            self.notify("These lines tell no time: the end is shown", markup=False)
            return
        self.query_one(LogView).goto(min(place, max(0, opened.log.line_count - 1)))
        app = self.console_app
        self.notify(f"From {moment_text(moment, app.now(), app.zone)} on", markup=False)

    def on_screen_resume(self) -> None:
        """Catch up."""
        super().on_screen_resume()
        self._show_growth()

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

    # What is said of the stream

    def _tell(self) -> None:
        opened = self._opened
        notes = [shorten(safe_text(self._title(), 200), max(16, self.size.width - BESIDE))]
        if opened is not None:
            notes.append(opened.count())
            if (found := opened.filter) is not None:
                notes.append(f"{step(found.found)} match " + self._wish())
                notes += [found.problem] if found.problem else []
                notes += [f"looked at {found.progress:.0%}"] if found.progress < 1 and not found.problem else []
        notes.append("following" if self.query_one(LogView).following else "not following (G)")
        notes += opened.notes() if opened is not None else []
        self.query_one("#status", Sheet).write(lambda _: [((" " + " · ".join(filter(None, notes)), "muted"),)])

    def _title(self) -> str:
        """Return what is read."""
        if self._choice is None:
            return ""
        return f"{self._choice.words} by time" if self._choice.merged else self._choice.words

    def _wish(self) -> str:
        pattern = f"/{self._pattern}/" if self._pattern else ""
        level = LEVEL_SETS[self._level][0] if self._level else ""
        return " and ".join(filter(None, (pattern, level)))

    @on(LogView.FollowChanged)
    def _follow_changed(self) -> None:
        self._tell()

    @on(LogView.SearchDone)
    def _searched(self, event: LogView.SearchDone) -> None:
        if event.found is None:
            self.notify(f"No further match of {event.wanted}", markup=False)

    # Search and filters

    def _sieve(self) -> None:
        """Show all lines, or those that pass the filter."""
        view, opened = self.query_one(LogView), self._opened
        if opened is not None:
            opened.sieve(self._pattern, LEVEL_SETS[self._level][1])
            several = opened.choice.merged
            nothing = "no line yet that tells a time" if several else "the stream is empty"
            view.empty = "no line matches yet; Esc shows all" if opened.filter else nothing
        view.set_source(opened, tags=opened.tags if opened is not None else 0)
        self._tell()

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


def _close_unseen(opening: asyncio.Future[Opened]) -> None:
    """Close what was opened when something else was wanted already."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
