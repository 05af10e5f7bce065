"""The new bytes of one growing file, in order, each once: truncation, rotation and replacement noticed by polling.

Nothing here knows what the bytes mean (a decoder does), which files exist, or what becomes of the records.
"""

# One `stat` a file and beat: `os` calls cost a third of their `Path` twins, and a name may hold any bytes.
# ruff: noqa: PTH116

from __future__ import annotations

import json
import math
import os
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from mens_console.ingest.marks import Marks, find_copy, find_next, find_renamed
from mens_console.ingest.records import NO_TIME, Batch
from mens_console.ingest.safeopen import BackOff, FdCache, explain, open_regular, read_at

if TYPE_CHECKING:
    from mens_console.ingest.formats.base import Decoder, Format

_WINDOW_MAX: Final = 64 << 20
"""A record that is longer than this (bytes) is given up: nothing a trainer logs is."""

_STDIO_BLOCK: Final = 4096
"""A file that ends at a multiple of this (bytes) was cut by its writer's buffer: the rest of its last record comes."""

_RETRIES_HELD: Final = 8
"""A deleted file is held open only so long: its space is freed when the last descriptor is closed."""


@runtime_checkable
class Resumable(Protocol):
    """A decoder whose state survives its process: `restore(state())` on a fresh one continues exactly there."""

    def state(self) -> dict[str, Any]:
        """Return what the decoder remembers, as JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Become the decoder that `state` came from. Raises `ValueError` when it is not one of ours."""
        ...


@dataclass(slots=True)
class Chunk:
    """One read: the records of bytes `[start, end)` of the file's current generation.

    `restarted`: every earlier row of this source is void, this chunk begins again at byte 0. `rotated`: the file begins
    again at byte 0 but earlier rows stand (their bytes live on under a rotated name). `provisional`: the last record
    had no end and was read because its writer was thought gone; if the file grows all the same, a restart follows.
    """

    batch: Batch
    start: int
    end: int
    restarted: bool = False
    rotated: bool = False
    provisional: bool = False


class _RewrittenError(Exception):
    """The file no longer holds the bytes that were read from it."""


@dataclass(slots=True)
class _Old:
    """A rotated file that is read to its end before its successor. `copy`: made by copytruncate, so complete."""

    fd: int
    copy: bool
    succeeded: bool = False
    """Whether its successor has bytes, so that nobody writes to it any more."""


@dataclass(slots=True)
class _Flags:
    restarted: bool = False
    rotated: bool = False


