"""A view over log lines of any number: it follows the end until you scroll, and holds only what is on screen.

Where lines come from, and which pass a filter, is the source's business; what is drawn is plain, bounded text.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from mens_widgets import ansi
from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

LEVELS: Final = {
    "critical": ("✖", "log--critical"), "error": ("✖", "log--error"), "warning": ("▲", "log--warning"),
    "info": (" ", ""), "debug": ("·", "log--debug"),
}  # fmt: skip
LEAD: Final = 2
HUES: Final = 6
"""Colours of tags, after which they begin again."""
WHEEL: Final = 3
SCAN_CHUNK: Final = 1000
"""Lines searched between two looks at the keyboard."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as written (any bytes decoded to text), its level if it says one, and its number in its file.

    `tag` names where it comes from, where lines of several sources are shown; `hue` chooses the colour of that.
    """

    text: str
    level: str | None = None
    number: int = 0
    tag: str = ""
    hue: int = 0


class LogSource(Protocol):
    """Lines that can be asked for from either end."""

    @property
    def line_count(self) -> int | None:
        """How many lines there are; None while that is not known."""
        ...

    def lines(self, start: int, n: int) -> Sequence[LogLine]:
        """Return up to n lines from index `start` on; a negative `start` counts from the end, like a slice does.

        While `line_count` is None only negative starts are asked for, and `number` must grow by one a line.
        """
        ...


class LogView(Canvas, can_focus=True):
    """A log on screen. Call `update_lines` when the source may have grown.

    Following means that the newest line is at the bottom. Scrolling up stops it, and a note says how many lines came
    since; going to the end starts it again. Search is for literal text, and looks through the source in slices.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--critical", "log--error", "log--warning", "log--debug", "log--match", "log--current", "log--note",
        "log--cut", "log--empty", *(f"log--tag-{i}" for i in range(HUES)),
    }  # fmt: skip
    DEFAULT_CSS = """
    LogView {
        width: 1fr;
        height: 1fr;
        & .log--critical { color: $text-error; text-style: bold; }
        & .log--error { color: $text-error; }
        & .log--warning { color: $text-warning; }
        & .log--debug { color: $text-muted; }
        & .log--match { text-style: underline bold; }
        & .log--current { text-style: reverse bold; }
        & .log--note { color: $text-accent; text-style: bold; }
        & .log--cut { color: $text-muted; }
        & .log--empty { color: $text-muted; }
        & .log--tag-0 { color: $text-primary; }
        & .log--tag-1 { color: $text-accent; }
        & .log--tag-2 { color: $text-success; }
        & .log--tag-3 { color: $text-secondary; }
        & .log--tag-4 { color: $text-muted; }
        & .log--tag-5 { color: $foreground; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "Up", show=False, id="log.up"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="log.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="log.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="log.page_down"),
        Binding("left,h", "shift(-1)", "Left", show=False, id="log.left"),
        Binding("right,l", "shift(1)", "Right", show=False, id="log.right"),
        Binding("g,home", "end(-1)", "Oldest line", show=False, id="log.first"),
        Binding("G,end", "end(1)", "Follow", id="log.follow"),
        Binding("n", "next(1)", "Next match", show=False, id="log.next"),
        Binding("N", "next(-1)", "Previous match", show=False, id="log.previous"),
        Binding("w", "toggle_wrap", "Wrap", id="log.wrap"),
    ]

    class FollowChanged(Message):
        """Following the end stopped or started again."""

        def __init__(self, view: LogView, following: bool) -> None:
            super().__init__()
            self.view, self.following = view, following

        @property
        def control(self) -> LogView:
            """The view that sent this."""
            return self.view

    class SearchDone(Message):
        """A search ended at line index `found`, or found nothing that way (None)."""

        def __init__(self, view: LogView, wanted: str, found: int | None) -> None:
            super().__init__()
            self.view, self.wanted, self.found = view, wanted, found

        @property
        def control(self) -> LogView:
            """The view that sent this."""
            return self.view

    def __init__(
        self, source: LogSource | None = None, *, empty: str = "no log line yet", wrap: bool = False,
        name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.source, self.empty, self.wrap = source, empty, wrap
        self.wanted = ""
        self.current: int | None = None
        self._top: int | None = None
        self._start: int | None = None
        self._seen = 0
        self._shift = 0
        self._guessed = 0
        self._tags = 0

    # What it shows

    def set_source(self, source: LogSource | None, *, tags: int = 0) -> None:
        """Show another source, from its end; its lines' tags take `tags` columns, less where there is no room."""
        self.source, self._top, self._start, self._shift, self.current = source, None, None, 0, None
        self._guessed, self._tags = 0, tags
        self.redraw()

    def update_lines(self) -> None:
        """Look at the source again; only lines that differ are repainted."""
        self.redraw()

    @property
    def following(self) -> bool:
        """Whether the view stays at the end."""
        return self._top is None

    @property
    def place(self) -> int | None:
        """The line that is looked at: the one that was gone to, else the first in view; None while following."""
        return None if self._top is None else self._top if self.current is None else self.current

    def goto(self, index: int) -> None:
        """Show line `index` (from 0) a third down the view, and stop following."""
        self.current = index
        self._place(index - self.size.height // 3, follow=False)

    def _count(self) -> int:
        """Return how many lines there are; while nobody knows, one more than the newest line's number."""
        if self.source is None:
            return 0
        count = self.source.line_count
        if count is not None:
            self._settle(count)
            return count
        newest = self.source.lines(-1, 1)
        self._guessed = newest[-1].number + 1 if newest else 0
        return self._guessed

    def _settle(self, count: int) -> None:
        """Stay at the same lines when their number becomes known: what was counted from the end was a guess."""
        off, self._guessed = self._guessed - count, 0
        if off <= 0:
            return

        def moved(index: int) -> int:
            return max(0, index - off) if index > count else index

        self._seen = moved(self._seen)
        self._top = None if self._top is None else moved(self._top)
        self._start = None if self._start is None else moved(self._start)
        self.current = None if self.current is None else moved(self.current)

    def _fetch(self, start: int, n: int, count: int) -> Sequence[LogLine]:
        if self.source is None or n <= 0 or start >= count:
            return ()
        known = self.source.line_count is not None
        return self.source.lines(start if known else start - count, min(n, count - start))

    # Drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw the visible lines, and the note about newer ones."""
        blank, count = self.style_for(), self._count()
        if count == 0:
            note = strip_of([Segment(self.empty.center(width)[:width], self.style_for("log--empty"))], width, blank)
            return [*[Strip.blank(width, blank)] * (height // 2), note]
        if self._top is None:
            self._seen = count
            start = self._start = self._follow_from(count, height)
        else:
            start = self._top = max(0, min(self._top, count - 1))
        lines = self._fetch(start, height, count)
        start = self._index_of(lines, start)
        strips = [strip for i, line in enumerate(lines, start) for strip in self._line(line, i, width, height)]
        strips = strips[-height:] if self._top is None else strips[:height]
        if self._top is not None and count > self._seen:
            fresh = count - self._seen
            news = f" +{fresh} {'line' if fresh == 1 else 'lines'}  G follows "
            strips += [Strip.blank(width, blank)] * (height - len(strips))
            strips[-1] = strip_of([Segment(news.rjust(width)[-width:], self.style_for("log--note"))], width, blank)
        return strips

    def _follow_from(self, count: int, height: int) -> int:
        """Return the first line to show so that the newest is in view.

        A full view moves on by an eighth of its height at once: between two such moves a new line costs one line on
        the wire, and not all of them.
        """
        exact, room = max(0, count - height), height // 8
        if self._start is None or self.wrap or self._start > exact + room:
            return exact
        return self._start if self._start >= exact else exact + max(room - 1, 0)

    def _line(self, line: LogLine, index: int, width: int, height: int) -> list[Strip]:
        base = self.style_for()
        glyph, component = LEVELS.get((line.level or "info").lower(), LEVELS["info"])
        style = self.style_for(component) if component else base
        spans, left_out = ansi.parse(line.text)
        if self.wanted:
            over = self.style_for("log--current" if index == self.current else "log--match").without_color
            spans = tuple(ansi.marked(spans, ansi.matches("".join(text for text, _ in spans), self.wanted), over))
        segments = [Segment(text, style + extra) for text, extra in spans]
        if left_out:
            segments.append(Segment(f"…(+{left_out:,} chars)".replace(",", " "), self.style_for("log--cut")))
        whole = Strip(segments)
        sign = Segment((("›" if index == self.current else glyph) + " ")[:width], style)
        tag, lead = self._tag_width(width), [sign]
        if tag:
            lead.append(Segment(fit(line.tag, tag, cut="middle") + " ", self.style_for(f"log--tag-{line.hue % HUES}")))
        indent = LEAD + (tag + 1 if tag else 0)
        room = max(1, width - indent)
        if not self.wrap:
            cut = whole.crop(self._shift, self._shift + room)
            if whole.cell_length > self._shift + room:
                cut = Strip([*cut.crop(0, room - 1), Segment("…", self.style_for("log--cut"))])
            return [strip_of([*lead, *cut], width, base)]
        pieces = [whole.crop(at, at + room) for at in range(0, min(whole.cell_length, room * height) or 1, room)]
        return [
            strip_of([*(lead if i == 0 else [Segment(" " * indent, base)]), *piece], width, base)
            for i, piece in enumerate(pieces)
        ]

    def _tag_width(self, width: int) -> int:
        """Return the columns of tags: all that they want, or a fifth of the view."""
        return min(self._tags, max(6, width // 5)) if self._tags else 0

    # Moving

    def _place(self, top: int, *, follow: bool = True) -> None:
        """Show line `top` first, or follow again where that is the end."""
        was, count = self.following, self._count()
        end = max(0, count - (1 if self.wrap else self.size.height))
        self._top = None if follow and top >= end else max(0, min(top, end))
        self._start = None
        self.redraw()
        if was != self.following:
            self.post_message(self.FollowChanged(self, self.following))

    def action_scroll(self, lines: int) -> None:
        """Scroll by so many lines; down past the last one follows again."""
        if self._top is None and lines > 0:
            return
        top = self._first_shown() if self._top is None else self._top
        self._place(top + lines, follow=lines > 0)

    def _first_shown(self) -> int:
        """Return the index of the first line on screen while the view follows the end."""
        count, width, height = self._count(), *self.size
        start = max(0, count - height)
        if not self.wrap:
            return start if self._start is None else self._start
        lines = self._fetch(start, height, count)
        rows = 0
        for i in range(len(lines) - 1, -1, -1):
            rows += len(self._line(lines[i], start + i, width, height))
            if rows >= height:
                return start + i
        return start

    def action_page(self, pages: int) -> None:
        """Scroll by so many screens."""
        self.action_scroll(pages * max(1, self.size.height - 1))

    def action_end(self, side: int) -> None:
        """Go to the oldest line (-1), or to the newest and follow (1)."""
        self._place(0 if side < 0 else self._count())

    def action_shift(self, way: int) -> None:
        """Scroll sideways by half a screen."""
        step = max(1, (self.size.width - LEAD - self._tag_width(self.size.width)) // 2)
        self._shift = max(0, min(self._shift + way * step, ansi.LONGEST))
        self.redraw()

    def action_toggle_wrap(self) -> None:
        """Break long lines instead of cutting them."""
        self.wrap, self._shift = not self.wrap, 0
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down a few lines."""
        event.stop()
        self.action_scroll(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up a few lines."""
        event.stop()
        self.action_scroll(-WHEEL)

    # Searching

    def search(self, wanted: str) -> None:
        """Highlight this literal text and go to the newest match; the empty text ends the search."""
        self.wanted, self.current = wanted, None
        self.redraw()
        if wanted:
            self.action_next(-1)

    def action_next(self, way: int) -> None:
        """Go to the next (1) or previous (-1) line that matches."""
        if self.wanted:
            start = self._count() if self.current is None and way < 0 else (self.current or 0)
            self.run_worker(self._search(start, way), group="search", exclusive=True)

    async def _search(self, start: int, way: int) -> None:
        wanted, count, guessed = self.wanted, self._count(), self._is_guessed
        low, high = (start + 1, count) if way > 0 else (0, start)
        while low < high:
            a, b = (low, min(low + SCAN_CHUNK, high)) if way > 0 else (max(low, high - SCAN_CHUNK), high)
            lines = self._fetch(a, b - a, count)
            first = self._index_of(lines, a)
            hits = [first + i for i, line in enumerate(lines) if ansi.matches(ansi.plain(line.text), wanted)]
            if hits:
                found = hits[0 if way > 0 else -1]
                self.goto(found)
                self.post_message(self.SearchDone(self, wanted, found))
                return
            if guessed and first > a:
                break  # the beginning of what is counted from the end
            low, high = (b, high) if way > 0 else (low, a)
            await asyncio.sleep(0)
            if guessed and (now := self._count()) and not self._is_guessed:
                low, high, count, guessed = max(0, low - count + now), max(0, high - count + now), now, False
        self.post_message(self.SearchDone(self, wanted, None))

    @property
    def _is_guessed(self) -> bool:
        """Whether lines are counted from the end, because nobody knows how many there are."""
        return self.source is not None and self.source.line_count is None

    def _index_of(self, lines: Sequence[LogLine], wanted: int) -> int:
        """Return the index of the first of these lines: the one wanted, if there are so many before the end."""
        return lines[0].number if lines and self._is_guessed and lines[0].number > wanted else wanted
