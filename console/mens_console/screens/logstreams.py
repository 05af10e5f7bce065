"""The log streams of the box: their rows, which of them are meant together, and what is read of them.

Nothing is read here but what `ingest` gives; nothing is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mens_console.ingest.logfilter import LogFilter
from mens_console.ingest.lognames import short_names
from mens_console.ingest.logtail import LogTail
from mens_console.ingest.merged import Merged
from mens_console.ingest.mergedfilter import MergedFilter
from mens_console.ingest.stamps import time_of
from mens_console.ingest.text import safe_text
from mens_console.screens.words import age
from mens_console.signals.human import size, some
from mens_widgets.grid import Cell, Column, Row
from mens_widgets.logview import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mens_console.store.snapshot import Snapshot

COLUMNS: Final = (
    Column("run", "run", 16, flex=3, priority=9, cut="middle"),
    Column("file", "file", 10, flex=2, priority=10, cut="middle"),
    Column("size", "size", 7, align="right", priority=5),
    Column("age", "age", 4, align="right", priority=7),
)
FRESH_S: Final = 60.0
"""For how long after its last line a stream counts as one that is being written."""
TAG: Final = 18
"""Columns of a stream's name before its lines, at most."""

_ABOVE: Final = 500
"""Lines above one that may tell its time."""


class Stream(NamedTuple):
    """One stream: the run or folder it belongs to, by id and name, its file, bytes, last writing, and what is wrong."""

    owner: str
    name: str
    path: Path
    size: int
    updated: float
    problem: str | None = None

    @property
    def key(self) -> str:
        """What names the row."""
        return str(self.path)


Kind = Literal["one", "run", "marked", "all"]


