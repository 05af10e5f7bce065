"""One stream of a merge: its file, the times of its lines, and what is wrong with it.

Nothing is merged here, and nothing is locked: `merged` does both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.ingest.logfile import LINE_CAP, SLICE, text_of
from mens_console.ingest.logtail import LogTail, level_of
from mens_console.ingest.safeopen import explain
from mens_console.ingest.timeline import Timeline
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mens_console.ingest.interleave import Run

AT_A_TIME: Final = 64
"""Blocks whose times are looked at between two looks at the outside."""


@dataclass(frozen=True, slots=True)
class MergedLine(ByValue):
    """One line as it was written; its number in the merge; which stream it is of.

    `at` is its time in seconds since the epoch: its own where it is `dated`, else that of the line it belongs to.
    `offset` is the byte of its file at which it begins.
    """

    text: str
    number: int
    stream: int
    at: float
    dated: bool
    offset: int = 0

    @property
    def level(self) -> str | None:
        """The level that it says it has."""
        return level_of(self.text)


class Nothing:
    """A stream that cannot be read."""

    blocks = range(1)

    def keys(self, block: int) -> Sequence[float]:
        """Return none."""
        return ()

    def ceiling(self, block: int) -> float:
        """Return that of the last block."""
        return math.inf

    def number(self, block: int) -> int:
        """Return that there is nothing before it."""
        return 0


class Stream:
    """One file, its times, and what is wrong with it."""

    def __init__(self, path: Path, number: int, at_once: int, since: int | None) -> None:
        self.path, self.number = path, number
        self._since = since
        self.tail: LogTail | None = None
        self.timeline: Timeline | None = None
        self.newest_from = math.inf
        """The time of the first of the lines that came last."""
        self.starts = 0
        """How often it was begun to be read, 1 at first."""
        self._problem: str | None = None
        self._at_once = at_once
        self._generation = 0
        self._late = False

    @property
    def problem(self) -> str | None:
        """Why it cannot be read now."""
        return self.tail.problem if self.tail is not None else self._problem

    @property
    def complete(self) -> bool:
        """Whether its lines are counted and the times of its blocks known."""
        if self.tail is None or self.timeline is None:
            return True
        return self.tail.file.complete and self.timeline.indexed

    @property
    def newlines(self) -> int:
        """How many lines came since it was opened, as long as they are not counted."""
        if self.tail is None:
            return 0
        return self.tail.file.appended + self.ends_open

    @property
    def ends_open(self) -> bool:
        """Whether its last line has no newline yet."""
        return self.tail is not None and self.tail.file.ends_open()

    def open(self, now: float) -> bool:
        """Try to open it; say whether that worked."""
        try:
            self.tail = LogTail(self.path, watch=False, at_once=self._at_once)
        except OSError as error:
            self._problem, self._late = explain(error), True
            return False
        # What appears while it is waited for came just now, all of it.
        self._start(now, since=0 if self._late else self._since)
        return True

    def _start(self, now: float, since: int | None) -> None:
        if self.tail is None:
            return
        self._generation = self.tail.generation
        self.starts += 1
        self.timeline = Timeline(self.tail.file, now, since=since)
        if self.tail.file.complete:
            while not self.timeline.advance(AT_A_TIME):
                pass

    def read(self, run: Run, first: int) -> list[MergedLine]:
        """Return the lines of a run, numbered from `first` on."""
        if self.tail is None or self.timeline is None:
            return []
        block = self.timeline.block(run.block)
        found: list[MergedLine] = []
        for i in range(run.start, run.stop):
            offset = block.starts[i]
            start = offset - block.offset
            stop = block.data.find(b"\n", start)
            if stop < 0 or stop - start > LINE_CAP:
                text = next(iter(self.tail.file.read(offset, 1)), "")
            else:
                text = text_of(block.data[start:stop])
            at, dated = block.keys[i], bool(block.dated[i])
            found.append(MergedLine(text, first + len(found), self.number, at, dated, offset))
        return found

    def count(self) -> None:
        """Count some more."""
        if self.tail is not None and self.timeline is not None:
            if not self.tail.file.complete:
                self.tail.file.count(SLICE)
            if not self.timeline.indexed:
                self.timeline.advance(AT_A_TIME)

    def refresh(self, now: float) -> str:
        """Look at it; return what happened: "new" (it starts over), "grown", "told" (a problem came or went), or ""."""
        if self.tail is None or self.timeline is None:
            return "new" if self.open(now) else ""
        if not self.tail.refresh():
            return ""
        if self.tail.generation != self._generation or (not self.timeline.size and self.tail.size):
            self._start(now, since=0)
            return "new"
        if self.tail.size == self.timeline.size:
            return "told"
        block = self.timeline.blocks[-1]
        there = len(self.timeline.keys(block))
        self.timeline.grow(now)
        keys = self.timeline.keys(block)
        self.newest_from = keys[there] if there < len(keys) else self.timeline.ceiling(block)
        return "grown"

    def count_all(self) -> None:
        """Count what it has grown by."""
        if self.tail is not None:
            self.tail.file.count(self.tail.size)

    def close(self) -> None:
        """Give the descriptor back."""
        if self.tail is not None:
            self.tail.close()
