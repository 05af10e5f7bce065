"""The journal of a soak: every row in the kernel before anything else is done with it, whatever the disk says.

For the driver's event loop: appending is one call of the system, syncing and packing are a thread's. What the rows
mean is decided elsewhere.
"""

# Names are ASCII of our own, in a folder whose name may hold any bytes; the calls are those of the system.
# ruff: noqa: PTH100, PTH118

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.collectors.files import describe, ends_whole, open_to_append, same_file, write_all
from mens_console.soak import segments
from mens_console.soak.disk import Disk
from mens_console.soak.durable import PRIVATE
from mens_console.soak.fold import Place
from mens_console.soak.rows import Happening, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.soak.rows import Row

SEGMENT_BYTES: Final = 64 << 20
SEGMENT_S: Final = 3600.0
WAITING_BYTES: Final = 32 << 20
"""Of rows that may wait for a disk that refuses them: the better part of an hour at ten requests a second."""
MAX_DISK: Final = 4 << 30
SYNC_S: Final = 5.0
RETRY_S: Final = 1.0
_CALL: Final = 1 << 20
_EVENTS_KEPT: Final = 1000


class Stored(NamedTuple):
    """A row that is in the kernel, and where it begins."""

    row: Row
    place: Place


class _Waiting(NamedTuple):
    row: Row
    line: bytes


