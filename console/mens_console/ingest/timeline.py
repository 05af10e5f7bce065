"""When the lines of one log were written, by blocks of its file: the keys that streams are merged by.

A line without a time belongs to the one before it. Lines that are out of order stay where they stand: the time of a
line counts as not before those above it, and not after the end of its block, so that one odd date moves few lines. Of
a stream that tells no times, lines are placed by when they were seen to come; what was there before is left out.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.ingest import logfile
from mens_console.ingest.safeopen import read_at
from mens_console.ingest.stamps import Stamp, on_day, stamp_of
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mens_console.ingest.logfile import LogFile

HEAD: Final = 4096
"""Bytes of a line in which its time is looked for, where it is JSON; of others a part of them."""
_SHORT_HEAD: Final = 320
_LAST: Final = 1 << 18
_MOST_LINES: Final = 1000
"""Bytes and lines at a stream's end that are looked at for a time: one that told some at its start alone has none."""
_DIGIT: Final = re.compile(rb"\d")
_HELD: Final = 4
"""Blocks that are kept as they were read."""
_LOOK_BACK: Final = 1024
"""Blocks without a time that are passed over, looking for the time before them."""
_HEAD_BLOCKS: Final = 4
_ARRIVALS: Final = 20_000
"""Moments of arrival that are kept apart."""


@dataclass(frozen=True, slots=True)
class Block(ByValue):
    """The lines that follow the newlines of one block: where they start, their keys, and which told a time themselves.

    In a stream that tells no times, those that are not indented count as such.
    `data` are the file's bytes from `offset` on, a little more than the block.
    """

    offset: int
    data: bytes
    starts: array[int]
    keys: array[float]
    dated: bytearray


