"""A file that is rewritten as a whole each time: read whole when it changed, tried again while it is torn.

Nothing here knows what a document says; `open_tail` chooses between this and `Tail`.
"""

# One `stat` a file and beat: `os` calls cost a third of their `Path` twins.
# ruff: noqa: PTH116

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.records import NO_TIME
from mens_console.ingest.safeopen import BackOff, FdCache, explain, open_regular, read_at
from mens_console.ingest.tail import Chunk, Tail

if TYPE_CHECKING:
    from mens_console.ingest.formats.base import Decoder, Format

MAX_DOCUMENT: Final = 256 << 20
"""Bytes; the log history of a million steps is about 150 MB."""
_TORN_RETRY_S: Final = 0.2
_TORN_FOR_S: Final = 2.0
"""A document that stands torn and untouched so long was left so: its writer was killed, or the disk is full."""


@dataclass(slots=True, eq=False)
class DocumentTail:
    """Reads one document each time its inode, size or time changed. Same face as `Tail`; never restarts or rotates.

    While the document is torn nothing is handed out and the last good reading stands; after `_TORN_FOR_S` untouched
    seconds it is fed as final, so that its damage is counted and shown. Rows of a sampled document that carry no time
    happened when it was written (its mtime), except at the first look and in documents that are whole histories.
    """

    path: str
    format: Format
    follow: bool = False
    problem: str | None = None
    size: int = 0
    done: int = 0
    provisional: bool = field(default=False, init=False)
    _decoder: Decoder = field(init=False)
    _seen: tuple[int, ...] = ()
    _torn_at: float | None = None
    _retry_at: float = float("-inf")
    _history: bool = True
    _back_off: BackOff = field(default_factory=BackOff)

    def __post_init__(self) -> None:
        self._decoder = self.format.decoder()

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait: never, a document is read at once or not at all."""
        return False

    def poll(self, now: float, *, limit: int = 1 << 20, final: bool = False) -> Chunk | None:
        """Read the document if it changed; `limit` is not for documents. See `Tail.poll`."""
        del limit
        if not self._back_off.ready(now):
            return None
        try:
            chunk = self._look(now, final=final)
        except OSError as error:
            self._seen = ()
            self.problem = f"{self.path}: {explain(error)}"
            self._back_off.failed(now, soon=isinstance(error, FileNotFoundError))
            return None
        if self._back_off.worked():
            self.problem = None
        return chunk

    def close(self) -> None:
        """Do nothing: no descriptor is kept."""

    def save(self) -> dict[str, Any] | None:
        """Return None: a document is simply read again."""
        return None

    def _look(self, now: float, *, final: bool) -> Chunk | None:
        status = os.stat(self.path, follow_symlinks=self.follow)
        changed = _key(status) != self._seen
        torn = self._torn_at is not None
        if self._torn_at is not None and now < self._torn_at:
            self._torn_at = self._retry_at = now  # the clock was set back
        if not changed and not (torn and (final or now >= self._retry_at)):
            return None
        fd, status = open_regular(self.path, follow=self.follow)
        try:
            data = read_at(fd, 0, min(status.st_size, MAX_DOCUMENT + 1))
        finally:
            os.close(fd)
        self._seen, self.size = _key(status), status.st_size
        if len(data) > MAX_DOCUMENT:
            self.problem = f"{self.path}: {status.st_size >> 20} MiB, documents are read up to {MAX_DOCUMENT >> 20} MiB"
            self._torn_at = None
            return None
        if changed:
            self._torn_at = None
        return self._decode(data, now, status.st_mtime, final=final)

    def _decode(self, data: bytes, now: float, written: float, *, final: bool) -> Chunk | None:
        if not data:
            return None  # created or truncated, about to be written
        given_up = final or (self._torn_at is not None and now - self._torn_at >= _TORN_FOR_S)
        consumed, batch = self._decoder.feed(data, NO_TIME if self._history else written, final=given_up)
        if not consumed and not given_up:
            self._torn_at = now if self._torn_at is None else self._torn_at
            self._retry_at = now + _TORN_RETRY_S
            return None
        self._torn_at = None
        damaged = given_up and batch.bad_rows and not batch.rows
        self.problem = f"{self.path}: it is cut off: its writer was killed or the disk is full" if damaged else None
        self._history = batch.replace or (self._history and bool(damaged))
        self.done = consumed
        return Chunk(batch, 0, consumed)


def _key(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def open_tail(path: str, format: Format, fds: FdCache, *, follow: bool = False) -> Tail | DocumentTail:
    """Return the reader that suits the format; nothing is opened before the first poll."""
    if format.document:
        return DocumentTail(path, format, follow)
    return Tail(path, format, fds, follow)