class Journal:
    """Appends rows in the folder of a soak, which exists; one thread. Opening raises `OSError`.

    A row that a death left torn is ended first. Rows that the disk refuses wait in memory and go out first, in their
    order, when it takes them again; beyond `waiting_bytes` the oldest of them but events are dropped and counted in
    `overflowed`. `problem` says what is wrong at the moment.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_disk: int = MAX_DISK,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_S,
        waiting_bytes: int = WAITING_BYTES,
        beyond: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on with the newest segment; with `beyond` only if its number is greater than that, else in a new one."""
        self.overflowed = 0
        self.replaced = 0
        """How often the newest segment was deleted or cut by somebody else."""
        self.needed_from = 1
        """The oldest segment that may not be discarded."""
        self._folder = os.path.abspath(os.fspath(folder))
        self._segment_bytes, self._segment_s, self._waiting_bytes = segment_bytes, segment_s, waiting_bytes
        self._monotonic = monotonic
        self._waiting: deque[_Waiting] = deque()
        self._waiting_size = 0
        self._done = 0
        self._failing: OSError | None = None
        self._retry = self._synced = self._looked = self._opened = monotonic()
        self._disk = Disk(self._folder, max_disk)
        self._fd = -1
        self._size = 0
        self.segment = 0
        self._begin(beyond)

    def _begin(self, beyond: int) -> None:
        left = segments.tidy(self._folder)
        there = segments.listing(self._folder)
        newest = there[-1] if there else segments.Segment(0, raw=False, packed=True)
        if newest.packed or newest.number <= beyond:
            if newest.raw:
                left.append(newest.number)
            self._open(max(newest.number, beyond) + 1)
        else:
            self._open(newest.number)
            if not ends_whole(self._fd):
                write_all(self._fd, b"\n")
        self._size = os.fstat(self._fd).st_size
        for number in left:
            self._disk.pack(number)

    # ------------------------------------------------------------------ appending

    @property
    def end(self) -> Place:
        """Where the next row will begin, if the disk takes it."""
        return Place(self.segment, self._size)

    @property
    def waiting(self) -> int:
        """Rows that are not in the kernel yet because the disk refuses them."""
        return len(self._waiting)

    @property
    def problem(self) -> str | None:
        """What is wrong with the disk and what helps; None while all is well."""
        if self._failing is not None:
            what, cure = describe(self._failing)
            lost = f", {self.overflowed} were dropped" if self.overflowed else ""
            waits = "1 row waits" if self.waiting == 1 else f"{self.waiting} rows wait"
            return f"the journal cannot be written: {what}; {waits} in memory{lost}: {cure}"
        return self._disk.problem

    def append(self, *rows: Row) -> list[Stored]:
        """Append rows in one go, those that waited first; return all that reached the kernel now."""
        for row in rows:
            line = encode(row)
            self._waiting.append(_Waiting(row, line))
            self._waiting_size += len(line)
        now = self._monotonic()
        if self._failing is not None and now < self._retry:
            self._overflow()
            return []
        if now - self._looked >= SYNC_S and not self._look(now):
            return []
        if self._size >= self._segment_bytes or (self._size and now - self._opened >= self._segment_s):
            self._rotate()
        stored = self._drain(now)
        self._overflow()
        if now - self._synced >= SYNC_S:
            self._synced = now
            self._disk.sync(self._fd)
        return stored

    def take_discarded(self) -> list[int]:
        """Return the segments that were discarded since this was last asked."""
        return self._disk.take_discarded()

    def _drain(self, now: float) -> list[Stored]:
        """Write what waits, in calls of 1 MiB at most; return what is whole in the file then."""
        stored: list[Stored] = []
        try:
            while self._waiting:
                view = memoryview(self._batch())[self._done :]
                while view:
                    count = os.write(self._fd, view)
                    view = view[count:]
                    self._count(count, stored)
            self._failing = None
        except OSError as error:
            self._failing, self._retry = error, now + RETRY_S
        return stored

    def _batch(self) -> bytes:
        lines: list[bytes] = []
        size = 0
        for _, line in self._waiting:
            if lines and size + len(line) > _CALL:
                break
            lines.append(line)
            size += len(line)
        return b"".join(lines)

    def _count(self, written: int, stored: list[Stored]) -> None:
        """Tell the rows that so many more bytes made whole; `_done` is how much of the first waiting one is written."""
        self._done += written
        self._size += written
        while self._waiting and self._done >= len(line := self._waiting[0].line):
            stored.append(Stored(self._waiting.popleft().row, Place(self.segment, self._size - self._done)))
            self._done -= len(line)
            self._waiting_size -= len(line)

    def _overflow(self) -> None:
        """Drop what is too much to wait: the oldest rows, but neither events nor one that is written in part."""
        number = 1 if self._done else 0
        while self._waiting_size > self._waiting_bytes and number < len(self._waiting):
            if isinstance(self._waiting[number].row, Happening) and number < _EVENTS_KEPT:
                number += 1
                continue
            self._waiting_size -= len(self._waiting[number].line)
            del self._waiting[number]
            self.overflowed += 1

    # ------------------------------------------------------------------ files

    def _open(self, number: int) -> None:
        """Append to a segment from now on; raises `OSError`."""
        fd = open_to_append(os.path.join(self._folder, segments.name(number)))
        os.fchmod(fd, PRIVATE)
        if self._fd >= 0:
            self._disk.leave(self._fd)
        self._fd, self.segment, self._opened = fd, number, self._monotonic()
        self._size = os.fstat(fd).st_size

    def _rotate(self) -> None:
        """Go on in a new segment, and have the old one packed; where that cannot be, this one grows on."""
        if self._done:
            return
        number = self.segment
        try:
            self._open(number + 1)
        except OSError as error:
            self._disk.problem = f"the journal cannot go on in a new file: {describe(error)[0]}; this one grows on"
            self._opened = self._monotonic()
            return
        self._disk.pack(number)
        self._disk.discard(self.needed_from)

    def _look(self, now: float) -> bool:
        """Go on in a new segment where somebody deleted or cut this one; False where that cannot be."""
        self._looked = now
        try:
            path = os.path.join(self._folder, segments.name(self.segment))
            if not same_file(self._fd, path) or os.fstat(self._fd).st_size != self._size:
                self._open(self.segment + 1)
                self._done = 0
                self.replaced += 1
        except OSError as error:
            self._failing, self._retry = error, now + RETRY_S
            self._looked = now - SYNC_S
            return False
        return True

    def close(self) -> None:
        """Write what waits if the disk takes it, sync, and let go; what the thread does is waited for, for a while."""
        self._drain(self._monotonic())
        self._disk.leave(self._fd)
        self._disk.close()
        self._fd = -1