@dataclass(slots=True, eq=False)
class Tail:
    """Reads one file that grows. One thread; no descriptor of its own except through `fds`.

    How a file that is not what it was is understood:

    * shrunk, or its committed bytes changed in place: a sibling `NAME.1` (or dated) that still holds them means
      rotation by copytruncate; otherwise a restart;
    * another inode under the name, holding all committed bytes: the same log (an atomic rewrite), reading goes on;
    * another inode, and the old one still in the same folder under another name: rotation. The old file is read to its
      end, then the new one from 0. While the new one is empty the old may still be written, so both are watched.
      Files that were rotated in between, by several rotations between two polls, are read in their order;
    * another inode otherwise (moved elsewhere, deleted, compressed): restart.

    A log that was moved aside as a backup and begun anew reads as a rotation, because its rows are still there.
    """

    path: str
    format: Format
    fds: FdCache = field(default_factory=FdCache)
    follow: bool = False
    problem: str | None = None
    """What keeps the file from being read and what cures it; None while all is well."""
    size: int = 0
    """Bytes the file held when last seen."""
    written: float = math.nan
    """When the file was last changed, as its file system says, in seconds since the epoch."""
    provisional: bool = False
    _marks: Marks = field(default_factory=Marks)
    _decoder: Decoder = field(init=False)
    _id: tuple[int, int] | None = None
    _seen: tuple[int, ...] = ()
    _fed_to: int = 0
    _finalled: bool = False
    _stuck: bool = False
    _window: int = 0
    _history_end: int = -1
    _old: _Old | None = None
    _flags: _Flags = field(default_factory=_Flags)
    _back_off: BackOff = field(default_factory=BackOff)

    def __post_init__(self) -> None:
        self._decoder = self.format.decoder()

    @property
    def done(self) -> int:
        """Bytes of the current generation whose records were handed out."""
        return self._marks.done

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait: poll again without waiting for the next beat."""
        return self.problem is None and (self._fed_to < self.size or (self._old is not None and self._old.succeeded))

    def poll(self, now: float, *, limit: int = 1 << 20, final: bool = False) -> Chunk | None:
        """Read what is new, about `limit` bytes at most, and return its records; None when there is nothing.

        `now` is wall time in seconds since the epoch. What the file held when it was first seen is history: its rows
        get no arrival time. With `final` its writer is thought to be gone, so an unterminated last record counts too,
        unless it ends where a buffer would and is no whole JSON object.
        Never raises for what the file or its file system does: see `problem`.
        """
        if not self._back_off.ready(now):
            return None
        try:
            chunk = self._drain(now, limit) if self._old else self._look(now, limit, final=final)
        except OSError as error:
            self._fail(error, now)
            return None
        return chunk

    def close(self) -> None:
        """Give the descriptors back; the next poll opens again."""
        self.fds.drop(self)
        if self._old:
            os.close(self._old.fd)
            self._old = None

    def save(self) -> dict[str, Any] | None:
        """Return where reading stands, as JSON values for `load`; None where the decoder cannot say."""
        if self._id is None or self._old or self.provisional or not isinstance(self._decoder, Resumable):
            return None
        known = self._marks
        marks = {"done": self.done, "head": known.head.hex(), "anchor": known.anchor.hex(), "spots": list(known.spots)}
        return {"id": list(self._id), "marks": marks, "decoder": self._decoder.state()}

    def load(self, saved: dict[str, Any]) -> None:
        """Continue where `saved` stood, if the file still holds those bytes (otherwise the next poll restarts).

        Only on a fresh `Tail`. Raises `KeyError`, `TypeError` or `ValueError` when `saved` did not come from `save`.
        """
        if not isinstance(self._decoder, Resumable):
            raise TypeError(f"the {self.format.name} decoder keeps no state")
        device, inode = (int(number) for number in saved["id"])
        marks = saved["marks"]
        head, anchor = bytes.fromhex(marks["head"]), bytes.fromhex(marks["anchor"])
        self._marks = Marks(int(marks["done"]), head, anchor, array("Q", marks.get("spots", ())))
        self._decoder.restore(saved["decoder"])
        self._id = (device, inode)
        self._fed_to = self._history_end = self.size = self.done

    def begin_again(self) -> None:
        """Read from byte 0; the next chunk says that it is a restart."""
        self._begin(-1, restarted=True)

    # ------------------------------------------------------------------ one look

    def _look(self, now: float, limit: int, *, final: bool) -> Chunk | None:
        try:
            status = os.stat(self.path, follow_symlinks=self.follow)
        except FileNotFoundError:
            return self._read_unlinked(now, limit)
        seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if seen == self._seen and self._fed_to >= self.size and (self._finalled or not final):
            self._recovered()
            return None
        fd = self._descriptor(status)
        self._recovered()
        if fd is None:
            return self._drain(now, limit) if self._old else None
        touched = bool(self._seen) and seen != self._seen and status.st_size <= self.size
        if seen != self._seen:  # a torn tail may have been cut and written anew: it is fed again
            self._seen, self._fed_to = seen, self.done
            self.written = status.st_mtime
        self.size = status.st_size
        try:
            if touched and not self._marks.match_all(fd):  # it was written to, and did not grow
                raise _RewrittenError
            if self.provisional and self.size > self.done:
                raise _RewrittenError
            chunk = self._advance(fd, now, limit)
            if chunk is None and final and not self._finalled and self._fed_to >= self.size:
                chunk = self._finish(fd, now, certain=False)
        except _RewrittenError:
            return self._after_rewrite(fd, now, limit)
        return self._deliver(chunk)

    def _deliver(self, chunk: Chunk | None) -> Chunk | None:
        """Attach what happened to the generation; a restart is told even while the new file is empty."""
        if not (self._flags.restarted or self._flags.rotated):
            return chunk
        chunk = chunk or Chunk(Batch(), self.done, self.done)
        chunk.restarted, chunk.rotated = self._flags.restarted, self._flags.rotated
        self._flags = _Flags()
        return chunk

    def _descriptor(self, status: os.stat_result) -> int | None:
        """Return a descriptor of the file that `status` describes; None when it is not ready or was rotated."""
        identity = (status.st_dev, status.st_ino)
        if identity == self._id and (cached := self.fds.get(self)) is not None:
            return cached
        fd, opened = open_regular(self.path, follow=self.follow)
        if (opened.st_dev, opened.st_ino) != identity:  # replaced between stat and open: the next poll sees it whole
            os.close(fd)
            self._seen = ()
            return None
        if self._history_end < 0:
            self._history_end = opened.st_size
        if self._id not in (None, identity) and (not self.done or not self._marks.match_all(fd)):
            old = find_renamed(self.path, self._id[1] if self._id else 0, self._marks)
            if old is not None:
                os.close(fd)
                self._old = _Old(old, copy=False)
                self.fds.drop(self)
                return None
            self._begin(opened.st_size, restarted=True)
        self._id = identity
        self.fds.put(self, fd)
        return fd

    def _begin(self, history_end: int, *, restarted: bool = False, rotated: bool = False) -> None:
        """Start a new generation at byte 0."""
        self._decoder = self.format.decoder()
        self._marks = Marks()
        self._history_end = history_end
        self._fed_to = self._window = 0
        self.provisional = self._finalled = self._stuck = False
        # A restart that follows an untold rotation voids it: everything before is void.
        self._flags = _Flags(restarted or self._flags.restarted, rotated and not self._flags.restarted)
        self._seen = ()

    # ------------------------------------------------------------------ reading

    def _advance(self, fd: int, now: float, limit: int) -> Chunk | None:
        """Feed the decoder once with what follows the committed bytes; grow the window over long records."""
        while True:
            start = self.done
            history = start < self._history_end
            room = max(limit, self._window)
            data = read_at(fd, start, min(room, self._history_end - start) if history else room)
            if not self._marks.match(fd):
                raise _RewrittenError
            nothing_new = len(data) < room and start + len(data) <= self._fed_to and not history
            if self._stuck or not data or nothing_new:
                return None
            self._finalled = False
            consumed, batch = self._decoder.feed(data, NO_TIME if history else now)
            self._fed_to = start + len(data)
            self.size = max(self.size, self._fed_to)
            if consumed or batch.rows or batch.bad_rows or batch.facts:
                self._marks.commit(data[:consumed])
                self._window = 0
                return Chunk(batch, start, self.done)
            if history and self._fed_to >= self._history_end:
                self._history_end = start  # the torn end of history is completed live
            elif len(data) < room:
                return None  # a torn record: it comes again, longer
            elif room >= _WINDOW_MAX:
                self.problem = f"{self.path}: a record at byte {start} is longer than 64 MiB: reading stops there"
                self._stuck = True
                return None
            else:
                self._window = room * 2

    def _finish(self, fd: int, now: float, *, certain: bool) -> Chunk | None:
        """Feed the unterminated rest, once: whoever wrote it is gone, for `certain` or as far as one can tell."""
        start = self.done
        rest = read_at(fd, start, _WINDOW_MAX)
        if not self._marks.match(fd):
            raise _RewrittenError
        self._finalled = True
        self._fed_to = start + len(rest)
        if not certain and self._fed_to % _STDIO_BLOCK == 0 and not _is_object(rest):
            return None
        consumed, batch = self._decoder.feed(rest, NO_TIME if start < self._history_end else now, final=True)
        if not (consumed or batch.rows or batch.bad_rows or batch.facts):
            return None
        self._marks.commit(rest[:consumed])
        self.provisional = True
        return Chunk(batch, start, self.done, provisional=True)

    def _read_unlinked(self, now: float, limit: int) -> Chunk | None:
        """Read on through the open descriptor of a file whose name is gone, then say that it is gone."""
        fd = self.fds.get(self)
        chunk = None
        if fd is not None:
            self.size = os.fstat(fd).st_size
            try:
                chunk = self._deliver(self._advance(fd, now, limit))
            except _RewrittenError:
                self.fds.drop(self)
        if chunk is None:
            raise FileNotFoundError(2, os.strerror(2), self.path)
        return chunk

    # ------------------------------------------------------------------ rotation

    def _after_rewrite(self, fd: int, now: float, limit: int) -> Chunk | None:
        """Find the bytes that are gone from under the name in a copy (copytruncate), or begin again."""
        copy = None if self.provisional else find_copy(self.path, self._marks)
        if copy is not None:
            self._old = _Old(copy, copy=True)
            return self._drain(now, limit)
        self._begin(os.fstat(fd).st_size, restarted=True)
        return self._deliver(self._advance(fd, now, limit))

    def _drain(self, now: float, limit: int) -> Chunk | None:
        """Read a rotated file to its end; then the next generation begins."""
        old = self._old
        if old is None:
            return None
        try:  # looked at before the old file is read: once the successor has bytes, the old one is complete
            old.succeeded = old.copy or os.stat(self.path, follow_symlinks=self.follow).st_size > 0
        except FileNotFoundError:
            old.succeeded = False
        self.size = os.fstat(old.fd).st_size
        try:
            chunk = self._advance(old.fd, now, limit)
            if chunk is None and old.succeeded:
                following = find_next(self.path, old.fd)
                chunk = self._finish(old.fd, now, certain=True)
                self._leave_old(rotated=True, following=following)
        except _RewrittenError:
            chunk = None
            self._leave_old(rotated=False)
        return self._deliver(chunk) if self._old is old else chunk or self.poll(now, limit=limit)

    def _leave_old(self, *, rotated: bool, following: int | None = None) -> None:
        """Go on with the file that was rotated `following` the old one, or else with the one under the name."""
        if self._old:
            os.close(self._old.fd)
            copy = self._old.copy
            self._old = None if following is None else _Old(following, copy)
            if not copy:
                self._id = None
        # What the successor holds was written since the last poll: it is live, not history.
        self._begin(0, restarted=not rotated, rotated=rotated)

    # ------------------------------------------------------------------ trouble

    def _fail(self, error: OSError, now: float) -> None:
        gone = isinstance(error, FileNotFoundError)
        self._back_off.failed(now, soon=gone)
        self._seen = ()
        self.problem = f"{self.path}: {explain(error)}"
        if not gone or self._back_off.failures > _RETRIES_HELD:
            self.fds.drop(self)

    def _recovered(self) -> None:
        if self._back_off.worked():
            self.problem = None


def _is_object(text: bytes) -> bool:
    """Whether a record without its newline is all there: a JSON object is not cut where it can end."""
    if not text.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
