"""The lines of merged streams that match a regular expression or have a level, found in a child process, newest first.

Text to places in files; nothing here draws. The child (`python -P -m mens_console.ingest.mergedfilter`) merges the same
files itself and walks back from their ends, so that what happened last is found first; what the files grow by meanwhile
is looked at between two steps of that.
"""

from __future__ import annotations

import json
import os
import re
import select
import struct
from array import array
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.ingest.filterchild import FilterChild
from mens_console.ingest.logpick import Pick
from mens_console.ingest.merged import UNKNOWN_BASE, Merged, MergedLine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mens_console.ingest.merged import Mark

MOST: Final = 1_000_000
"""Lines that are kept of what matches."""
_RECORD: Final = struct.Struct("<bhqd")
"""What it is, of which stream, where it begins (or how many lines were looked at), when it was written."""
_OLD, _NEW, _LOOKED, _DONE, _FULL = range(5)
_STEP: Final = 500
_NAMES: Final = 30_000
"""Numbers that requests have before they begin again."""


class MergedFilter(FilterChild):
    """The lines of a `Merged` that match and have one of some levels; as there, a line may have the level of its entry.

    Itself a source of lines, asked for from the end while the child works. `problem` says why it stopped early.
    """

    MODULE = "mens_console.ingest.mergedfilter"
    RECORD = _RECORD

    def __init__(
        self, merged: Merged, pattern: str, levels: Collection[str] = (), on_change: Callable[[], None] = lambda: None
    ) -> None:
        re.compile(pattern)
        self.merged = merged
        self.looked_at = 0
        self._generation = merged.generation
        self._old, self._new = _Places(), _Places()
        self._done, self._asked, self._answered = False, 0, 0
        paths = [os.fsencode(path).hex() for path in merged.paths]
        order = {"paths": paths, "since": merged.beginnings, "pattern": pattern, "levels": sorted(levels)}
        super().__init__(order, on_change)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether the child has something to look at."""
        return not self._done or self._answered < self._asked

    @property
    def place(self) -> str:
        """Where the child is."""
        return f"line {self.looked_at:,} from the end"

    def take(self, record: tuple[int, ...]) -> None:
        """Take in a line that matches, or how far the child is."""
        what, stream, offset, at = record
        if what == _OLD:
            self._old.add(stream, offset, at)
        elif what == _NEW:
            self._new.add(stream, offset, at)
        elif what == _LOOKED:
            self.looked_at = offset
            if stream == self._asked % _NAMES:
                self._answered = self._asked
        else:
            self._done = True
            if what == _FULL:
                self.problem = f"the newest {MOST:,} lines that match are kept; try a narrower one".replace(",", " ")

    @property
    def line_count(self) -> int | None:
        """How many lines matched; None until everything was looked at."""
        return len(self._old) + len(self._new) if self._done or self.problem else None

    @property
    def found(self) -> int:
        """How many lines matched so far."""
        return len(self._old) + len(self._new)

    @property
    def progress(self) -> float:
        """Share of the lines that were looked at; 0 while nobody knows how many there are."""
        count = self.merged.line_count
        return 1.0 if self._done else min(0.99, self.looked_at / count) if count else 0.0

    def lines(self, start: int, n: int) -> Sequence[MergedLine]:
        """Return matching lines, as `Merged.lines` does."""
        old, new = len(self._old), len(self._new)
        known = self.line_count is not None
        first = start if start >= 0 else old + new + start
        if not known and start < -UNKNOWN_BASE // 2:  # counted from the oldest that is found so far
            first = UNKNOWN_BASE + new + start
        base = 0 if known else UNKNOWN_BASE - old
        n, first = n + min(0, first), max(0, first)
        found = []
        for i in range(first, min(first + n, old + new)):
            stream, offset, at = self._old[old - 1 - i] if i < old else self._new[i - old]
            text = self.merged.text_at(stream, offset)
            if text is not None:
                found.append(MergedLine(text, base + i, stream, at, dated=False))
        return found

    @property
    def stale(self) -> bool:
        """Whether a file was started over since, so that a new filter is needed."""
        return self.merged.generation != self._generation

    def more(self) -> None:
        """Look at what the files have grown by."""
        if self.problem is None and not self._closed and self._asked - self._answered < 2:
            self._asked += 1
            self._say(self._asked % _NAMES)


class _Places:
    """Where lines are: of which stream, at which byte, written when."""

    def __init__(self) -> None:
        self._streams, self._offsets, self._times = array("h"), array("q"), array("d")

    def __len__(self) -> int:
        return len(self._times)

    def __getitem__(self, i: int) -> tuple[int, int, float]:
        return self._streams[i], self._offsets[i], self._times[i]

    def add(self, stream: int, offset: int, at: float) -> None:
        """Add one; the times come last, because they are what is counted."""
        self._streams.append(stream)
        self._offsets.append(offset)
        self._times.append(at)


class Child:
    """The child's side: looks back step by step, and ahead whenever a number comes; ends when nobody asks any more."""

    def __init__(self, merged: Merged, pattern: str, levels: Collection[str], write: Callable[[bytes], int]) -> None:
        self._merged, self._out = merged, write
        self._ahead, self._behind = Pick(pattern, levels), Pick(pattern, levels)
        self._mark: Mark = merged.end()
        self._back = merged.walk_back(self._mark.cut)
        self._looked = self._kept = 0
        self.done = False
        """Whether all that is older was looked at, or enough found."""

    def look_back(self) -> None:
        """Look at some more of what is older."""
        lines = list(islice(self._back, _STEP))
        self._looked += len(lines)
        all_seen = len(lines) < _STEP
        out = bytearray()
        for line in self._behind.backward(lines, final=all_seen):
            out += _RECORD.pack(_OLD, line.stream, line.offset, line.at)
            self._kept += 1
        self.done = all_seen or self._kept >= MOST
        out += _RECORD.pack(_LOOKED, -1, self._looked, 0.0)
        if self.done:
            out += _RECORD.pack(_DONE if all_seen else _FULL, 0, 0, 0.0)
        self._write(out)

    def look_ahead(self, asked: int) -> None:
        """Look at what came since the last time."""
        self._merged.refresh()
        lines, self._mark = self._merged.since(self._mark)
        out = bytearray()
        for line in self._ahead.forward(lines):
            out += _RECORD.pack(_NEW, line.stream, line.offset, line.at)
        self._write(out + _RECORD.pack(_LOOKED, asked, self._looked, 0.0))

    def _write(self, out: bytearray) -> None:
        while out:
            del out[: self._out(bytes(out[:65536]))]


def _serve() -> None:
    """Be the child."""
    heard = b""
    while b"\n" not in heard:
        heard += os.read(0, 1 << 16)
    first, _, heard = heard.partition(b"\n")
    order = json.loads(first)
    paths = [Path(os.fsdecode(bytes.fromhex(one))) for one in order["paths"]]
    merged = Merged(paths, watch=False, since=order["since"])
    child = Child(merged, order["pattern"], order["levels"], lambda out: os.write(1, out))
    while True:
        *asked, heard = heard.split(b"\n")
        if asked:
            child.look_ahead(int(asked[-1]))
        if child.done or select.select([0], [], [], 0)[0]:
            more = os.read(0, 1 << 16)
            if not more:
                return
            heard += more
        else:
            child.look_back()


if __name__ == "__main__":
    _serve()
