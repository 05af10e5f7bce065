"""What goes down the wire to the terminal: of every frame, only the cells and colours that differ from the screen.

Escape sequences in, fewer of them out; it knows neither widgets nor what the text says.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len, get_character_cell_size

_TOKENS: Final = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[(?P<sgr>[\d;]*)m"
    r"|(?P<newline>\r?\n)"
    # Synchronised updates, the cursor's visibility and the bell touch no cell.
    r"|(?P<mode>\x1b\[\?(?:2026|25)[hl]|\x07)"
    r"|(?P<other>[\s\S])"
)
_REACH: Final = 4
"""Unchanged cells that are cheaper to send again than to jump over."""
_OFF: Final = {"1": "22", "2": "22", "3": "23", "4": "24", "7": "27", "9": "29"}
_DRAWN_ON_BLANKS: Final = frozenset("479")
"""Underline, reverse and strike: with them a blank does not look blank."""
_UNKNOWN: Final = ""


class Ink(NamedTuple):
    """A graphic rendition: attributes as sorted codes, and the codes of both colours, empty for the default."""

    attributes: frozenset[str] = frozenset()
    foreground: str = ""
    background: str = ""


PLAIN: Final = Ink()


@lru_cache(maxsize=2048)
def applied(ink: Ink, codes: str) -> Ink | None:
    """Return the rendition after an SGR sequence of these codes, None where it has one that is not known here."""
    attributes, foreground, background = ink
    todo = (codes or "0").split(";")
    while todo:
        code = todo.pop(0).lstrip("0")
        if code in ("38", "48"):
            length = {"2": 4, "5": 2}.get(todo[0] if todo else "", 0)
            if not length or len(todo) < length:
                return None
            colour, todo = ";".join([code, *todo[:length]]), todo[length:]
            foreground, background = (colour, background) if code == "38" else (foreground, colour)
        elif code == "":
            attributes, foreground, background = PLAIN
        elif code in _OFF:
            attributes |= {code}
        elif 30 <= (number := int(code)) <= 39 or 90 <= number <= 97:
            foreground = "" if code == "39" else code
        elif 40 <= number <= 49 or 100 <= number <= 107:
            background = "" if code == "49" else code
        else:
            return None
    return Ink(attributes, foreground, background)


@lru_cache(maxsize=2048)
def blank_of(ink: Ink) -> Ink:
    """Return what of a rendition is seen on a blank."""
    return ink if ink.attributes & _DRAWN_ON_BLANKS else Ink(background=ink.background)


@lru_cache(maxsize=4096)
def switch(old: Ink | None, new: Ink) -> str:
    """Return the shortest of the obvious sequences from one rendition to another (None: unknown)."""
    if old == new:
        return ""
    whole = ["0", *sorted(new.attributes), *filter(None, new[1:])]
    if old is None:
        return f"\x1b[{';'.join(whole)}m"
    off = {_OFF[code] for code in old.attributes - new.attributes}
    kept = old.attributes - {code for code in old.attributes if _OFF[code] in off}
    parts = [*sorted(off), *sorted(new.attributes - kept)]
    parts += [new.foreground or "39"] if new.foreground != old.foreground else []
    parts += [new.background or "49"] if new.background != old.background else []
    return min(f"\x1b[{';'.join(parts)}m", f"\x1b[{';'.join(whole)}m", key=len)


@lru_cache(maxsize=4096)
def _is_narrow(text: str) -> bool:
    return text.isascii() or all(get_character_cell_size(char) == 1 for char in set(text))


class Wire:
    """Remembers what a terminal shows and drops from each write what it shows already.

    Whatever is not absolute moves, colours and text goes through as it is, and is followed by forgetting: an unknown
    cell is always sent. A terminal of another size is an unknown one.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._chars: list[list[str]] = []
        self._inks: list[list[Ink]] = []
        self._at: tuple[int, int] | None = None
        """Where the terminal's cursor is, as (row, column)."""
        self._to: tuple[int, int] | None = None
        """Where the writer thinks it is."""
        self._ink: Ink | None = None
        self._wanted = PLAIN
        self._out: list[str] = []

    def forget(self) -> None:
        """Know nothing of the screen any more."""
        columns, rows = self._size
        self._chars = [[_UNKNOWN] * columns for _ in range(rows)]
        self._inks = [[PLAIN] * columns for _ in range(rows)]
        self._at = self._to = self._ink = None
        self._wanted = PLAIN

    def narrow(self, data: str, columns: int, rows: int) -> str:
        """Return what makes a terminal of `columns` × `rows` show what `data` would make it show."""
        if (columns, rows) != self._size:
            self._size = (columns, rows)
            self.forget()
        self._out = []
        moved = False
        for token in _TOKENS.finditer(data):
            if token.lastgroup == "text":
                moved = False
                if not self._text(token["text"]):
                    return self._surrender(data[token.start() :])
            elif token.lastgroup == "column":
                moved, self._to = True, (int(token["row"]) - 1, int(token["column"]) - 1)
            elif token.lastgroup == "sgr":
                wanted = applied(self._wanted, token["sgr"])
                if wanted is None:
                    return self._surrender(data[token.start() :])
                self._wanted = wanted
            elif token.lastgroup == "newline" and self._to is not None and self._to[0] < rows - 1:
                self._to = None  # a move follows before anything is drawn
            elif token.lastgroup == "mode":
                self._out.append(token["mode"])
            else:
                return self._surrender(data[token.start() :])
        if moved and self._to is not None:
            self._move(*self._to)  # a cursor that is left somewhere is meant to be there
        return "".join(self._out)

    def _surrender(self, rest: str) -> str:
        """Let the rest through from the state it expects, and forget the screen."""
        self._switch(self._wanted)
        if self._to is not None:
            self._move(*self._to)
        out = "".join([*self._out, rest])
        self.forget()
        return out

    def _text(self, text: str) -> bool:
        """Draw text; False where it is not known which cells that would be."""
        if self._to is None:
            return False
        y, x = self._to
        columns, rows = self._size
        end = x + (len(text) if _is_narrow(text) else cell_len(text))
        if y >= rows or end > columns:
            return False
        self._to = (y, end)
        if not _is_narrow(text):
            self._send_odd(y, x, text)
            return True
        chars, inks = self._chars[y], self._inks[y]
        ink, blank = self._wanted, blank_of(self._wanted)
        wanted = [blank if char == " " else ink for char in text]
        if chars[x:end] == list(text) and inks[x:end] == wanted:
            return True
        if _UNKNOWN in chars[x:end]:
            self._send(y, x, text, ink)
        else:
            for i, (char, now) in enumerate(zip(text, wanted, strict=True), x):
                if chars[i] != char or inks[i] != now:
                    self._send(y, i, char, now)
        chars[x:end], inks[x:end] = text, wanted
        return True

    def _send(self, y: int, x: int, text: str, ink: Ink) -> None:
        self._move(y, x)
        if not (text == " " and self._ink is not None and blank_of(self._ink) == ink):
            self._switch(ink)
        self._out.append(text)
        # In the last column terminals differ on where the cursor is.
        self._at = (y, x + len(text)) if x + len(text) < self._size[0] else None

    def _send_odd(self, y: int, x: int, text: str) -> None:
        """Send text with wide or combining characters, of which terminals think differently; the row is unknown."""
        self._move(y, x)
        self._switch(self._wanted)
        self._out.append(text)
        self._at = None
        self._chars[y] = [_UNKNOWN] * self._size[0]

    def _switch(self, ink: Ink) -> None:
        self._out.append(switch(self._ink, ink))
        self._ink = ink

    def _move(self, y: int, x: int) -> None:
        if self._at == (y, x):
            return
        step = x - self._at[1] if self._at is not None and self._at[0] == y else 0
        if 0 < step <= _REACH and self._again(y, x - step, x):
            return
        self._out.append(f"\x1b[{step}C" if step > 0 else f"\x1b[{y + 1};{x + 1}H")
        self._at = (y, x)

    def _again(self, y: int, first: int, last: int) -> bool:
        """Send unchanged cells again where that needs no change of colour."""
        if y >= len(self._chars) or self._ink is None:
            return False
        text, blank = "".join(self._chars[y][first:last]), blank_of(self._ink)
        inks = self._inks[y][first:last]
        if len(text) != last - first or any(
            ink != (blank if char == " " else self._ink) for char, ink in zip(text, inks, strict=True)
        ):
            return False
        self._out.append(text)
        self._at = (y, last)
        return True
