"""Screen 0: every log stream of the box, read from its end, with search, filter by expression and by level.

Lines come from `ingest.logtail`; this screen chooses the stream and passes keys on.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from mens_console.ingest.logfilter import LogFilter
from mens_console.ingest.logtail import LogTail
from mens_console.ingest.safeopen import explain
from mens_console.ingest.text import safe_text
from mens_console.screens.empty import no_logs
from mens_console.screens.room import Room
from mens_console.screens.sheet import Sheet
from mens_console.screens.words import age
from mens_console.signals.human import size, some, step
from mens_widgets.grid import Cell, Column, Grid, Row
from mens_widgets.logview import LogLine, LogView
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from textual.app import ComposeResult

    from mens_console.store.snapshot import RunView, Snapshot, SourceView

COLUMNS: Final = (
    Column("run", "run", 16, flex=3, priority=9, cut="middle"),
    Column("file", "file", 10, flex=2, priority=10, cut="middle"),
    Column("size", "size", 7, align="right", priority=5),
    Column("age", "age", 4, align="right", priority=7),
)
BESIDE: Final = 44
"""Columns of the status line for what is said of a stream, beside its name."""
FRESH_S: Final = 60.0
"""For how long after its last line a stream counts as one that is being written."""
LEVEL_SETS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("all levels", ()),
    ("warnings and worse", ("critical", "error", "warning")),
    ("errors and worse", ("critical", "error")),
)


class Lines:
    """A log, or a filter of one, as the source of a log view."""

    def __init__(self, log: LogTail | LogFilter) -> None:
        self._log = log

    @property
    def line_count(self) -> int | None:
        """How many lines there are; None while that is not known."""
        return self._log.line_count

    def lines(self, start: int, n: int) -> list[LogLine]:
        """Return up to n lines from `start` on."""
        return [LogLine(line.text, line.level, line.number) for line in self._log.lines(start, n)]


class Grown(Message):
    """A log, or what a filter found of it, has something new."""

    def can_replace(self, message: Message) -> bool:
        """Once is enough."""
        return isinstance(message, Grown)


def streams(snapshot: Snapshot) -> list[tuple[RunView, SourceView]]:
    """Return all log streams, the one written to last first; those of the last minute by their names.

    Streams that are written all the time would change places under the cursor with every line.
    """
    found = [(run, source) for run in snapshot.runs for source in run.sources if source.path in run.logs]

    def place(pair: tuple[RunView, SourceView]) -> tuple[float, str, str]:
        run, source = pair
        fresh = source.updated > snapshot.at - FRESH_S
        return (-math.inf if fresh else -source.updated, run.name.casefold() if fresh else "", str(source.path))

    return sorted(found, key=place)


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
        self._tail: LogTail | None = None
        self._path: Path | None = None
        self._filter: LogFilter | None = None
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
        return [source.updated for _, source in streams(snapshot)]

    # Streams

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the streams; open the one that was asked for, or the newest."""
        found = streams(snapshot)
        self.set_class(not found and self._tail is None, "-empty")
        if not found:
            self.query_one("#none", Sheet).write(lambda width: no_logs(snapshot, width))
        grid = self.query_one(Grid)
        grid.set_rows([_row(run, source, now) for run, source in found])
        app = self.console_app
        if app.chosen_log is not None and any(source.path == app.chosen_log for _, source in found):
            grid.cursor_key = str(app.chosen_log)
            self._choose(app.chosen_log)
            app.chosen_log = None
        elif self._path is None and found:
            newest = max((source for _, source in found), key=lambda source: source.updated).path
            grid.cursor_key = str(newest)
            self._choose(newest)

    def _choose(self, path: Path) -> None:
        if path != self._path:
            self._path = path
            self.run_worker(self._open(path), group="open", exclusive=True, exit_on_error=False)

    async def _open(self, path: Path) -> None:
        """Open a stream off the screen's thread: the file may be long, its disk slow."""
        self._close()
        view = self.query_one(LogView)
        try:
            tail = await asyncio.to_thread(LogTail, path, self._grown)
        except OSError as error:
            view.empty = safe_text(f"{path.name}: {explain(error)}")
            view.set_source(None)
            self._tell()
            return
        self._tail = tail
        view.empty = "the stream is empty"
        self._sieve()

    def _close(self) -> None:
        for thing in (self._filter, self._tail):
            if thing is not None:
                thing.close()
        self._filter = self._tail = None

    def on_unmount(self) -> None:
        """Give files and children back."""
        self._close()

    def _grown(self) -> None:
        """Say that there is something new; called on the threads of the log."""
        self.post_message(Grown())

    @on(Grown)
    def _show_growth(self) -> None:
        if self._tail is None or not self.is_current:
            return
        if self._filter is not None and self._filter.stale:
            self._sieve()
        if self._filter is not None:
            self._filter.more()
        self.query_one(LogView).update_lines()
        self._tell()

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

    def _choose_key(self, key: str) -> None:
        path = next((s.path for _, s in streams(self.console_app.snapshot) if str(s.path) == key), None)
        if path is not None:
            self._choose(path)

    # What is said of the stream

    def _tell(self) -> None:
        tail, found = self._tail, self._filter
        notes = [shorten(safe_text(self._title(), 200), max(16, self.size.width - BESIDE))]
        if tail is not None:
            count = tail.line_count
            notes.append(f"counting lines {tail.progress:.0%}" if count is None else some(count, "line"))
            notes.append(size(tail.size))
            notes += [tail.problem] if tail.problem else []
        if found is not None:
            notes.append(f"{step(found.line_count)} match " + self._wish())
            notes += [found.problem] if found.problem else []
            notes += [f"looked at {found.progress:.0%}"] if found.progress < 1 and not found.problem else []
        view = self.query_one(LogView)
        notes.append("following" if view.following else "not following (G)")
        self.query_one("#status", Sheet).write(lambda _: [((" " + " · ".join(filter(None, notes)), "muted"),)])

    def _title(self) -> str:
        """Return the run and the name of the stream that is read."""
        if self._path is None:
            return ""
        run = next((run.name for run, source in streams(self.console_app.snapshot) if source.path == self._path), "")
        return f"{run} · {self._path.name}" if run and run != self._path.name else self._path.name

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
        if self._filter is not None:
            self._filter.close()
            self._filter = None
        view, levels = self.query_one(LogView), LEVEL_SETS[self._level][1]
        if self._tail is not None and (self._pattern or levels):
            self._filter = LogFilter(self._tail, self._pattern, levels, self._grown)
        view.empty = "no line matches yet; Esc shows all" if self._filter else "the stream is empty"
        source = self._filter or self._tail
        view.set_source(None if source is None else Lines(source))
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
        """Leave the question, the search, the filters, then the screen."""
        view = self.query_one(LogView)
        if self.has_class("-asking"):
            self.remove_class("-asking")
            view.focus()
        elif view.wanted:
            view.search("")
        elif self._pattern or self._level:
            self._pattern, self._level = "", 0
            self._sieve()
        else:
            self.console_app.leave()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        return {
            "Log: search": ("key /", lambda: self.action_ask("search")),
            "Log: filter by expression": ("key &", lambda: self.action_ask("filter")),
            "Log: next level": ("key L", self.action_level),
            "Log: follow": ("key F", self.action_follow),
        }


def _row(run: RunView, source: SourceView, now: float) -> Row:
    seen, amount = age(source.updated, now), size(source.size)
    tone = "critical" if source.problem else ""
    cells = (safe_text(run.name, 200), Cell(safe_text(source.path.name, 80), tone), amount, Cell(seen, "muted"))
    return Row(str(source.path), cells, (source.size, seen, source.problem))
