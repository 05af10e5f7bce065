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
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.ingest.safeopen import explain, open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK: Final = 1 << 16
SLICE: Final = 1 << 22
"""Bytes counted between two looks at the outside."""
AT_ONCE: Final = 1 << 25
"""A file of up to 32 MiB is counted before it is shown (some 20 ms), so that its line numbers never change."""
LINE_CAP: Final = 1 << 16
GIANT: Final = 1 << 20
POLL_S: Final = 1.0
TELL_S: Final = 0.25
"""Between two reports of the counting's progress."""
_UNKNOWN_BASE: Final = 1 << 40

LEVELS: Final = ("critical", "error", "warning", "info", "debug")
_NAMES: Final = {"fatal": "critical", "err": "error", "warn": "warning", "trace": "debug", "notice": "info"}
_GLOG: Final = {"I": "info", "W": "warning", "E": "error", "F": "critical"}
_LEVEL: Final = re.compile(
    r"\b(CRITICAL|FATAL|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE)\b"
    r"|\"(?:level|levelname|severity)\"\s*:\s*\"(\w{1,12})\""
    r"|^(?:\[?(?:critical|fatal|error|warning|warn|info|debug|trace)\b)"
    r"|^([IWEF])\d{4} \d\d:\d\d"
)
_RAISED: Final = re.compile(r"^(?:Traceback \(most recent call last\)|[A-Za-z_][\w.]{0,80}(?:Error|Exception)\b)")
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


class _File:
    """One generation of the file: its descriptor, its size, and how many newlines there are before each block."""

    def __init__(self, path: str, *, follow: bool) -> None:
        self.fd, status = open_regular(path, follow=follow)
        self.identity = (status.st_dev, status.st_ino)
        self.size = status.st_size
        self.head = read_at(self.fd, 0, 256)
        self.before = array("q", [0])
        self.counted = 0
        self.newlines = 0
        self.appended = 0

    @property
    def complete(self) -> bool:
        """Whether every byte is counted."""
        return self.counted >= self.size

    def count(self, most: int) -> None:
        """Count up to `most` further bytes."""
        end = min(self.size, self.counted + most)
        while self.counted < end:
            data = read_at(self.fd, self.counted, min(SLICE, end - self.counted))
            if not data:  # it shrank; `refresh` will notice
                self.size = self.counted
                return
            place = 0
            while place < len(data):
                stop = min(len(data), place + BLOCK - (self.counted % BLOCK))
                self.newlines += data.count(b"\n", place, stop)
                self.counted += stop - place
                place = stop
                if self.counted % BLOCK == 0:
                    self.before.append(self.newlines)

    def ends_open(self) -> bool:
        """Say whether the last line has no newline yet."""
        return self.size > 0 and read_at(self.fd, self.size - 1, 1) != b"\n"

    def line_start(self, number: int) -> int:
        """Return where line `number` starts; needs the blocks before it counted."""
        if number <= 0:
            return 0
        block = bisect_left(self.before, number) - 1
        data = read_at(self.fd, block * BLOCK, BLOCK)
        place = -1
        for _ in range(number - self.before[block]):
            place = data.index(b"\n", place + 1)
        return block * BLOCK + place + 1

    def tail_start(self, lines: int) -> tuple[int, int]:
        """Return where the last `lines` lines start, and how many there are if the file has fewer."""
        end, found = self.size, 0
        wanted = lines + (0 if self.ends_open() else 1)
        while end > 0:
            start = (end - 1) // BLOCK * BLOCK
            data = read_at(self.fd, start, end - start)
            count = data.count(b"\n")
            if found + count >= wanted:
                place = len(data)
                for _ in range(wanted - found):
                    place = data.rindex(b"\n", 0, place)
                return start + place + 1, lines
            found += count
            end = start
        return 0, found + 1 - (wanted - lines)

    def read(self, offset: int, n: int) -> Iterator[str]:
        """Yield up to `n` lines from an offset at which one starts."""
        left = n
        while left > 0 and offset < self.size:
            data = read_at(self.fd, offset, min(max(BLOCK, left * 256), GIANT, self.size - offset))
            if not data:
                return
            *whole, rest = data.split(b"\n")
            at_end = offset + len(data) >= self.size
            for piece in whole[:left]:
                yield _text(piece)
            left -= len(whole)
            offset += len(data) - len(rest)
            if left > 0 and rest and at_end:
                yield _text(rest)
                return
            if left > 0 and not whole:
                text, offset = self._giant(offset)
                left -= 1
                yield text

    def _giant(self, start: int) -> tuple[str, int]:
        """Return a line longer than `GIANT` (its end where it redraws itself, else its beginning) and what follows."""
        place = start
        while place < self.size:
            data = read_at(self.fd, place, SLICE)
            cut = data.find(b"\n")
            if cut >= 0 or not data:
                place += max(cut, 0)
                break
            place += len(data)
        tail = read_at(self.fd, max(start, place - LINE_CAP), min(LINE_CAP, place - start))
        if (redrawn := tail.rfind(b"\r", 0, -1)) >= 0:
            return _text(tail[redrawn + 1 :]), place + 1
        return _text(read_at(self.fd, start, min(LINE_CAP, place - start))), place + 1


