"""Following a file of another load tool as it grows or is written anew; and reading it once.

Times are seconds since the epoch. Nothing is raised for what a file does once it is followed: the report says it.
"""

# A name may hold any bytes, which `os` calls take as they are.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Final, Protocol

from mens_console.ingest.formats.base import Format
from mens_console.ingest.formats.lines import BOM
from mens_console.ingest.records import Batch
from mens_console.ingest.safeopen import BackOff, explain, open_regular, read_at, read_small
from mens_console.ingest.tail import Tail
from mens_console.ingest.text import safe_text
from mens_console.soak.imports.drawn import Drawer
from mens_console.soak.imports.outcome import Outcome, analysis
from mens_console.soak.imports.registry import HEAD, LARGEST, Kind, Lines, read_document, recognise
from mens_console.soak.types import Analysis, State

QUIET_S: Final = 90.0
"""A file that did not grow for so long (longer than a request may take) is no longer written."""
_PIECE: Final = 4 << 20
"""Bytes of a look."""
_TOOLS: Final = "guidellm, vLLM bench serve, aiperf, locust or k6"


class UnreadableError(ValueError):
    """A file that is none of a load tool, or cannot be read; its text names the file, what is wrong, and the cure."""


class Follower(Protocol):
    """Who reads a file as it grows."""

    @property
    def report(self) -> Analysis:
        """What is known now; the same object while nothing changed."""
        ...

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        ...

    def poll(self, now: float) -> bool:
        """Read what is new; whether anything changed."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


def claims(path: str | os.PathLike[str]) -> str | None:
    """Return the tool that wrote a file, by its first bytes; None for any other file, or one that cannot be read."""
    try:
        kind = recognise(read_small(os.fspath(path), HEAD, follow=True))
    except OSError:
        return None
    return kind.tool if kind else None


def load(path: str | os.PathLike[str], *, now: float | None = None) -> Analysis:
    """Read a file once, to its end; `UnreadableError` where that cannot be done."""
    at = time.time() if now is None else now
    follower = follow(path)
    try:
        while follower.poll(at) or follower.more:
            pass  # the last look finds nothing new
        report = follower.report
    finally:
        follower.close()
    if report.state == "unknown":
        raise UnreadableError(report.why)
    return report


def follow(path: str | os.PathLike[str]) -> Follower:
    """Return who follows a file; `UnreadableError` where it is none of a load tool now."""
    name = os.fspath(path)
    shown = safe_text(name)
    try:
        head = read_small(name, HEAD, follow=True)
    except OSError as error:
        raise UnreadableError(f"{shown}: {explain(error).removesuffix(': it is tried again')}") from None
    kind = recognise(head)
    if not head.strip():
        raise UnreadableError(f"{shown}: it is empty: follow it once its tool wrote something")
    if kind is None:
        raise UnreadableError(f"{shown}: it is no result of {_TOOLS}, or was cut off at its beginning")
    return DocumentFollower(name) if kind.begin is None else LinesFollower(name, kind)


class DocumentFollower:
    """Reads a file as a whole each time it changed; the last good reading stands while it cannot be read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._back_off = BackOff()
        self._report = _nothing(path, "", "it was not read yet")

    @property
    def report(self) -> Analysis:
        """What is known now."""
        return self._report

    @property
    def more(self) -> bool:
        """Never: it is read at once."""
        return False

    def poll(self, now: float) -> bool:
        """Read it if it changed; whether the report did."""
        if not self._back_off.ready(now):
            return False
        try:
            return self._look()
        except OSError as error:
            self._back_off.failed(now, soon=isinstance(error, FileNotFoundError))
            self._seen = ()
            return self._failed(explain(error))

    def close(self) -> None:
        """Nothing is kept open."""

    def _look(self) -> bool:
        status = os.stat(self._path)
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key == self._seen:
            return False
        fd, status = open_regular(self._path, follow=True)
        try:
            data = read_at(fd, 0, LARGEST + 1)
        finally:
            os.close(fd)
        self._seen = key
        self._back_off.worked()
        if len(data) > LARGEST:
            size, most = status.st_size >> 20, LARGEST >> 20
            return self._failed(f"it has {size} MiB, and is read up to {most} MiB: keep fewer samples")
        try:
            found = read_document(data)
        except ValueError as error:
            return self._failed(str(error))
        self._report = analysis(found, self._path, self._report.rev + 1, "imported", f"results of {found.source}")
        return True

    def _failed(self, why: str) -> bool:
        """Say what is wrong; whether that is news."""
        text = safe_text(f"{self._path}: {why}", 500)
        old = self._report
        if old.state != "unknown":
            if text in old.problems:
                return False
            self._report = replace(old, rev=old.rev + 1, problems=(*old.problems, text))
            return True
        if text == old.why:
            return False
        self._report = replace(old, rev=old.rev + 1, why=text, problems=(text,))
        return True


def _nothing(path: str, tool: str, why: str) -> Analysis:
    """Return a report of nothing."""
    return analysis(Outcome(tool), path, 0, "unknown", safe_text(f"{path}: {why}", 500))


class _Feeder:
    """Hands whole lines on; the decoder of one generation of a file."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._number = 0

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Take what lines are whole, and with `final` the last one as it is."""
        del at
        end = len(data) if final else data.rfind(b"\n") + 1
        rows = 0
        for line in data[:end].splitlines():
            self._number += 1
            if self._number == 1:
                line = line.removeprefix(BOM)
            if line.strip():
                self._lines.add(line, self._number)
                rows += 1
        return end, Batch(rows=rows)


class LinesFollower:
    """Reads a file line by line as it grows; a torn last line waits until it is whole or the file is quiet."""

    def __init__(self, path: str, kind: Kind) -> None:
        assert kind.begin is not None
        self._path, self._tool, self._begin = path, kind.tool, kind.begin
        self._lines: Lines = self._begin()
        self._drawer = Drawer()
        self._tail = Tail(path, Format(kind.tool, 0, lambda *_: False, self._decoder), follow=True)
        self._state: State = "unknown"
        self._problem: str | None = None
        self._rev = 0
        self._made: Analysis | None = None

    @property
    def report(self) -> Analysis:
        """What is known now; made when it is asked for."""
        if self._made is None:
            self._made = self._make()
        return self._made

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        return self._tail.more

    def poll(self, now: float) -> bool:
        """Read what is new, some MiB at most; whether anything changed."""
        quiet = self._quiet(now)
        chunk = self._tail.poll(now, limit=_PIECE, final=quiet)
        state: State = "imported" if quiet else "running"
        if chunk is None and (state, self._tail.problem) == (self._state, self._problem):
            return False
        self._state, self._problem = state, self._tail.problem
        self._rev += 1
        self._made = None
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        self._tail.close()
        self._tail.fds.close()

    def _decoder(self) -> _Feeder:
        """Begin anew: the file is another one, or was cut."""
        self._lines, self._drawer = self._begin(), Drawer()
        return _Feeder(self._lines)

    def _quiet(self, now: float) -> bool:
        try:
            return abs(now - os.stat(self._path).st_mtime) > QUIET_S
        except OSError:
            return True

    def _make(self) -> Analysis:
        found = self._lines.outcome()
        why = f"lines of {self._tool}"
        why += f"; it grew within {QUIET_S:.0f} s" if self._state == "running" else f"; quiet for {QUIET_S:.0f} s"
        made = analysis(found, self._path, self._rev, self._state, why, self._drawer)
        problems = (*made.problems, *self._lines.problems(), *((self._problem,) if self._problem else ()))
        return replace(made, problems=tuple(safe_text(one, 500) for one in problems))
