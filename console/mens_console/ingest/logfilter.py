"""The lines of a log that match a regular expression, found in a child process that can be killed.

Text to line numbers only; nothing here draws. The child (`python -P -m mens_console.ingest.logfilter`) sees at most
8192 characters of a line.
"""

from __future__ import annotations

import json
import os
import re
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Final

from mens_console.ingest.filterchild import FilterChild
from mens_console.ingest.logfile import BLOCK, SLICE
from mens_console.ingest.logtail import SGR, level_of
from mens_console.ingest.safeopen import open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mens_console.ingest.logtail import LogLine, LogTail

MATCH_CAP: Final = 8192
_RECORD: Final = struct.Struct("<qq")
_HEARTBEAT: Final = -1


class LogFilter(FilterChild):
    """The lines of a `LogTail` that match a regular expression and have one of some levels, found in a child process.

    Itself a source of lines: `line_count` grows while the child works. `problem` says why it stopped early. The
    expression is matched anywhere in the line; without capitals in it, capitals make no difference.
    """

    MODULE = "mens_console.ingest.logfilter"
    RECORD = _RECORD

    def __init__(
        self, tail: LogTail, pattern: str, levels: Collection[str] = (), on_change: Callable[[], None] = lambda: None
    ) -> None:
        re.compile(pattern)  # the operator hears of a mistake at once, as `re.error`
        self.tail, self.pattern, self.levels = tail, pattern, frozenset(levels)
        self.done = 0
        self._generation = tail.generation
        self._numbers, self._offsets = array("q"), array("q")
        self._told = 0
        order = {"path": os.fsencode(tail.path).hex(), "pattern": pattern, "levels": sorted(self.levels)}
        super().__init__(order, on_change)
        self.more()
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether the child has something to look at."""
        return self.done < self._told

    @property
    def place(self) -> str:
        """Where the child is."""
        return f"byte {self.done:,}"

    def take(self, record: tuple[int, ...]) -> None:
        """Take in a line that matches, or how far the child is."""
        number, offset = record
        if number == _HEARTBEAT:
            self.done = offset
        else:
            self._numbers.append(number)
            self._offsets.append(offset)

    @property
    def line_count(self) -> int:
        """How many lines matched so far."""
        return len(self._offsets)

    @property
    def found(self) -> int:
        """The same."""
        return self.line_count

    @property
    def progress(self) -> float:
        """Share of the file that was looked through."""
        return min(1.0, self.done / self.tail.size) if self.tail.size else 1.0

    def lines(self, start: int, n: int) -> Sequence[LogLine]:
        """Return matching lines, as `LogTail.lines` does."""
        count = self.line_count
        if start < 0:
            start = max(0, count + start)
        places = range(start, min(start + n, count))
        found = (self.tail.line_at(self._offsets[i], self._numbers[i]) for i in places)
        return [line for line in found if line is not None]

    @property
    def stale(self) -> bool:
        """Whether the file was started over since, so that a new filter is needed."""
        return self.tail.generation != self._generation

    def more(self) -> None:
        """Look through what the file has grown by."""
        if self.problem is None and not self._closed and self.tail.size > self._told:
            self._told = self.tail.size
            self._say(self._told)


def _serve() -> None:
    """Be the child: read what to look for, then sizes up to which to look, and write numbers and offsets."""
    order = json.loads(sys.stdin.readline())
    pattern: str = order["pattern"]
    flags = 0 if any(map(str.isupper, pattern)) else re.IGNORECASE
    search, levels = re.compile(pattern, flags).search, frozenset(order["levels"])
    fd, _ = open_regular(os.fsdecode(bytes.fromhex(order["path"])), follow=True)
    number = offset = 0
    for asked in sys.stdin:
        size = int(asked)
        while offset < size:
            out = bytearray()
            number, after = _sift(fd, (number, offset, size), lambda text: bool(search(text)), levels, out)
            stuck, offset = after == offset, after
            out += _RECORD.pack(_HEARTBEAT, size if stuck else offset)
            os.write(1, out)
            if stuck:  # only a line without an end is left
                break


def _sift(
    fd: int, place: tuple[int, int, int], wanted: Callable[[str], bool], levels: Collection[str], out: bytearray
) -> tuple[int, int]:
    """Look through the next block of whole lines; return the number and offset of the line after it."""
    number, offset, size = place
    data = read_at(fd, offset, min(BLOCK, size - offset))
    end = data.rfind(b"\n")
    while end < 0 and offset + len(data) < size:
        data += read_at(fd, offset + len(data), min(SLICE, size - offset - len(data)))
        end = data.rfind(b"\n")
    for raw in data[: end + 1].split(b"\n")[:-1] if end >= 0 else ():
        text = raw[: MATCH_CAP * 4].decode("utf-8", "backslashreplace")[:MATCH_CAP]
        if (not levels or level_of(text) in levels) and wanted(SGR.sub("", text)):
            out += _RECORD.pack(number, offset)
        number += 1
        offset += len(raw) + 1
    return number, offset


if __name__ == "__main__":
    _serve()
