"""Lines of words in a few inks: the header, the facts of a run, the help, and what an empty screen says.

It lays text out; what the text says is decided by the screens.
"""

from __future__ import annotations

from functools import lru_cache
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment

from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.text import clean, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.style import Style
    from textual.geometry import Size
    from textual.strip import Strip

    from mens_console.screens.words import Ink

Line = tuple[tuple[str, "Ink"], ...]
"""Pieces of text from left to right, each with its ink."""

LABEL = 12
"""Cells that labels of facts take."""


def fact(label: str, value: str, ink: Ink = "", note: str = "") -> Line:
    """Return ``label       value note``."""
    line: Line = ((fit(label, LABEL) + " ", "muted"), (value, ink))
    return (*line, (f"  {note}", "muted")) if note else line


def long_fact(label: str, value: str, width: int) -> list[Line]:
    """Return ``label       value``, the value broken at words to `width` cells and continued under its begin."""
    first, *rest = prose(value, width - LABEL - 1)
    return [((fit(label, LABEL) + " ", "muted"), *first), *(((" " * (LABEL + 1), ""), *line) for line in rest)]


def prose(text: str, width: int, ink: Ink = "", bullet: str = "") -> list[Line]:
    """Return text broken at words to `width` cells, later lines indented under the first."""
    pieces = _broken(text, max(width - len(bullet), 8))
    return [((bullet if not i else " " * len(bullet), ink), (piece, ink)) for i, piece in enumerate(pieces)]


@lru_cache(maxsize=512)
def _broken(text: str, width: int) -> tuple[str, ...]:
    """Break text at words: most of what a screen says is what it said a moment ago."""
    return tuple(wrap(clean(text), width)) or ("",)


def heading(text: str) -> list[Line]:
    """Return an empty line and a title."""
    return [(), ((text, "accent"),)]


def within(line: Line, width: int) -> Line:
    """Return a line of at most `width` cells; a longer one ends in an ellipsis, so that nobody takes it for whole."""
    if cell_len("".join(text for text, _ in line).rstrip()) <= width:
        return line
    kept: list[tuple[str, Ink]] = []
    room = width
    for text, ink in line:
        if (cells := cell_len(text)) >= room:
            kept.append((fit(text + " ", room), ink))  # more follows, so it is cut even where it just fits
            break
        kept.append((text, ink))
        room -= cells
    return tuple(kept)


class Sheet(Canvas):
    """Shows lines; grows with them where its height is ``auto``. Only cells that changed are repainted."""

    INKS: ClassVar[tuple[str, ...]] = ("muted", "good", "warn", "bad", "accent", "strong", "badge")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"sheet--{ink}" for ink in INKS}
    DEFAULT_CSS = """
    Sheet {
        height: auto;
        width: 1fr;
        & .sheet--muted { color: $text-muted; }
        & .sheet--good { color: $text-success; }
        & .sheet--warn { color: $text-warning; }
        & .sheet--bad { color: $text-error; text-style: bold; }
        & .sheet--accent { color: $text-primary; text-style: bold; }
        & .sheet--strong { text-style: bold; }
        & .sheet--badge { color: $text-accent; text-style: bold reverse; }
    }
    """

    def __init__(
        self, write: Callable[[int], Sequence[Line]] | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._write = write or (lambda _: ())
        self._height = 0
        self._lines_now: Sequence[Line] | None = None
        self._known: dict[Line, Strip] = {}
        self._known_width = 0

    def write(self, write: Callable[[int], Sequence[Line]]) -> None:
        """Show what this function of the width returns."""
        self._write = write
        width = self.size.width
        if not width:
            return
        self._lines_now = write(width)
        if len(self._lines_now) != self._height and self.styles.is_auto_height:
            self._height = len(self._lines_now)
            self.refresh(layout=True)
        self.redraw()
        self._lines_now = None

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are at this width."""
        self._height = len(self._write(width))
        return self._height

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw the lines; one that was there before keeps its strip."""
        lines = self._write(width) if self._lines_now is None else self._lines_now
        known = self._known if self._known_width == width else {}
        self._known_width = width
        self._known = {line: known.get(line) or self._strip(line, width) for line in map(tuple, lines)}
        return [self._known[tuple(line)] for line in lines]

    def forget(self) -> None:
        """Drop the strips that carry old styles."""
        super().forget()
        self._known = {}

    def _strip(self, line: Line, width: int) -> Strip:
        return strip_of(self._segments(within(line, width)), width, self.style_for())

    def _segments(self, line: Line) -> list[Segment]:
        return [Segment(clean(text), self._ink(ink)) for text, ink in line]

    def _ink(self, ink: str) -> Style:
        return self.style_for(f"sheet--{ink}") if ink else self.style_for()


class Header(Sheet):
    """The one line at the top: pieces at the left that give way, pieces at the right that stay."""

    DEFAULT_CSS = """
    Header { dock: top; height: 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left: Line = ()
        self._right: Line = ()
        self._write = self._lines

    def show(self, left: Line, right: Line) -> None:
        """Show these pieces."""
        self._left, self._right = left, right
        self.redraw()

    def _lines(self, width: int) -> list[Line]:
        room = max(0, width - sum(cell_len(text) for text, _ in self._right))
        kept: list[tuple[str, Ink]] = []
        for text, ink in self._left:
            cells = min(cell_len(clean(text)), room)
            if cells:
                kept.append((fit(text, cells), ink))
            room -= cells
        return [(*kept, (" " * room, ""), *self._right)]
