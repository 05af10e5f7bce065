"""Telling committed bytes again: in the file they came from, in its replacement, or in a rotated copy beside it.

Nothing here reads records or keeps descriptors.
"""

# One `stat` a file and beat: `os` calls cost a third of their `Path` twins, and a name may hold any bytes.
# ruff: noqa: PTH118, PTH208

from __future__ import annotations

import contextlib
import os
import re
from array import array
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from mens_console.ingest.safeopen import open_regular, read_at

_HEAD: Final = 1024
_ANCHOR: Final = 64
_SPOT: Final = 4096
_MOST: Final = 31
_LOOKS: Final = 4
_ROTATED: Final = re.compile(r"[._-](\d[\d._T-]*|old)")
"""What copytruncate appends to a name: `.1`, `-20260131`, `.old`. An editor's backup (`~`, `.bak`) is no rotation."""

_NUMBER: Final = re.compile(r"\d+")
_LEAST_DATE: Final = 10**7
"""As in 20260131; a single number below counts rotations."""


@dataclass(slots=True)
class Marks:
    """The first 1 KiB and the last 64 of the `done` bytes that were committed, verbatim, and checksums in between.

    A head alone would not notice a deterministic job started again with the same header; both together do as soon as
    the newer content differs at the point of reading. Where a file may be another one although both stand, as where
    its inode has changed, up to `_MOST` `spots` all over it tell: pairs of where one begins, and its length above its
    checksum.
    """

    done: int = 0
    head: bytes = b""
    anchor: bytes = b""
    spots: array[int] = field(default_factory=lambda: array("Q"))
    _next: int = 0
    _stride: int = _SPOT

    def commit(self, data: bytes) -> None:
        """Add consumed bytes."""
        if self.done + len(data) > self._next:
            self._sample(data)
        if len(self.head) < _HEAD:
            self.head += data[: _HEAD - len(self.head)]
        self.anchor = data[-_ANCHOR:] if len(data) >= _ANCHOR else (self.anchor + data)[-_ANCHOR:]
        self.done += len(data)

    def _sample(self, data: bytes) -> None:
        """Add the spots that lie in what follows the committed bytes; the more of them, the wider apart."""
        self._next = max(self._next, self.done)
        while (at := self._next - self.done) < len(data):
            piece = data[at : at + _SPOT]
            self.spots.extend((self._next, len(piece) << 32 | crc32(piece)))
            self._next += self._stride
            if len(self.spots) > 2 * _MOST:
                kept = zip(self.spots[::4], self.spots[1::4], strict=True)
                self.spots = array("Q", [number for pair in kept for number in pair])
                self._stride *= 2

    def match_all(self, fd: int) -> bool:
        """Whether the file behind `fd` holds the committed bytes, as far as all that is known of them tells."""
        return self.match(fd) and all(
            crc32(read_at(fd, offset, check >> 32)) == check & 0xFFFFFFFF
            for offset, check in zip(self.spots[::2], self.spots[1::2], strict=True)
        )

    def match(self, fd: int) -> bool:
        """Whether the file behind `fd` (still) holds the committed bytes, as far as the marks tell."""
        if os.fstat(fd).st_size < self.done or read_at(fd, 0, len(self.head)) != self.head:
            return False
        return read_at(fd, self.done - len(self.anchor), len(self.anchor)) == self.anchor


def find_renamed(path: str, inode: int, marks: Marks) -> int | None:
    """Return a descriptor of `inode` if it has another name in the folder of `path` and its bytes stand."""
    folder, own = os.path.split(path)
    with os.scandir(folder or ".") as entries:
        names = [entry.name for entry in entries if entry.name != own and entry.inode() == inode]
    return _first_match(folder, names, marks)


def find_copy(path: str, marks: Marks) -> int | None:
    """Return a descriptor of a sibling that is named like a rotated `path` and holds the committed bytes."""
    folder, own = os.path.split(path)
    siblings = (name for name in os.listdir(folder or ".") if name.startswith(own))
    names = [name for name in siblings if _ROTATED.fullmatch(name, len(own))]
    return _first_match(folder, sorted(names), marks) if marks.done else None


def find_next(path: str, fd: int) -> int | None:
    """Return a descriptor of the file that was rotated away from `path` right after the one behind `fd`, if any.

    It is named alike and was written to later; at the same moment, the lower counter or the later date tells. None,
    too, where the file behind `fd` has no such name any more, for then nothing tells what followed it.
    """
    folder, own = os.path.split(path)
    before = os.fstat(fd)
    for _ in range(_LOOKS):  # names move on while they are looked at
        found = _rotated(folder, own)
        name = _after(found, before, len(own))
        if name is None:
            if _rotated(folder, own).keys() == found.keys():
                return None
            continue
        try:
            following, opened = open_regular(os.path.join(folder, name))
        except OSError:
            continue
        if os.path.samestat(opened, found[name]):
            return following
        os.close(following)
    return None


def _after(found: dict[str, os.stat_result], before: os.stat_result, own: int) -> str | None:
    """Return the name of the file that was rotated right after `before`; names go on behind `own` characters."""
    mine = next((name for name, status in found.items() if os.path.samestat(status, before)), None)
    if mine is None:
        return None
    age = (before.st_mtime_ns, *_place(mine[own:]))
    places = {
        name: (one.st_mtime_ns, *_place(name[own:])) for name, one in found.items() if _shape(name) == _shape(mine)
    }
    return min((name for name, when in places.items() if when > age), key=places.__getitem__, default=None)


def _rotated(folder: str, own: str) -> dict[str, os.stat_result]:
    """Return the siblings that are named like a rotated `own`."""
    found: dict[str, os.stat_result] = {}
    with os.scandir(folder or ".") as entries:
        for entry in entries:
            if entry.name.startswith(own) and _ROTATED.fullmatch(entry.name, len(own)):
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = entry.stat(follow_symlinks=False)
    return found


def _shape(name: str) -> str:
    return _NUMBER.sub("0", name)


def _place(suffix: str) -> tuple[int, ...]:
    """Return what rotated files sort by, the oldest first: a counter falls with time, a date rises."""
    numbers = tuple(map(int, _NUMBER.findall(suffix)))
    return (-numbers[0],) if len(numbers) == 1 and numbers[0] < _LEAST_DATE else numbers


def _first_match(folder: str, names: list[str], marks: Marks) -> int | None:
    for name in names:
        try:
            fd, _ = open_regular(os.path.join(folder, name))
        except OSError:
            continue  # gone again, or not a file: then it is not what was rotated
        if marks.match(fd):
            return fd
        os.close(fd)
    return None
