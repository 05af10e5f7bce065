"""`telemetry.jsonl`: events appended by a thread of its own, one whole line each, whatever the disk does.

What the events mean is the caller's business; nothing is measured here.
"""

# Names may hold any bytes, and the calls are those of the system.
# ruff: noqa: PTH100, PTH103, PTH120

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from mens_console.collectors.background import EXIT_S, Background
from mens_console.collectors.files import Outage, ends_whole, open_to_append, same_file
from mens_console.collectors.plain import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.collectors.files import Told

LIMIT: Final = 10_000
"""Rows that may wait to be written."""
_BATCH: Final = 1 << 20
_LINGER_S: Final = 1.0
"""A thread that wakes at every step of 200 ms takes as long for it as for everything else that is done at a step."""

_Row = tuple[int, str, "Mapping[str, object]"]


class TelemetryWriter:
    """Appends rows `{"ts_ms", "event", "payload"}` to `path`; `write` never waits for the disk and never raises.

    Rows gather for a second and go out in one `write(2)` on a descriptor opened to append, so that lines of two
    processes never run into each other. Rows that had to be dropped (more than `limit` were waiting, or the disk
    refused them) are counted, and told by an event `dropped` before the next row that goes out. `clock` gives seconds
    since the epoch for rows without a time, `monotonic` says when to try a failing disk again.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limit: int = LIMIT,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        told: Told | None = None,
    ) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self.rows = 0
        """Rows written."""
        self._clock = clock
        self._limit = limit
        self._queue: deque[_Row] = deque()
        self._lock = threading.Lock()
        self._overflow = self._refused = 0
        self._fd = -1
        self._outage = Outage(self.path, monotonic, told)
        self._made = self._closed = False
        self._background = Background("telemetry", self._drain, linger_s=_LINGER_S, forget=self._forget)

    def write(self, event: str, payload: Mapping[str, object], at: float | None = None) -> None:
        """Queue one event of time `at` (s since the epoch, now by default); `payload` must not change afterwards."""
        if self._closed:
            return
        row = (int((self._clock() if at is None else at) * 1000), event, payload)
        with self._lock:
            if len(self._queue) >= self._limit:
                self._overflow += 1
                return
            self._queue.append(row)
        self._background.wake()

    def close(self, timeout: float = EXIT_S) -> bool:
        """Write what waits, for at most `timeout` seconds; say whether all of it is in the file."""
        if self._closed:
            return True
        self._closed = True
        done = self._background.close(timeout)
        if done:
            self._let_go()
        return done and not self._outage.on

    def _forget(self) -> None:
        """In a forked child: the rows and the file are the parent's."""
        self._lock = threading.Lock()
        self._queue = deque()
        self._overflow = self._refused = 0
        self._let_go()

    # ------------------------------------------------------------------ on the thread

    def _drain(self) -> None:
        while rows := self._take():
            if self._outage.resting and not self._closed:
                self._refused += len(rows)
                continue
            try:
                fd = self._open()
                while rows:
                    self._append(fd, rows)
            except OSError as error:
                self._refused += len(rows)
                self._let_go()
                self._outage.began(error, "Rows are dropped")
            else:
                self._outage.ended()

    def _take(self) -> deque[_Row]:
        with self._lock:
            rows, self._queue = self._queue, deque()
            self._refused += self._overflow
            self._overflow = 0
        return rows

    def _append(self, fd: int, rows: deque[_Row]) -> None:
        """Write the first of `rows`, up to a megabyte, and take those away that are in the file.

        Raises `OSError` where none of them could be written.
        """
        told = self._refused
        lines = [_line(rows[0][0], "dropped", {"rows": told})] if told else []
        size = 0
        for row in rows:
            lines.append(_line(*row))
            size += len(lines[-1])
            if size >= _BATCH:
                break
        kept = _write_lines(fd, lines)
        if told and kept:
            self._refused -= told
            kept -= 1
        for _ in range(kept):
            rows.popleft()
        self.rows += kept

    def _open(self) -> int:
        """Return a descriptor of the file that is at the path now; raises `OSError`."""
        if self._fd >= 0:
            if same_file(self._fd, self.path):
                return self._fd
            self._let_go()  # deleted or rotated away: begin another
        if not self._made:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            self._made = True  # a directory deleted later is not made again: somebody wanted it gone
        self._fd = open_to_append(self.path)
        return self._fd

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:
                return  # a network disk tells of lost writes here; the next write tells it again


def _line(ts_ms: int, event: str, payload: Mapping[str, object]) -> bytes:
    return encode({"ts_ms": ts_ms, "event": event, "payload": payload}) + b"\n"


def _write_lines(fd: int, lines: list[bytes]) -> int:
    """Append lines in one call and return how many of them are in the file whole; raises `OSError` when none is.

    Half a line is cut off again, unless somebody else has already appended to it; a line that somebody else left torn
    is ended first.
    """
    lead = b"" if ends_whole(fd) else b"\n"
    data = lead + b"".join(lines)
    done = os.write(fd, data)
    if done == len(data):
        return len(lines)
    why = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if done < len(lead) + len(lines[0]) and os.fstat(fd).st_size == os.lseek(fd, 0, os.SEEK_CUR):
        try:
            done += os.write(fd, data[done:])  # not even one line: asked again, the disk says why
        except OSError as error:
            why = error
    kept, whole = 0, len(lead)
    while kept < len(lines) and whole + len(lines[kept]) <= done:
        whole += len(lines[kept])
        kept += 1
    end = os.lseek(fd, 0, os.SEEK_CUR)
    if done > whole and os.fstat(fd).st_size == end:
        os.ftruncate(fd, end - (done - whole))
    if not kept:
        raise why
    return kept
