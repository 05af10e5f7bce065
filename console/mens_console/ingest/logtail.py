"""One log stream of any size, readable from its end at once: lines by number, levels, and growth.

Bytes to lines only; nothing here draws, and what lines mean for a run is the formats' business.

Line numbers come from counting newlines in blocks of 64 KiB, kept as one running total a block (16 bytes for 64 KiB
of log), so that any line is found by one bisection and one read. The counting runs on a thread; until it is done,
lines are asked for from the end, which needs nothing but the last blocks.
"""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.ingest.logfile import SLICE, LogFile
from mens_console.ingest.safeopen import explain, read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

AT_ONCE: Final = 1 << 25
"""A file of up to 32 MiB is counted before it is shown (some 20 ms), so that its line numbers never change."""
POLL_S: Final = 1.0
TELL_S: Final = 0.25
"""Between two reports of the counting's progress."""
_UNKNOWN_BASE: Final = 1 << 40

LEVELS: Final = ("critical", "error", "warning", "info", "debug")
_NAMES: Final = {"fatal": "critical", "err": "error", "warn": "warning", "trace": "debug", "notice": "info"}
_GLOG: Final = {"I": "info", "W": "warning", "E": "error", "F": "critical"}
_LEVEL: Final = re.compile(
    r"\b(CRITICAL|FATAL|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE)\b"
    r"|(?:\"(?:level|levelname|severity)\"\s*:\s*\"|\blevel=\"?)(\w{1,12})"
    r"|^(?:\[?(?:critical|fatal|error|warning|warn|info|debug|trace)\b)"
    r"|^(?:\[[\w:]{1,16}\]:?\s?)?([IWEF])(?:20\d\d)?\d{4} \d\d:\d\d"
)
_RAISED: Final = re.compile(
    r"^(?:\[[\w:]{1,16}\]:?\s?)?(?:Traceback \(most recent call last\)|[A-Za-z_][\w.]{0,80}(?:Error|Exception)\b)"
)
SGR: Final = re.compile(r"\x1b\[[\d;]{0,32}m")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it was written, without its newline; its level if it says one; its number from 0."""

    text: str
    level: str | None = None
    number: int = 0


def level_of(text: str) -> str | None:
    """Return the level that a line says it has, looking at its first 200 characters."""
    head = SGR.sub("", text[:240])[:200]
    match = _LEVEL.search(head)
    if match is None:
        return "error" if _RAISED.match(head) else None
    if match[3]:
        return _GLOG[match[3]]
    word = (match[1] or match[2] or match[0].lstrip("[")).lower()
    word = _NAMES.get(word, word)
    return word if word in LEVELS else None


class LogTail:
    """A growing log file. `on_change` is called on a thread of its own whenever there is something new to show.

    Raises `OSError` where the file cannot be opened. Reading is safe from any thread. A file that is truncated,
    rotated or replaced is started over; `generation` counts these.
    """

    def __init__(
        self, path: Path, on_change: Callable[[], None] = lambda: None, *, follow: bool = True, watch: bool = True,
        at_once: int | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self.generation = 0
        self.problem: str | None = None
        """Why the path cannot be read now, with its cure."""
        self._follow = follow
        self._on_change = on_change
        self._lock = threading.RLock()
        self.file = LogFile(str(path), follow=follow)
        self._wake = threading.Event()
        self._closed = False
        self._at_once = AT_ONCE if at_once is None else at_once
        self.file.count(self._at_once if self.file.size <= self._at_once else 0)
        self._thread: threading.Thread | None = None
        if watch:
            self._thread = threading.Thread(target=self._loop, name="log", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop looking and give the descriptor back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)
        with self._lock:
            os.close(self.file.fd)

    # Lines

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.size

    @property
    def progress(self) -> float:
        """Share of the file whose lines are counted."""
        file = self.file
        return min(1.0, file.counted / file.size) if file.size else 1.0

    @property
    def line_count(self) -> int | None:
        """How many lines there are, one that is still being written included; None until they are counted."""
        with self._lock:
            file = self.file
            if self._closed or not file.complete:
                return 0 if self._closed else None
            return file.newlines + file.ends_open()

    def lines(self, start: int, n: int) -> list[LogLine]:
        """Return up to `n` lines from line `start` on; a negative `start` counts from the end.

        Until the lines are counted, only negative starts are possible, and numbers only keep their distance. One from
        very far off is taken as counted from the beginning, as far as that is known.
        """
        with self._lock:
            if self._closed or n <= 0:
                return []
            file, count = self.file, self.line_count
            if start >= 0:
                if count is None or start >= count:
                    return []
                offset, number = file.line_start(start), start
            elif count is not None:
                return self.lines(max(0, count + start), min(n, n if count + start >= 0 else n + count + start))
            elif -start > _UNKNOWN_BASE // 2:
                number = _UNKNOWN_BASE + file.appended + start
                if not 0 <= number <= file.newlines:
                    return []
                offset = file.line_start(number)
            else:
                offset, have = file.tail_start(-start)
                number = _UNKNOWN_BASE + file.appended - have
            return [LogLine(text, level_of(text), number + i) for i, text in enumerate(file.read(offset, n))]

    def line_at(self, offset: int, number: int) -> LogLine | None:
        """Return the line that starts at a byte offset (as a filter remembers it)."""
        with self._lock:
            text = None if self._closed else next(self.file.read(offset, 1), None)
        return None if text is None else LogLine(text, level_of(text), number)

    def place_of(self, moment: float) -> int | None:
        """Return the first line that is not before a moment (seconds since the epoch).

        None where the last lines tell no time, and while lines are not counted.
        """
        from mens_console.ingest import interleave
        from mens_console.ingest.timeline import Timeline

        with self._lock:
            if self._closed or not self.file.complete:
                return None
            times = [Timeline(self.file, time.time())]
            return interleave.rank(times, interleave.before(times, moment)) if times[0].dated else None

    # Growth

    def refresh(self) -> bool:
        """Look at the file now; say whether anything changed."""
        with self._lock:
            return not self._closed and self._look()

    def _look(self) -> bool:
        file, problem = self.file, self.problem
        try:
            status = self.path.stat()
            self.problem = None
            replaced = (status.st_dev, status.st_ino) != file.identity
            if replaced or status.st_size < file.size or self._rewritten(file, status.st_size):
                self._start_over()
                return True
        except OSError as error:
            # What is open stays readable: a log that was rotated away is still a log.
            self.problem = explain(error)
            return self.problem != problem
        if status.st_size == file.size:
            return problem is not None
        was, complete = file.size, file.complete
        file.size = status.st_size
        if complete:
            before = file.newlines
            file.count(SLICE)
            file.appended += file.newlines - before
        else:
            file.appended += read_at(file.fd, was, min(SLICE, file.size - was)).count(b"\n")
        file.mtime = status.st_mtime
        if len(file.head) < 256:
            file.head = read_at(file.fd, 0, 256)
        return True

    @staticmethod
    def _rewritten(file: LogFile, size: int) -> bool:
        """Say whether a file that grew begins differently now: it was truncated and written again in between."""
        return size != file.size and read_at(file.fd, 0, len(file.head)) != file.head

    def _start_over(self) -> None:
        fresh = LogFile(str(self.path), follow=self._follow)
        fresh.count(self._at_once if fresh.size <= self._at_once else 0)
        os.close(self.file.fd)
        self.file = fresh
        self.generation += 1

    def _loop(self) -> None:
        stop = hints({self.path.parent}, self._wake.set)
        told = 0.0
        while not self._closed:
            with self._lock:
                file = self.file
                was_complete = file.complete
                if not was_complete and not self._closed:
                    file.count(SLICE)
                complete = file.complete
            changed = self.refresh() or complete != was_complete
            if changed or (not complete and time.monotonic() - told > TELL_S):
                told = time.monotonic()
                self._on_change()
            if complete and self._wake.wait(POLL_S):
                self._wake.clear()
        if stop is not None:
            stop()


def hints(folders: Iterable[Path], wake: Callable[[], None]) -> Callable[[], None] | None:
    """Have `wake` called when something happens in a folder; None where the kernel gives no hints.

    What is returned ends that. Where the limit of watches is reached, or the file system has none, the beat of
    `POLL_S` is left.
    """
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Handler(FileSystemEventHandler):
        """Passes on that there was something, whatever it was."""

        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("modified", "created", "moved", "deleted"):
                wake()

    observer = Observer()
    try:
        for folder in folders:
            observer.schedule(Handler(), str(folder), recursive=False)
        observer.start()
    except OSError:
        return None
    return observer.stop
