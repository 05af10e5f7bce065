"""The lines of a log that match a regular expression, found in a child process that can be killed.

Text to line numbers only; nothing here draws. The child (`python -P -m mens_console.ingest.logfilter`) sees at most
8192 characters of a line. A line that tells no level has that of the line above that it belongs to.
"""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import time
from array import array
from typing import TYPE_CHECKING, Final

from mens_console.ingest.filterchild import FilterChild
from mens_console.ingest.logfile import BLOCK, SLICE, LogFile
from mens_console.ingest.logtail import SGR, level_of
from mens_console.ingest.safeopen import read_at
from mens_console.ingest.stamps import stamp_of
from mens_console.ingest.timeline import Timeline

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


class _Sifter:
    """The child's side: one file, looked through from its beginning."""

    def __init__(self, path: str, pattern: str, levels: Collection[str]) -> None:
        flags = 0 if any(map(str.isupper, pattern)) else re.IGNORECASE
        self._search = re.compile(pattern, flags).search
        self._levels = frozenset(levels)
        self._file = LogFile(path, follow=True)
        times = Timeline(self._file, time.time())
        self._dated, self._latest = times.dated, times.latest
        self._level: str | None = None
        self.number = self.offset = 0

    def sift(self, size: int) -> bytes:
        """Look through the next block of whole lines below `size`; return the records of those that pass."""
        data = read_at(self._file.fd, self.offset, min(BLOCK, size - self.offset))
        end = data.rfind(b"\n")
        while end < 0 and self.offset + len(data) < size:
            data += read_at(self._file.fd, self.offset + len(data), min(SLICE, size - self.offset - len(data)))
            end = data.rfind(b"\n")
        out = bytearray()
        for raw in data[: end + 1].split(b"\n")[:-1] if end >= 0 else ():
            text = raw[: MATCH_CAP * 4].decode("utf-8", "backslashreplace")[:MATCH_CAP]
            if self._passes(text):
                out += _RECORD.pack(self.number, self.offset)
            self.number += 1
            self.offset += len(raw) + 1
        return bytes(out)

    def _passes(self, text: str) -> bool:
        if self._levels:
            level = level_of(text)
            if level is not None or not self._goes_on(text):
                self._level = level
            if self._level not in self._levels:
                return False
        return self._search(SGR.sub("", text)) is not None

    def _goes_on(self, text: str) -> bool:
        """Say whether a line belongs to the one above it: indented, or without a time where others have one."""
        return (self._dated or text[:1] in (" ", "\t")) and stamp_of(text, self._latest) is None


def _serve() -> None:
    """Be the child: read what to look for, then sizes up to which to look, and write numbers and offsets."""
    order = json.loads(sys.stdin.readline())
    sifter = _Sifter(os.fsdecode(bytes.fromhex(order["path"])), order["pattern"], order["levels"])
    for asked in sys.stdin:
        size = int(asked)
        while sifter.offset < size:
            before = sifter.offset
            out = sifter.sift(size)
            stuck = sifter.offset == before
            os.write(1, out + _RECORD.pack(_HEARTBEAT, size if stuck else sifter.offset))
            if stuck:  # only a line without an end is left
                break


if __name__ == "__main__":
    _serve()
