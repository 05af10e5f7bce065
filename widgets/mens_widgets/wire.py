"""What goes down the wire to the terminal: of every frame, only the cells and colours that differ from the screen.

Escape sequences in, fewer of them out; it knows neither widgets nor what the text says.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Final

from rich.cells import cell_len

from mens_widgets.pens import PLAIN, Cell, Ink, OddError, Pen, Pens, applied

_MOVE: Final = re.compile(r"\x1b\[(\d+);(\d+)H")
_SGR: Final = re.compile(r"\x1b\[([\d;]*)m")
_RESET: Final = "\x1b[0m"
_TOKENS: Final = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<sgr>[\d;]*)m"
    r"|(?P<newline>\r?\n)"
    # Synchronised updates, the cursor's visibility and the bell touch no cell.
    r"|(?P<mode>\x1b\[\?(?:2026|25)[hl]|\x07)"
    r"|(?P<other>[\s\S])"
)
_TORN: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*|[ -/]*)\Z")
"""A sequence whose end is yet to come."""
_REACH: Final = 4
"""Unchanged cells that are cheaper to send again than to jump over."""
_MOST_PIECES: Final = 4096
_LONGEST_PIECE: Final = 64
"""Characters of a piece that is kept: one of colours and very few cells, or a word of a label."""
_MOST_CELLS: Final = 50_000


class _Pieces(dict[str, "tuple[Cell, ...] | None"]):
    """What a stretch between two resets draws, cell by cell: known from the last time wherever it came before.

    None is one that has more in it than inks and characters of one column.
    """

    def __init__(self, pens: Pens) -> None:
        super().__init__()
        self._pens = pens

    def __missing__(self, piece: str) -> tuple[Cell, ...] | None:
        cells = self._parse(piece)
        if len(piece) <= _LONGEST_PIECE:
            if len(self) >= _MOST_PIECES:
                self.clear()
            self[piece] = cells
        return cells

    def _parse(self, piece: str) -> tuple[Cell, ...] | None:
        ink, cells = PLAIN, list[Cell]()
        for token in _TOKENS.finditer(piece):
            if token.lastgroup == "sgr":
                after = applied(ink, token["sgr"])
                if after is None:
                    return None
                ink = after
            elif token.lastgroup == "text":
                try:
                    cells += map(self._pens[ink].cells.__getitem__, token["text"])
                except OddError:
                    return None
            else:
                return None
        return tuple(cells)


class Wire:
    """Remembers what a terminal shows and drops from each write what it shows already.

    Whatever is not absolute moves, colours and text goes through as it is, and is followed by forgetting: an unknown
    cell is always sent. A terminal of another size is an unknown one. Only SGR sequences are taken to change colours.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._rows: list[list[Cell | None]] = []
        self._at: tuple[int, int] | None = None
        """Where the terminal's cursor is, as (row, column); column `columns` is the last one with a wrap to come."""
        self._to: tuple[int, int] | None = None
        """Where the writer thinks it is."""
        self._falls = ""
        """Line feeds of the writer since then; a move makes them needless."""
        self._adrift = False
        """Whether the cursor stands behind characters that terminals may think differently of."""
        self._moved = False
        """Whether the last that was written is a move."""
        self._out: list[str] = []
        self._make_pens(PLAIN)

    def _make_pens(self, wanted: Ink | None) -> None:
        self._pens = Pens()
        self._pieces = _Pieces(self._pens)
        self._plain = self._pens[PLAIN]
        self._pen: Pen | None = None
        """What the terminal draws with, None where that is unknown."""
        self._wanted: Pen | None = None if wanted is None else self._pens[wanted]
        """What the writer thinks it draws with."""

    def forget(self) -> None:
        """Know nothing of the screen any more."""
        columns, rows = self._size
        self._rows = [[None] * columns for _ in range(rows)]
        self._at = self._to = self._pen = None
        self._falls, self._adrift, self._moved = "", False, False

    def let_by(self, data: str) -> None:
        """Forget the screen over data that goes to the terminal as it is; keep account of the colours it leaves."""
        self.forget()
        ink = None if self._wanted is None else self._wanted.ink
        for codes in _SGR.findall(data):
            resets = not codes.partition(";")[0].strip("0")
            before = PLAIN if resets else ink
            ink = None if before is None else applied(before, codes)
        torn = ink is None or _TORN.search(data) is not None
        self._wanted = None if ink is None or torn else self._pens[ink]

    def narrow(self, data: str, columns: int, rows: int) -> str:
        """Return what makes a terminal of `columns` × `rows` show what `data` would make it show."""
        if (columns, rows) != self._size:
            self._size = (columns, rows)
            self.forget()
        if self._pens.count > _MOST_CELLS:
            self._make_pens(None if self._wanted is None else self._wanted.ink)
            self._rows = [[None] * columns for _ in range(rows)]
        self._out, start = [], 0
        for move in _MOVE.finditer(data):
            odd = self._flow(data, start, move.start())
            if odd is not None:
                return self._surrender(data[odd:])
            if self._adrift:
                self._at, self._adrift = None, False
            row, column = move.groups()
            self._to = max(0, min(int(row), rows) - 1), max(0, min(int(column), columns) - 1)
            self._falls, self._moved, start = "", True, move.end()
        odd = self._flow(data, start, len(data))
        if odd is not None:
            return self._surrender(data[odd:])
        if self._moved and self._to is not None:
            self._move(*self._to)  # a cursor that is left somewhere is meant to be there
        return "".join(self._out)

    def _surrender(self, rest: str) -> str:
        """Let the rest through from the state it expects, and forget the screen."""
        if self._to is not None:
            y, x = self._to
            last = self._rows[y][-1]
            if x == self._size[0] and self._at != self._to and last is not None:
                # A wrap is to come: only what is drawn in the last column brings the cursor there.
                self._move(y, x - 1)
                self._switch(last[0])
                self._out.append(last[1])
            else:
                self._move(y, x)
        if self._wanted is not None:
            self._switch(self._wanted)
        out = "".join([*self._out, self._falls, rest])
        self.let_by(rest)
        return out

    # What is written between two moves

    def _flow(self, data: str, start: int, end: int) -> int | None:
        """Draw what follows a move; return where that begins which is not known here, None if all is."""
        if start == end or self._flow_known(data, start, end):
            return None
        for token in _TOKENS.finditer(data, start, end):
            kind = token.lastgroup
            if kind == "text":
                if not self._text(token["text"]):
                    return token.start()
            elif kind == "sgr" and self._wanted is not None:
                ink = applied(self._wanted.ink, token["sgr"])
                if ink is None:
                    return token.start()
                self._wanted = self._pens[ink]
            elif kind == "sgr" and token["sgr"] in ("", "0"):
                self._wanted = self._plain
            elif kind == "newline" and self._fall(token["newline"]):
                pass
            elif kind == "mode":
                self._out.append(token["mode"])
            else:
                return token.start()
        return None

    def _flow_known(self, data: str, start: int, end: int) -> bool:
        """Draw what a compositor writes, inks and text and a reset again and again; False where it is not that."""
        if self._to is None or self._falls or self._adrift or self._wanted is not self._plain:
            return False
        falls = data[end - 1] == "\n"
        pieces = data[start : end - falls].split(_RESET)
        if pieces.pop() or not pieces:
            return False
        cells = list(map(self._pieces.__getitem__, pieces))
        if None in cells:
            return False
        drawn = list(chain.from_iterable(cells))  # type: ignore[arg-type]
        y, x = self._to
        if x + len(drawn) > self._size[0] or (falls and not self._fall("\n")):
            return False
        if drawn:
            self._draw(y, x, drawn)
        return True

    def _fall(self, newline: str) -> bool:
        """Take note of a line feed; False where it could scroll the screen."""
        if self._to is None or self._to[0] + self._falls.count("\n") >= self._size[1] - 1:
            return False
        self._falls += newline
        self._moved = False
        return True

    def _text(self, text: str) -> bool:
        """Draw text; False where it is not known which cells that would be."""
        if self._to is None or self._falls or self._wanted is None:
            return False
        y, x = self._to
        try:
            cells = None if self._adrift else [self._wanted.cells[char] for char in text]
        except OddError:
            cells = None
        end = x + (cell_len(text) if cells is None else len(text))
        if end > self._size[0]:
            return False
        if cells is None:
            self._draw_odd(y, x, end, text)
        else:
            self._draw(y, x, cells)
        return True

    # What goes out

    def _draw(self, y: int, x: int, cells: list[Cell]) -> None:
        """Send of these cells what differs from the screen."""
        self._to, self._moved = (y, x + len(cells)), False
        row = self._rows[y]
        before = row[x : x + len(cells)]
        if before == cells:
            return
        row[x : x + len(cells)] = cells
        at = self._at[1] if self._at is not None and self._at[0] == y else -1
        pen, out = self._pen, self._out
        for i, (old, cell) in enumerate(zip(before, cells, strict=True), x):
            if old is cell:
                continue
            if i != at:
                self._at, self._pen = (y, at) if at >= 0 else self._at, pen
                self._move(y, i)
            wanted, char = cell
            if wanted is not pen and (pen is None or char != " " or pen.blank is not wanted):
                out.append(self._pens.unknown[wanted] if pen is None else pen.ways[wanted])
                pen = wanted
            out.append(char)
            at = i + 1
        self._at, self._pen = (y, at), pen

    def _draw_odd(self, y: int, x: int, end: int, text: str) -> None:
        """Send text with wide or combining characters, of which terminals think differently; the row is unknown.

        What follows is sent as it comes, so that it stands where the terminal thinks.
        """
        self._move(y, x)
        if self._wanted is not None:
            self._switch(self._wanted)
        self._out.append(text)
        self._at = self._to = (y, end)
        self._adrift, self._moved = True, False
        for one in {y, max(0, y - (x == 0))}:  # a mark at the left edge may go to the end of the line above
            self._rows[one] = [None] * self._size[0]

    def _switch(self, pen: Pen) -> None:
        if pen is not self._pen:
            self._out.append(self._pens.unknown[pen] if self._pen is None else self._pen.ways[pen])
            self._pen = pen

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
        pen, text = self._pen, ""
        for cell in self._rows[y][first:last]:
            if pen is None or cell is None or (cell[0] is not pen and (cell[1] != " " or cell[0] is not pen.blank)):
                return False
            text += cell[1]
        self._out.append(text)
        self._at = (y, last)
        return True
