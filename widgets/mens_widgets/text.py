"""Untrusted text becomes safe, measured text: no control sequence, no markup, a known number of cells.

Only strings enter here; no widget, no style, no domain.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

from rich.cells import cell_len, set_cell_size

Align = Literal["left", "right"]
Cut = Literal["end", "middle"]


def clean(text: str) -> str:
    """Return `text` with every control, format and surrogate character made visible.

    C0 controls become their control picture (ESC → ``␛``), the others ``·``: nothing that comes out can move the
    cursor, change a colour or reorder what stands beside it. Printable text is returned unchanged.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return " " if unicodedata.category(char) == "Zs" else "·"


def fit(text: str, width: int, align: Align = "left", cut: Cut = "end") -> str:
    """Return clean `text` in exactly `width` cells: padded, or cut with an ellipsis.

    Names are cut in the `middle`: those of one project begin alike, and differ in how they end.
    """
    if width <= 0:
        return ""
    text = clean(text)
    # Most cells are ASCII, for which counting characters is exact and much cheaper than measuring.
    cells = len(text) if text.isascii() else cell_len(text)
    if cells > width:
        return _halves(text, width - 1) if cut == "middle" else set_cell_size(text, width - 1) + "…"
    blank = " " * (width - cells)
    return text + blank if align == "left" else blank + text


def shorten(text: str, width: int, cut: Cut = "middle") -> str:
    """Return clean `text` in at most `width` cells."""
    text = clean(text)
    return text if cell_len(text) <= width else fit(text, width, cut=cut)


def _halves(text: str, room: int) -> str:
    """Return the begin and the end of `text` around an ellipsis, `room` cells beside it; the end has the odd one."""
    head = room // 2
    tail = text[max(0, len(text) - (room - head)) :]
    while cell_len(tail) > room - head:
        tail = tail[1:]
    return set_cell_size(text, room - cell_len(tail)) + "…" + tail