@dataclass(frozen=True)
class Choice:
    """What is read: one stream, or several by time, and what these are in words (untrusted text)."""

    streams: tuple[Stream, ...]
    words: str
    kind: Kind = "one"

    @property
    def merged(self) -> bool:
        """Whether several streams are read."""
        return self.kind != "one"

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, which with the kind tell one choice from another."""
        return tuple(stream.path for stream in self.streams)


def streams(snapshot: Snapshot) -> list[Stream]:
    """Return all log streams, the one written to last first; those of the last minute by their names.

    Streams that are written all the time would change places under the cursor with every line.
    """
    found = [
        Stream(run.id, run.name, source.path, source.size, source.updated, source.problem)
        for run in snapshot.runs
        for source in run.sources
        if source.path in run.logs
    ]
    found += [Stream(one.owner, one.owner, one.path, one.size, one.updated) for one in snapshot.strays]

    def place(stream: Stream) -> tuple[float, str, str]:
        fresh = stream.updated > snapshot.at - FRESH_S
        return (-math.inf if fresh else -stream.updated, stream.name.casefold() if fresh else "", stream.key)

    return sorted(found, key=place)


def alone(stream: Stream) -> Choice:
    """Return one stream as a choice."""
    named = stream.name and stream.name != stream.path.name
    return Choice((stream,), f"{stream.name} · {stream.path.name}" if named else stream.path.name)


def together(found: Sequence[Stream], here: Stream, marked: Sequence[str]) -> list[Choice]:
    """Return what may be merged, from where the cursor is: the marked streams, else those of the run; then all."""
    choices = []
    if len(chosen := [stream for stream in found if stream.key in marked]) > 1:
        choices.append(Choice(tuple(chosen), f"{len(chosen)} marked streams", "marked"))
    elif len(own := [stream for stream in found if stream.owner == here.owner]) > 1:
        choices.append(Choice(tuple(own), f"{len(own)} streams of {here.name}", "run"))
    if len(found) > 1 and not (choices and len(choices[0].streams) == len(found)):
        choices.append(Choice(tuple(found), f"all {len(found)} streams", "all"))
    return choices


def row(stream: Stream, now: float) -> Row:
    """Return the row of a stream."""
    seen = age(stream.updated, now)
    name = Cell(safe_text(stream.path.name, 80), "critical" if stream.problem else "")
    cells = (safe_text(stream.name, 200), name, size(stream.size), Cell(seen, "muted"))
    return Row(stream.key, cells, (stream.size, seen, stream.problem))


def next_choice(now: Choice | None, found: Sequence[Stream], here: Stream, marked: Sequence[str]) -> Choice | None:
    """Return what is read after `now`: one stream, several, all, and one again; None where there is but one."""
    steps = [alone(here), *together(found, here, marked)]
    kinds = [choice.kind for choice in steps]
    at = kinds.index(now.kind) if now is not None and now.kind in kinds else 0
    return steps[(at + 1) % len(steps)] if len(steps) > 1 else None


# What is read


class Opened:
    """The log of a choice, and its filter; raises `OSError` where the one stream cannot be opened.

    `grown` is called on other threads when there is something new.
    """

    def __init__(self, choice: Choice, grown: Callable[[], None]) -> None:
        self.choice = choice
        self.filter: LogFilter | MergedFilter | None = None
        self._grown = grown
        self.log: LogTail | Merged = Merged(choice.paths, grown) if choice.merged else LogTail(choice.paths[0], grown)
        names = short_names([(stream.name, stream.path) for stream in choice.streams])
        self._names = names if choice.merged else []
        self.tags = min(TAG, max(map(len, self._names), default=0))

    def close(self) -> None:
        """Give files and children back."""
        for thing in (self.filter, self.log):
            if thing is not None:
                thing.close()
        self.filter = None

    def sieve(self, pattern: str, levels: Sequence[str]) -> None:
        """Look for lines that match and have one of the levels; for nothing where neither is given."""
        if self.filter is not None:
            self.filter.close()
        if not pattern and not levels:
            self.filter = None
        elif isinstance(self.log, Merged):
            self.filter = MergedFilter(self.log, pattern, levels, self._grown)
        else:
            self.filter = LogFilter(self.log, pattern, levels, self._grown)

    @property
    def line_count(self) -> int | None:
        """How many lines there are to show; None while that is not known."""
        return (self.filter or self.log).line_count

    def lines(self, start: int, n: int) -> list[LogLine]:
        """Return up to n lines from `start` on."""
        found = (self.filter or self.log).lines(start, n)
        if not self._names:
            return [LogLine(line.text, line.level, line.number) for line in found]
        tagged = ((line, getattr(line, "stream", 0)) for line in found)
        return [LogLine(line.text, line.level, line.number, self._names[i], i) for line, i in tagged]

    def place_of(self, moment: float) -> int | None:
        """Return the first line that is not before a moment; None where it cannot be told (yet)."""
        return self.log.place_of(moment)

    def time_at(self, index: int) -> float | None:
        """Return when a line was written; None where that is not told, or lines are filtered or not counted."""
        if self.filter is not None or self.log.line_count is None:
            return None
        if isinstance(self.log, Merged):
            return next((line.at for line in self.log.lines(index, 1)), None)
        above = self.log.lines(max(0, index - _ABOVE), min(index, _ABOVE) + 1)
        told = (time_of(line.text, self.log.file.mtime) for line in reversed(above))
        return next((at for at in told if at is not None), None)

    def count(self) -> str:
        """Return how many lines there are, in words."""
        count = self.log.line_count
        return f"counting lines {self.log.progress:.0%}" if count is None else some(count, "line")

    def notes(self) -> list[str]:
        """Return what else is to be said of the streams: bytes, and what is wrong or left out."""
        log = self.log
        notes = [size(log.size)]
        if isinstance(log, LogTail):
            return [*notes, log.problem or ""]
        if log.left_out:
            notes.append(f"{some(log.left_out, 'stream')} left out, the quietest")
        if unread := [self._names[i] for i, problem in enumerate(log.problems) if problem]:
            first = next(problem for problem in log.problems if problem)
            notes.append(f"unreadable: {_few(unread)} ({first})")
        if log.undated:
            notes.append(f"no times in {_few([self._names[i] for i in log.undated])}: only new lines")
        return notes


def _few(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
