"""A gzip attempt log, read once from its beginning as a stream: there are no ranges in it, and it does not grow.

Holds a bounded piece of it at a time, whatever it unpacks to.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Final

from mens_console.health.rows import LONGEST
from mens_console.health.source import SLICE, AttemptDecoder, Attempts, Seen, changed
from mens_console.ingest.records import NO_TIME
from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.signals.generation import LogSource

if TYPE_CHECKING:
    from mens_console.health.rows import Block

_PACKED: Final = 1 << 17
_MAGIC: Final = b"\x1f\x8b"
_WINDOW: Final = zlib.MAX_WBITS | 16


class GzipLog:
    """One gzip log of one or several members. Offsets of its lines are those of the unpacked stream.

    `problem` says why it could not be read to its end; what was read before stands.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.seen = Seen()
        self.problem: str | None = None
        self.size = 0
        self.done = 0
        """Packed bytes read; all of them once it is finished."""
        self.identity: tuple[int, ...] = ()
        """Device, inode, size and time of the last change (ns)."""
        self._fd = -1
        self._begun = self._ended = self._inside = False
        self._decoder = AttemptDecoder()
        self._unpack = zlib.decompressobj(_WINDOW)
        self._packed = b""
        self._text = b""

    @property
    def more(self) -> bool:
        """Whether something waits to be read."""
        return not self._ended

    def finish(self, seen: Seen, identity: tuple[int, ...]) -> None:
        """Be a log that was read before, to its end."""
        self.seen, self.identity, self._begun, self._ended = seen, identity, True, True
        self.size = self.done = identity[2]

    def next(self, now: float) -> Block | None:
        """Return the next attempts; None where there is none in the next piece, or no more (see `more`)."""
        if self._ended:
            return None
        try:
            self._open()
            self._fill()
        except OSError as error:
            self._stop(explain(error))
        except (zlib.error, EOFError) as error:
            self._stop(f"its gzip stream is damaged ({error}): what stands before is counted")
        return self._decode(now)

    def _open(self) -> None:
        if self._begun:
            return
        self._fd, status = open_regular(self.path, follow=True)
        self._begun = True
        self.size = status.st_size
        self.identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if read_at(self._fd, 0, 2) != _MAGIC:
            raise zlib.error("it does not begin as gzip does")

    def _fill(self) -> None:
        """Unpack until a slice is there, or all of it."""
        room = SLICE if len(self._text) < SLICE else len(self._text)
        parts, got = [self._text], 0
        while got < room and not self._ended:
            if not self._packed:
                self._packed = read_at(self._fd, self.done, _PACKED)
                self.done += len(self._packed)
                if not self._packed:
                    self._end_stream()
                    break
            self._inside = True
            part = self._unpack.decompress(self._packed, room - got)
            self._packed = self._unpack.unconsumed_tail
            got += len(part)
            parts.append(part)
            if self._unpack.eof:
                self._next_member()
        self._text = b"".join(parts)

    def _end_stream(self) -> None:
        self._ended = True
        if self._inside:
            self.problem = f"{self.path}: its gzip stream ends early: what stands before is counted"

    def _next_member(self) -> None:
        # What follows a member is another one, or zeros that pad it.
        self._packed = self._unpack.unused_data.lstrip(b"\0")
        self._unpack = zlib.decompressobj(_WINDOW)
        self._inside = False

    def _stop(self, why: str) -> None:
        self.problem = f"{self.path}: {why}"
        self._ended = True

    def _decode(self, now: float) -> Block | None:
        used, batch = self._decoder.feed(self._text, NO_TIME, final=self._ended and len(self._text) < LONGEST)
        self._text = self._text[used:]
        if self._ended:
            self.close()
        block = batch.block if isinstance(batch, Attempts) else None
        if block is not None:
            self.seen.add(block, self.path, now)
        return block

    @property
    def source(self) -> LogSource:
        """How far it was read, in packed bytes."""
        seen = self.seen
        updated = changed(seen.updated, self.identity[3] / 1e9) if self.identity else seen.updated
        return LogSource(
            self.path, self.size, self.done, seen.rows, seen.bad_rows, dict(seen.unknown), self.problem, updated
        )

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
