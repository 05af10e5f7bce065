"""The command palette: every run, screen, theme and view by name.

It only finds commands; what they do is the app's and the screens' business.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider

from mens_console.ingest.text import safe_text
from mens_console.screens.room import ROOMS
from mens_console.screens.steady import Steady
from mens_console.screens.themes import SHORT
from mens_console.screens.words import look
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mens_console.screens.app import ConsoleApp

PALETTE_ROWS = 10
"""Rows that the palette needs."""

Command = tuple[str, str, "Callable[[], object]"]
"""Name, help, what it does."""


class Palette(Steady, CommandPalette):
    """Textual's palette, closed once however often Enter bounces, and only open where there is room for it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    def action_page(self, pages: int) -> None:
        """Go a page up or down; a list of which the lines are not laid out yet knows no page, and raises."""
        found = self.query_one(CommandList)
        turn: Callable[[], None] = found.action_page_down if pages > 0 else found.action_page_up
        with suppress(LookupError):
            turn()

    opened = False
    """Whether it has found what it covers."""

    def on_mount(self) -> None:
        """Note that it is there."""
        self.opened = True

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close, unless it is closed already; one that is not there yet opens first: it asks for what it covers."""
        if self.app.screen is not self:
            return AwaitComplete()
        if not self.opened:
            self.call_later(self._close, result)
            return AwaitComplete()
        return super().dismiss(result)

    def _close(self, result: Any) -> None:
        self.dismiss(result)

    def on_resize(self) -> None:
        """Close where the list would have no line left."""
        if self.size.height < PALETTE_ROWS:
            self.dismiss()


class Commands(Provider):
    """What the palette offers."""

    def _commands(self) -> Iterator[Command]:
        app = cast("ConsoleApp", self.app)
        for key, mode, title in ROOMS:
            yield f"Screen: {title}", f"key {key}", partial(app.action_room, mode)
        if app.compared:
            yield "Screen: Compare", "runs side by side", partial(app.action_room, "compare")
        for run in app.snapshot.runs:
            name = shorten(safe_text(run.name, 200), 60)
            yield f"Run: {name}", look(run.diagnosis.state).word, partial(app.open_run, run.id)
        for short, name in SHORT.items():
            yield f"Theme: {short}", "ours", partial(setattr, app, "theme", name)
        for name in sorted(set(app.available_themes) - set(SHORT.values())):
            yield f"Theme: {name}", "", partial(setattr, app, "theme", name)
        for name, (help_text, action) in app.room.commands().items():
            yield name, help_text, action
        yield "Keys of this screen", "key ?", app.action_help
        yield "Quit", "key q", app.exit

    async def discover(self) -> Hits:
        """Offer everything while nothing is typed."""
        for name, help_text, run in self._commands():
            yield DiscoveryHit(Text(name), run, text=name, help=help_text)

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for name, help_text, run in self._commands():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher_highlight(name, query), run, text=name, help=help_text)


def matcher_highlight(name: str, query: str) -> Text:
    """Return the name with the first literal occurrence of the query made bold; never read as markup."""
    text = Text(name)
    start = name.lower().find(query.lower())
    if start >= 0:
        text.stylize("bold", start, start + len(query))
    return text
