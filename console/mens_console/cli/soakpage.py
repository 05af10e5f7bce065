"""Blocks of a report as lines of a plain terminal: wrapped to its width, verdicts in their colour.

Nothing is read or printed here.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from mens_console.gate.rendering import Block, Bullets, Drawing, Heading, Paragraph, Table
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ink = Callable[[str, str], str]

NARROW: Final = 60
"""Columns below which nothing is set narrower."""
_INKS: Final = {"✔": "good", "▲": "warn", "✖": "bad", "◐": "accent", "○": "muted", "●": "good", "▽": "accent"}
_GAP: Final = 2
_LEAST: Final = 8
"""Columns that a cell keeps; what is longer goes on in the next line."""
_UNIT: Final = re.compile(r"([\d∞]) (%|×|[µmkMG]?[sB]|[hmd]\b|\d{3}\b)")


def page(blocks: Sequence[Block], width: int, ink: Ink) -> list[str]:
    """Return the lines of a page, none wider than `width`."""
    wide = max(width, NARROW)
    lines: list[str] = []
    for block in blocks:
        match block:
            case Heading(level, text):
                lines += ["", *(ink(line, "accent") for line in _wrapped(text, wide))] if level > 1 else [
                    *_wrapped(text, wide)
                ]  # fmt: skip
            case Paragraph(text):
                lines += [_inked(line, ink) for line in _wrapped(text, wide)]
            case Bullets(texts):
                for text in texts:
                    lines += _wrapped(text, wide, "· ")
            case Table(head, rows):
                lines += _table(head, rows, wide, ink)
            case Drawing(title, _, drawn):
                lines += [
                    *(ink(line, "muted") for line in _wrapped(title, wide)),
                    *(line[:wide].rstrip() for line in drawn),
                ]
    return lines


def _wrapped(text: str, width: int, mark: str = "") -> list[str]:
    """Return lines; a number stays with its unit."""
    joined = _UNIT.sub("\\1\xa0\\2", safe_text(text))
    told = textwrap.wrap(joined, width, initial_indent=mark, subsequent_indent=" " * len(mark))
    return [line.replace("\xa0", " ") for line in told] or [mark.rstrip()]


def _inked(line: str, ink: Ink) -> str:
    """Return a line whose first word has the colour of its glyph."""
    colour = _INKS.get(line[:1])
    if colour is None:
        return line
    end = line.find("  ")
    return ink(line, colour) if end < 0 else ink(line[:end], colour) + line[end:]


def _table(head: list[str], rows: list[list[str]], width: int, ink: Ink) -> list[str]:
    from rich.cells import cell_len, set_cell_size

    told = [[safe_text(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in [head, *told]) for column in range(len(head))]
    room = width - _GAP * (len(head) - 1)
    while sum(widths) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in [head, *told]:
        cells = [_wrapped(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for depth in range(max(map(len, cells))):
            parts = [cell[depth] if depth < len(cell) else "" for cell in cells]
            line = (" " * _GAP).join(set_cell_size(part, wide) for part, wide in zip(parts, widths, strict=True))
            lines.append(ink(line.rstrip(), "muted") if row is head else _inked(line.rstrip(), ink))
    return lines
