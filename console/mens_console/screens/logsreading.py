"""What screen 0 reads: a choice of streams opened off the screen's thread, filtered, followed, and gone to a moment in.

It fills a `LogView` and the line `#status`; which streams there are, and keys, are the screen's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import on
from textual.message import Message

from mens_console.ingest.safeopen import explain
from mens_console.ingest.text import safe_text
from mens_console.screens.logstreams import Opened
from mens_console.screens.logwords import LEVEL_SETS, status, wish
from mens_console.screens.room import Room
from mens_console.screens.sheet import Sheet
from mens_console.screens.words import moment_text
from mens_widgets.logview import LogView

if TYPE_CHECKING:
    from mens_console.screens.logstreams import Choice


class Grown(Message):
    """A log, or what a filter found of it, has something new."""

    def can_replace(self, message: Message) -> bool:
        """Once is enough."""
        return isinstance(message, Grown)


class ReadingRoom(Room):
    """A screen that reads log streams."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: Opened | None = None
        self._choice: Choice | None = None
        self._moment: float | None = None
        self._pattern, self._level = "", 0

    def _choose(self, choice: Choice, moment: float | None = None) -> None:
        """Read something else, from its end or from a moment (seconds since the epoch)."""
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

    def _tell(self) -> None:
        following = self.query_one(LogView).following
        text = status(
            self._choice, self._opened, wish(self._pattern, self._level), self.size.width, following=following
        )
        self.query_one("#status", Sheet).write(lambda _: [((f" {text}", "muted"),)])

    @on(LogView.FollowChanged)
    def _follow_changed(self) -> None:
        self._tell()

    @on(LogView.SearchDone)
    def _searched(self, event: LogView.SearchDone) -> None:
        if event.found is None:
            self.notify(f"No further match of {event.wanted}", markup=False)

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


def _close_unseen(opening: asyncio.Future[Opened]) -> None:
    """Close what was opened when something else was wanted already."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
