"""Where a log may be cut, so that every range holds whole lines."""

from __future__ import annotations

from typing import Final

from mens_console.health.rows import LONGEST
from mens_console.ingest.safeopen import read_at

_LOOK: Final = 1 << 16


def cut_after(fd: int, near: int, start: int, end: int) -> int:
    """Return where a line ends at or soon after byte `near`, else before it; `start` where no line ends in between.

    Looks at bytes `[start, end)` alone. Raises `OSError`.
    """
    place = near - 1
    while place < min(end, near + LONGEST):
        data = read_at(fd, place, min(_LOOK, end - place))
        if not data:
            break
        if (newline := data.find(b"\n")) >= 0:
            return place + newline + 1
        place += len(data)
    place = near
    while place > start:
        begin = max(place - _LOOK, start)
        newline = read_at(fd, begin, place - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        place = begin
    return start