def _text(raw: bytes) -> str:
    if len(raw) > LINE_CAP:
        redrawn = raw.rfind(b"\r", 0, len(raw) - 1)
        raw = raw[redrawn + 1 :][:LINE_CAP] if redrawn >= 0 else raw[:LINE_CAP]
    return raw.decode("utf-8", "backslashreplace")


class LogTail:
    """A growing log file. `on_change` is called on a thread of its own whenever there is something new to show.

    Raises `OSError` where the file cannot be opened. Reading is safe from any thread. A file that is truncated,
    rotated or replaced is started over; `generation` counts these.
    """

    def __init__(
        self, path: Path, on_change: Callable[[], None] = lambda: None, *, follow: bool = True, watch: bool = True
    ) -> None:
        self.path = path
        self.generation = 0
        self.problem: str | None = None
        self._follow = follow
        self._on_change = on_change
        self._lock = threading.RLock()
        self._file = _File(str(path), follow=follow)
        self._wake = threading.Event()
        self._closed = False
        self._file.count(AT_ONCE if self._file.size <= AT_ONCE else 0)
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
            os.close(self._file.fd)

    # Lines

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._file.size

    @property
    def progress(self) -> float:
        """Share of the file whose lines are counted."""
        file = self._file
        return min(1.0, file.counted / file.size) if file.size else 1.0

    @property
    def line_count(self) -> int | None:
        """How many lines there are, one that is still being written included; None until they are counted."""
        with self._lock:
            file = self._file
            if self._closed or not file.complete:
                return 0 if self._closed else None
            return file.newlines + file.ends_open()

    def lines(self, start: int, n: int) -> list[LogLine]:
        """Return up to `n` lines from line `start` on; a negative `start` counts from the end.

        Until the lines are counted, only negative starts are possible, and numbers only keep their distance.
        """
        with self._lock:
            if self._closed or n <= 0:
                return []
            file, count = self._file, self.line_count
            if start >= 0:
                if count is None or start >= count:
                    return []
                offset, number = file.line_start(start), start
            elif count is not None:
                return self.lines(max(0, count + start), min(n, n if count + start >= 0 else n + count + start))
            else:
                offset, have = file.tail_start(-start)
                number = _UNKNOWN_BASE + file.appended - have
            return [LogLine(text, level_of(text), number + i) for i, text in enumerate(file.read(offset, n))]

    def line_at(self, offset: int, number: int) -> LogLine | None:
        """Return the line that starts at a byte offset (as a filter remembers it)."""
        with self._lock:
            text = None if self._closed else next(self._file.read(offset, 1), None)
        return None if text is None else LogLine(text, level_of(text), number)

    # Growth

    def refresh(self) -> bool:
        """Look at the file now; say whether anything changed."""
        with self._lock:
            return not self._closed and self._look()

    def _look(self) -> bool:
        file, problem = self._file, self.problem
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
        if len(file.head) < 256:
            file.head = read_at(file.fd, 0, 256)
        return True

    @staticmethod
    def _rewritten(file: _File, size: int) -> bool:
        """Say whether a file that grew begins differently now: it was truncated and written again in between."""
        return size != file.size and read_at(file.fd, 0, len(file.head)) != file.head

    def _start_over(self) -> None:
        fresh = _File(str(self.path), follow=self._follow)
        fresh.count(AT_ONCE if fresh.size <= AT_ONCE else 0)
        os.close(self._file.fd)
        self._file = fresh
        self.generation += 1

    def _loop(self) -> None:
        stop = _hints(self.path, self._wake.set)
        told = 0.0
        while not self._closed:
            with self._lock:
                file = self._file
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


def _hints(path: Path, wake: Callable[[], None]) -> Callable[[], None] | None:
    """Have `wake` called when something happens in the file's folder; None where the kernel gives no hints."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Handler(FileSystemEventHandler):
        """Passes on that there was something, whatever it was."""

        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("modified", "created", "moved", "deleted"):
                wake()

    observer = Observer()
    try:
        observer.schedule(Handler(), str(path.parent), recursive=False)
        observer.start()
    except OSError:
        return None  # the limit of watches is reached, or the file system has none: the beat of `POLL_S` is left
    return observer.stop
