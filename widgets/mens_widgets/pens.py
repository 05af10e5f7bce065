"""Graphic renditions of a terminal, each made once: what SGR codes add up to, and the shortest way between two.

It knows cells of one column; where they stand and what is on screen belongs to `wire`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from rich.cells import get_character_cell_size

_OFF: Final = {"1": "22", "2": "22", "3": "23", "4": "24", "7": "27", "9": "29"}
_DRAWN_ON_BLANKS: Final = frozenset("479")
"""Underline, reverse and strike: with them a blank does not look blank."""


_SETTLED: Final = (range(0x80, 0x1100), range(0x2000, 0x2E80))
"""Letters, signs and symbols whose width all tables agree on; of later ones each terminal knows as many as it knows."""


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


def blank_of(ink: Ink) -> Ink:
    """Return what of a rendition is seen on a blank."""
    return ink if ink.attributes & _DRAWN_ON_BLANKS else Ink(background=ink.background)


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


class OddError(ValueError):
    """A character that does not take exactly one column."""


class Pen:
    """An ink, with all that follows from it kept: its cells, and the ways to other inks.

    Pens of equal inks in one `Pens` are the same object, and so are their cells of the same character: both are
    compared by identity. A blank is a cell of the pen `blank`, which draws only what is seen of this one on a blank.
    """

    __slots__ = ("blank", "cells", "ink", "ways")

    def __init__(self, ink: Ink, pens: Pens) -> None:
        self.ink = ink
        blank = blank_of(ink)
        self.blank: Pen = self if blank == ink else pens[blank]
        self.cells = _Cells(self, pens)
        self.ways = _Ways(ink)


Cell: TypeAlias = tuple[Pen, str]


class _Cells(dict[str, Cell]):
    """The cell of each character, made when it is first asked for; raises `OddError` for what is not one column."""

    def __init__(self, pen: Pen, pens: Pens) -> None:
        super().__init__()
        self._pen, self._pens = pen, pens

    def __missing__(self, char: str) -> Cell:
        if char == " " and self._pen.blank is not self._pen:
            cell = self._pen.blank.cells[char]
        elif char.isascii() or (any(ord(char) in part for part in _SETTLED) and get_character_cell_size(char) == 1):
            cell = (self._pen, char)
        else:
            raise OddError(char)
        self._pens.count += 1
        self[char] = cell
        return cell


class _Ways(dict[Pen, str]):
    """The sequences from one ink (None: an unknown one) to pens."""

    def __init__(self, ink: Ink | None) -> None:
        super().__init__()
        self._ink = ink

    def __missing__(self, pen: Pen) -> str:
        way = self[pen] = switch(self._ink, pen.ink)
        return way


class Pens(dict[Ink, Pen]):
    """One pen for each ink that was ever asked for; `count` is how many cells they have in all."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.unknown = _Ways(None)
        """The ways from a rendition that nobody knows."""

    def __missing__(self, ink: Ink) -> Pen:
        pen = self[ink] = Pen(ink, self)
        return pen
