"""One file of KPI records, read as it grows: what changed only, and the shards that hold what it told.

Torn tails, truncation, rotation and replacement are `ingest.tail`'s and `ingest.document`'s matter; gzip is read whole.
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from mens_console.ingest.document import DocumentTail, open_tail
from mens_console.ingest.safeopen import FdCache, explain, open_regular, read_at, read_small
from mens_console.kpi.decode import LineDecoder, format_of
from mens_console.kpi.find import HEAD
from mens_console.kpi.shard import Shard

if TYPE_CHECKING:
    from mens_console.ingest.tail import Tail
    from mens_console.kpi.table import Names

TURN_BYTES: Final = 1 << 20
_STREAM: Final = 1 << 18
_GZIP: Final = b"\x1f\x8b"


class Source:
    """One file. One thread; `poll` never raises for what the file or its file system does."""

    def __init__(self, path: str, names: Names, fds: FdCache) -> None:
        self.path = path
        self.shards: list[Shard] = []
        """What it told, one a generation of the file that still counts."""
        self.problem: str | None = None
        self._names, self._fds = names, fds
        self._tail: Tail | DocumentTail | None = None
        self._zipped: tuple[int, ...] | None = None

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        return self._tail is not None and self._tail.more

    @property
    def updated(self) -> float:
        """When the file was last written, seconds since the epoch; NaN where it is gone."""
        try:
            return os.stat(self.path).st_mtime  # noqa: PTH116
        except OSError:
            return math.nan

    def poll(self, now: float, *, final: bool = False) -> bool:
        """Read about `TURN_BYTES` of what is new; True where anything changed. `final`: nobody writes it any more."""
        before = (self.problem, len(self.shards))
        if self._tail is None and not self._open():
            return (self.problem, len(self.shards)) != before
        if self._tail is None:
            return True
        chunk = self._tail.poll(now, limit=TURN_BYTES, final=final)
        if chunk is not None and (chunk.restarted or isinstance(self._tail, DocumentTail)):
            del self.shards[:-1]  # the newest is what is read now; what came before is void
        self.problem = self._tail.problem
        return chunk is not None or self.problem != before[0]

    def close(self) -> None:
        """Give the descriptor back."""
        if self._tail is not None:
            self._tail.close()

    def _make(self) -> Shard:
        shard = Shard(self.path, self._names, run=PurePath(self.path).parent.name)
        self.shards.append(shard)
        return shard

    def _open(self) -> bool:
        """Look at the file's beginning and choose how it is read; False while there is nothing to read."""
        try:
            head = read_small(self.path, HEAD, follow=True)
            if head.startswith(_GZIP):
                return self._unzip()
        except OSError as error:
            self.problem = f"{self.path}: {explain(error)}"
            return False
        if not head:
            self.problem = f"{self.path}: it is empty"
            return False
        self.problem = None
        self._tail = open_tail(self.path, format_of(head, self._make), self._fds, follow=True)
        return True

    def _unzip(self) -> bool:
        """Read a gzip file whole if it changed since it was last read."""
        fd, status = open_regular(self.path, follow=True)
        try:
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._zipped:
                return False
            self._zipped = seen
            self.shards.clear()
            decoder = LineDecoder(self._make)
            self.problem = _inflate(fd, decoder, self.path)
        finally:
            os.close(fd)
        return True


def _inflate(fd: int, decoder: LineDecoder, path: str) -> str | None:
    """Feed what a gzip file holds to the decoder; return what is wrong with it."""
    at, rest = 0, b""
    engine = zlib.decompressobj(wbits=31)
    problem = None
    try:
        while data := read_at(fd, at, _STREAM):
            at += len(data)
            while data:
                rest += engine.decompress(data, _STREAM * 8)
                data = engine.unconsumed_tail
                used, _ = decoder.feed(rest, math.nan)
                rest = rest[used:]
                if engine.eof:  # several members one after the other are one file
                    data = engine.unused_data
                    engine = zlib.decompressobj(wbits=31)
    except zlib.error as error:
        problem = f"{path}: damaged gzip, read up to there: {error}"
    decoder.feed(rest, math.nan, final=True)
    return problem