class Timeline:
    """The times of one generation of a log file. Not for several threads at once.

    `now` is the time when the file was looked at, in seconds since the epoch. `dated` is False where the lines at the
    end tell no time; then only those from byte `since` on have a place, by default those that are still to come. An
    index of all blocks grows with `advance`; until it is there, what is asked for is read, from the end.
    """

    def __init__(self, file: LogFile, now: float, *, since: int | None = None) -> None:
        self.file = file
        self.size = file.size
        self.latest = min(file.mtime, now)
        self.dated = self._told()
        self.since = 0 if self.dated else file.size if since is None else min(since, file.size)
        self._arrivals = (array("q", [self.since]), array("d", [now]))
        self._index = array("d")
        self._bare = bytearray()
        self._found: dict[int, float] = {}
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._skipped: int | None = None
        self._first = max(0, self.since - 1) // logfile.BLOCK
        self._last = self._ending()
        self.indexed = not self.dated

    # As `interleave.Blocks`

    @property
    def blocks(self) -> range:
        """The numbers of the blocks, at least one."""
        return range(self._first, self._last + 1)

    def keys(self, block: int) -> array[float]:
        """Return when the lines of a block were written, in seconds since the epoch; they never fall."""
        return self.block(block).keys

    def number(self, block: int) -> int:
        """Return how many lines that have a place are before a block; the file must be counted up to there."""
        if self._skipped is None:
            starts = self._starts(self._first, self._read(self._first))
            self._skipped = self._number(self._first) + sum(1 for at in starts if at < self.since)
        return max(0, self._number(block) - self._skipped)

    def ceiling(self, block: int) -> float:
        """Return what no time up to the end of a block is after; infinity in the last."""
        if block >= self._last:
            return math.inf
        if not self.dated:
            return self._arrived((block + 1) * logfile.BLOCK)
        if self.indexed and block < len(self._index):
            return self._index[block] if block >= 0 else self._floor()
        return self._near(block)

    # Blocks as they are read

    def block(self, number: int) -> Block:
        """Return a block's lines."""
        held = self._blocks.get(number)
        if held is not None:
            self._blocks.move_to_end(number)
            return held
        block = self._load(number)
        self._blocks[number] = block
        while len(self._blocks) > _HELD:
            self._blocks.popitem(last=False)
        return block

    def _ending(self) -> int:
        """Return the last block: the one before, while a line that begins there may not have told its time yet."""
        block = max(self._first, (self.size - 1) // logfile.BLOCK)
        while block > self._first:
            rest = read_at(self.file.fd, block * logfile.BLOCK, max(0, self.size - block * logfile.BLOCK))
            if len(rest) >= HEAD or b"\n" in rest:
                break
            block -= 1
        return block

    def _number(self, block: int) -> int:
        return self.file.before[block] + 1 if block > 0 else 0

    def _read(self, number: int) -> bytes:
        start = number * logfile.BLOCK
        return read_at(self.file.fd, start, max(0, min(logfile.BLOCK + HEAD, self.size - start)))

    def _starts(self, number: int, data: bytes) -> Iterator[int]:
        """Yield where the lines start that follow the newlines of a block, and the first line of all."""
        offset, place = number * logfile.BLOCK, -1
        if number == 0 and data:
            yield 0
        while (place := data.find(b"\n", place + 1, logfile.BLOCK)) >= 0:
            if offset + place + 1 < self.size:
                yield offset + place + 1

    def _load(self, number: int, old: Block | None = None) -> Block:
        """Read a block, of which all but the last line of `old` is known."""
        data, offset = self._read(number), number * logfile.BLOCK
        starts = array("q", [at for at in self._starts(number, data) if at >= self.since])
        if not self.dated:
            keys = array("d", map(self._arrived, starts))
            dated = bytearray(data[at - offset : at - offset + 1] not in (b" ", b"\t") for at in starts)
            return Block(offset, data, starts, keys, dated)
        keys, dated = (old.keys[:-1], old.dated[:-1]) if old is not None else (array("d"), bytearray())
        key, top = keys[-1] if keys else self.ceiling(number - 1), self.ceiling(number)
        latest, known = top if top < math.inf else self.latest, len(keys)
        ends = [*(start - 1 - offset for start in starts[known + 1 :]), len(data)]
        for start, end in zip(starts[known:], ends, strict=False):
            stamp = _told_by(data, start - offset, end, latest) if end > start - offset else None
            if stamp is not None:
                key = max(key, min(on_day(stamp, latest), top))
            keys.append(key)
            dated.append(stamp is not None)
        return Block(offset, data, starts, keys, dated)

    # Times at the ends of blocks

    def _told(self) -> bool:
        """Say whether some of the last lines tells its time."""
        begin = max(0, self.size - _LAST)
        data = read_at(self.file.fd, begin, self.size - begin)
        while begin > 0 and b"\n" not in data[:-1] and self.size - begin < _LOOK_BACK * logfile.BLOCK:
            begin = max(0, begin - _LAST)  # within a very long line: only its beginning is looked at
            data = read_at(self.file.fd, begin, _LAST)
        lines = data.split(b"\n")
        whole = lines[1:] if begin else lines
        return any(_told_by(raw, 0, len(raw), self.latest) is not None for raw in whole[: -_MOST_LINES - 1 : -1])

    def _stamp(self, block: int) -> Stamp | None:
        """Return the last time that a block tells."""
        start = block * logfile.BLOCK
        data = read_at(self.file.fd, start, max(0, min(logfile.BLOCK + HEAD, self.size - start)))
        least = 0 if block == 0 else data.find(b"\n") + 1
        if (block and not least) or _DIGIT.search(data, least) is None:
            return None
        tries = _MOST_LINES
        end = data.rfind(b"\n", 0, logfile.BLOCK)
        stop = data.find(b"\n", end + 1)
        stop = len(data) if stop < 0 else stop
        while end >= least - 1 and (end >= 0 or block == 0) and tries > 0:
            tries -= stop > end + 1
            if (stamp := _told_by(data, end + 1, stop, self.latest)) is not None:
                return stamp
            if end < 0:
                return None
            stop, end = end, data.rfind(b"\n", 0, end)
        return None

    def _near(self, block: int) -> float:
        """Return the ceiling of a block without an index: the last time that it, or one before it, tells."""
        for at in range(block, max(-1, block - _LOOK_BACK), -1):
            if at in self._found:
                value = self._found[at]
                break
            if (stamp := self._stamp(at)) is not None:
                value = on_day(stamp, self._found.get(at + 1, self.latest))
                break
        else:
            at, value = max(0, block - _LOOK_BACK + 1), self._floor()
        self._found.update(dict.fromkeys(range(at, block + 1), value))
        return value

    def _floor(self) -> float:
        """Return the first time that the file tells, for the lines before it."""
        if -1 not in self._found:
            data = read_at(self.file.fd, 0, min(self.size, _HEAD_BLOCKS * logfile.BLOCK))
            known = self._index[0] if self.indexed and self._index else self._found.get(0, math.inf)
            top = known if known <= self.latest else self.latest
            told = (_told_by(raw, 0, len(raw), top) for raw in data.split(b"\n"))
            self._found[-1] = min(next((on_day(one, top) for one in told if one is not None), 0.0), known)
        return self._found[-1]

    def advance(self, blocks: int) -> bool:
        """Look at the ends of some more whole blocks; say whether all have been looked at."""
        whole = self._last
        for block in range(len(self._index), min(whole, len(self._index) + blocks)):
            stamp = self._stamp(block)
            self._bare.append(stamp is not None and stamp.bare)
            self._index.append(math.nan if stamp is None else stamp.value)
        if not self.indexed and len(self._index) >= whole:
            self._settle()
        return self.indexed

    def _settle(self) -> None:
        """Work out days from the end, then let no ceiling be below the one before it."""
        index, latest = self._index, self.latest
        for block in range(len(index) - 1, -1, -1):
            if self._bare[block]:
                index[block] = on_day(Stamp(index[block], bare=True), latest)
            if index[block] <= latest:
                latest = index[block]
        self.indexed = True
        self._found.clear()
        self._blocks.clear()
        least = self._floor()
        for block, value in enumerate(index):
            least = index[block] = least if math.isnan(value) else max(least, value)

    # Growth

    def grow(self, now: float) -> None:
        """Take in that the file has grown, as seen at `now`."""
        if self.file.size == self.size:
            return
        last = self._last
        offsets, times = self._arrivals
        if not self.dated:
            now = max(now, times[-1])
            if len(times) < _ARRIVALS or now - times[-1] > 1.0:
                offsets.append(self.size)
                times.append(now)
        self.size = self.file.size
        self._last = self._ending()
        self.latest = max(self.latest, min(self.file.mtime, now))
        old = self._blocks.get(last) if self.dated and self._last == last else None
        for block in range(last - 1, self._last + 1):
            self._blocks.pop(block, None)
            self._found.pop(block, None)
        if old is not None:
            self._blocks[last] = self._load(last, old)
        if self.indexed and self.dated:
            for block in range(len(self._index), self._last):
                stamp = self._stamp(block)
                least = self._index[-1] if self._index else self._floor()
                self._index.append(least if stamp is None else max(least, on_day(stamp, self.latest)))
                self._bare.append(False)

    def _arrived(self, offset: int) -> float:
        offsets, times = self._arrivals
        return times[max(0, bisect_right(offsets, offset) - 1)]


def _told_by(data: bytes, start: int, end: int, latest: float) -> Stamp | None:
    """Return the time that a line tells: its last state where it redraws itself, else its beginning."""
    if (redrawn := data.rfind(b"\r", start, max(start, end - 1))) >= 0:
        stamp = stamp_of(_head(data, redrawn + 1, end), latest)
        if stamp is not None:
            return stamp
    return stamp_of(_head(data, start, end), latest)


def _head(data: bytes, start: int, end: int) -> str:
    """Return the beginning of a line as text, one character a byte."""
    most = HEAD if data[start : start + 1] == b"{" else _SHORT_HEAD
    return data[start : min(end, start + most)].decode("latin-1")
