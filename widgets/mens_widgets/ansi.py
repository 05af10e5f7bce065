"""A raw log line becomes styled plain text: colours are kept, every other control is taken out or made visible.

Strings in, spans out; nothing that comes out can control a terminal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.style import Style

from mens_widgets.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[str, Style]
"""Clean text and what its colours add to the style around it."""

LONGEST: Final = 2000
"""Characters of one line that are ever looked at; the rest is counted."""
TAB: Final = 8
_RAW_LIMIT: Final = 4 * LONGEST

_ESCAPE: Final = re.compile(
    r"(?:\x1b\[|\x9b)(?P<sgr>[\d;:]{0,64})m"
    r"|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"  # any other control sequence
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c|$)"  # strings: titles, links
    r"|\x1b[ -/]{0,8}[0-Z\\^-~]"
)
_FLAGS: Final[dict[int, dict[str, bool]]] = {
    1: {"bold": True}, 2: {"dim": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"reverse": True},
    9: {"strike": True}, 22: {"bold": False, "dim": False}, 23: {"italic": False}, 24: {"underline": False},
    27: {"reverse": False}, 29: {"strike": False},
}  # fmt: skip
"""SGR codes that are honoured. Concealed (8) and blinking (5, 6) text is not: a log may not hide or shout."""


def last_state(raw: str) -> str:
    """Return what a terminal would be left showing of a line that rewrote itself with carriage returns."""
    raw = raw.rstrip("\r\n")
    return raw[raw.rfind("\r") + 1 :]


@lru_cache(maxsize=1024)
def parse(raw: str) -> tuple[tuple[Span, ...], int]:
    """Return the styled spans of a line (progress bars collapsed), and how many characters were left out.

    Tabs become blanks up to the next multiple of eight.
    """
    text = last_state(raw)
    shown = text[:_RAW_LIMIT]
    left_out = len(text) - len(shown)
    spans: list[Span] = []
    style, length = Style.null(), 0
    for piece, codes in _pieces(shown):
        room = LONGEST - length
        piece = _expand(piece, length)
        left_out += max(0, len(piece) - room)
        if piece := clean(piece[: max(0, room)]):
            spans.append((piece, style))
            length += len(piece)
        if codes is not None:
            style = _apply(style, codes)
    return tuple(spans), left_out


def plain(raw: str) -> str:
    """Return the clean text of a line without its colours."""
    return "".join(text for text, _ in parse(raw)[0])


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield (text, SGR codes that follow it); None follows text at which another sequence was taken out."""
    start = 0
    for match in _ESCAPE.finditer(text):
        yield text[start : match.start()], match["sgr"]
        start = match.end()
    yield text[start:], None


def _expand(piece: str, column: int) -> str:
    if "\t" not in piece:
        return piece
    return (" " * (column % TAB) + piece).expandtabs(TAB)[column % TAB :]


def _apply(style: Style, codes: str) -> Style:
    numbers = iter([int(code) if code else 0 for code in re.split("[;:]", codes)])
    for code in numbers:
        if code == 0:
            style = Style.null()
        elif flags := _FLAGS.get(code):
            style += Style(**flags)  # type: ignore[arg-type]
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style += Style(color=Color.from_ansi(code - 30 if code < 90 else code - 82))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style += Style(bgcolor=Color.from_ansi(code - 40 if code < 100 else code - 92))
        elif code in (38, 48):
            color = _extended(numbers)
            if color is not None:
                style += Style(color=color) if code == 38 else Style(bgcolor=color)
        elif code in (39, 49):
            style += Style(color="default") if code == 39 else Style(bgcolor="default")
    return style


def _extended(numbers: Iterator[int]) -> Color | None:
    """Read the colour after 38 or 48: 5;n or 2;r;g;b. Out of range means none."""
    kind = next(numbers, None)
    values = list(islice(numbers, {5: 1, 2: 3}.get(kind or 0, 0)))
    if any(value > 255 for value in values):
        return None
    if kind == 5 and len(values) == 1:
        return Color.from_ansi(values[0])
    if kind == 2 and len(values) == 3:
        return Color.from_rgb(*values)
    return None


def matches(text: str, wanted: str) -> list[tuple[int, int]]:
    """Return where `wanted` occurs; capitals in it make the search tell capitals apart."""
    if not wanted:
        return []
    flags = 0 if any(map(str.isupper, wanted)) else re.IGNORECASE
    return [match.span() for match in re.finditer(re.escape(wanted), text, flags)]


def marked(spans: tuple[Span, ...], found: list[tuple[int, int]], over: Style) -> list[Span]:
    """Return the spans with `over` added where `found` says so."""
    cuts = sorted(set(chain.from_iterable(found)))
    out, at = [], 0
    for text, style in spans:
        edges = [at, *(cut for cut in cuts if at < cut < at + len(text)), at + len(text)]
        for a, b in pairwise(edges):
            inside = any(start <= a < end for start, end in found)
            out.append((text[a - at : b - at], style + over if inside else style))
        at += len(text)
    return out
