"""Which lines of merged streams are wanted: by level and by a regular expression, read from either side.

A line that tells no level has that of the line above it in the same entry: a traceback is an error to its last line. An
entry is a line with a time and those without one that follow it in its stream; where no line has one, a line and those
that follow it indented.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mens_console.ingest.logtail import LEVELS, SGR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from mens_console.ingest.merged import MergedLine

MATCH_CAP: Final = 8192
"""Characters of a line that the expression sees."""
_LONGEST_ENTRY: Final = 2000
"""Lines that are held until the one that they belong to is found."""


def worse(level: str) -> tuple[str, ...]:
    """Return a level and those that are worse."""
    return LEVELS[: LEVELS.index(level) + 1]


class Pick:
    """Says which lines are wanted. The expression is matched anywhere in a line, without its colours.

    Without capitals in the expression, capitals make no difference. Raises `re.error` for a mistake in it.
    """

    def __init__(self, pattern: str = "", levels: Collection[str] = ()) -> None:
        flags = 0 if any(map(str.isupper, pattern)) else re.IGNORECASE
        self._search = re.compile(pattern, flags).search if pattern else None
        self._levels = frozenset(levels)
        self._last: dict[int, str | None] = {}
        self._held: dict[int, list[MergedLine]] = {}

    def forward(self, lines: Iterable[MergedLine]) -> Iterator[MergedLine]:
        """Yield what is wanted of lines that come in order; entries may go on in the next call."""
        if not self._levels:
            yield from (line for line in lines if self._wants(line, None))
            return
        for line in lines:
            level = line.level
            if level is not None or line.dated:
                self._last[line.stream] = level
            if self._wants(line, self._last.get(line.stream)):
                yield line

    def backward(self, lines: Iterable[MergedLine], *, final: bool = True) -> Iterator[MergedLine]:
        """Yield what is wanted of lines that come newest first, newest first; unless `final`, older ones follow."""
        if not self._levels:
            yield from (line for line in lines if self._wants(line, None))
            return
        for line in lines:
            entry = self._held.setdefault(line.stream, [])
            entry.append(line)
            if line.dated or len(entry) >= _LONGEST_ENTRY:
                yield from self._entry(self._held.pop(line.stream))
        while final and self._held:
            yield from self._entry(self._held.popitem()[1])

    def _entry(self, entry: list[MergedLine]) -> list[MergedLine]:
        """Return what is wanted of an entry whose lines come last first."""
        level, found = None, []
        for line in reversed(entry):
            level = line.level or level
            if self._wants(line, level):
                found.append(line)
        return found[::-1]

    def _wants(self, line: MergedLine, level: str | None) -> bool:
        if self._levels and level not in self._levels:
            return False
        return self._search is None or self._search(SGR.sub("", line.text[:MATCH_CAP])) is not None
