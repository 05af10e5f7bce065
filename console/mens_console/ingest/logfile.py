"""A log file as it lies on the disk: where its lines begin, found by counting newlines once, and the lines themselves.

Bytes to lines; one generation of one file. That it grows or is replaced is `logtail`'s business.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from mens_console.ingest.safeopen import open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK: Final = 1 << 16
SLICE: Final = 1 << 22
"""Bytes counted between two looks at the outside."""
LINE_CAP: Final = 1 << 16
GIANT: Final = 1 << 20


class LogFile:
    """One generation of the file: its descriptor, its size, and how many newlines there are before each block."""

    def __init__(self, path: str, *, follow: bool) -> None:
        self.fd, status = open_regular(path, follow=follow)
        self.identity = (status.st_dev, status.st_ino)
        self.size = status.st_size
        self.mtime = status.st_mtime
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
                yield text_of(piece)
            left -= len(whole)
            offset += len(data) - len(rest)
            if left > 0 and rest and at_end:
                yield text_of(rest)
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
            return text_of(tail[redrawn + 1 :]), place + 1
        return text_of(read_at(self.fd, start, min(LINE_CAP, place - start))), place + 1


def text_of(raw: bytes) -> str:
    """Return a line as text, bytes that are none made visible; of a long one its last state, or its beginning."""
    if len(raw) > LINE_CAP:
        redrawn = raw.rfind(b"\r", 0, len(raw) - 1)
        raw = raw[redrawn + 1 :][:LINE_CAP] if redrawn >= 0 else raw[:LINE_CAP]
    return raw.decode("utf-8", "backslashreplace")
