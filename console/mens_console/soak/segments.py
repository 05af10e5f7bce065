"""The files of a soak's journal: their names, reading them from a place on, and packing those that are complete."""

# Names are ASCII of our own, in a folder whose name may hold any bytes; the calls are those of the system.
# ruff: noqa: PTH105, PTH108, PTH116, PTH118, PTH208

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.collectors.files import OPEN, discard, write_all
from mens_console.ingest.safeopen import open_regular, read_at
from mens_console.soak.durable import PRIVATE, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = re.compile(r"journal-(\d{6,9})\.ndjson(\.gz)?")
_LEFT: Final = re.compile(r"\.journal-\d{6,9}\.ndjson\.gz\.tmp")
_PIECE: Final = 1 << 20
_GZIP: Final = zlib.MAX_WBITS | 16
_BOMB: Final = 1 << 40


class Segment(NamedTuple):
    """One file of the journal, raw, packed, or for an instant both."""

    number: int
    raw: bool
    packed: bool


def name(number: int, *, packed: bool = False) -> str:
    """Return the name of a segment's file."""
    return f"journal-{number:06d}.ndjson" + (".gz" if packed else "")


def listing(folder: str) -> list[Segment]:
    """Return the segments that are there, oldest first; raises `OSError`."""
    kinds: dict[int, set[bool]] = {}
    for each in os.listdir(folder):
        if found := _NAME.fullmatch(each):
            kinds.setdefault(int(found[1]), set()).add(found[2] is not None)
    return [Segment(number, False in kinds[number], True in kinds[number]) for number in sorted(kinds)]


def pack(folder: str, number: int) -> None:
    """Put the gzip of a complete segment in its place, so that at any time one of them is whole; raises `OSError`."""
    raw, temporary = os.path.join(folder, name(number)), os.path.join(folder, f".{name(number, packed=True)}.tmp")
    source, _ = open_regular(raw)
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | OPEN, PRIVATE)
        try:
            _squeeze(source, fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, os.path.join(folder, name(number, packed=True)))
    except OSError:
        discard(temporary)
        raise
    finally:
        os.close(source)
    sync_folder(folder)
    os.unlink(raw)


def _squeeze(source: int, fd: int) -> None:
    packer, offset = zlib.compressobj(1, zlib.DEFLATED, _GZIP), 0
    while data := read_at(source, offset, _PIECE):
        offset += len(data)
        write_all(fd, packer.compress(data))
    write_all(fd, packer.flush())


def tidy(folder: str) -> list[int]:
    """Finish what a death left half done, and return the complete segments that are still to be packed.

    A packed file is put in its place only when it is whole; where both are there, the length that it ends in tells
    whether it is this raw file's, which is then no longer needed.
    """
    for each in os.listdir(folder):
        if _LEFT.fullmatch(each):
            discard(os.path.join(folder, each))
    left = []
    segments = listing(folder)
    for segment in segments[:-1]:
        if segment.raw and segment.packed and _same_length(folder, segment.number):
            discard(os.path.join(folder, name(segment.number)))
        elif segment.raw:
            left.append(segment.number)
    return left


def _same_length(folder: str, number: int) -> bool:
    with contextlib.suppress(OSError, struct.error):
        fd, status = open_regular(os.path.join(folder, name(number, packed=True)))
        try:
            told: int = struct.unpack("<I", read_at(fd, status.st_size - 4, 4))[0]
        finally:
            os.close(fd)
        return told == os.stat(os.path.join(folder, name(number))).st_size & 0xFFFFFFFF
    return False


def sizes(folder: str) -> dict[int, int]:
    """Return the bytes that each segment takes on the disk; raises `OSError`."""
    taken = {}
    for segment in listing(folder):
        taken[segment.number] = 0
        for packed in (False, True):
            with contextlib.suppress(OSError):
                taken[segment.number] += os.lstat(os.path.join(folder, name(segment.number, packed=packed))).st_size
    return taken


def remove(folder: str, number: int) -> None:
    """Delete a segment in whatever form it is there."""
    discard(os.path.join(folder, name(number)))
    discard(os.path.join(folder, name(number, packed=True)))


def unpack(fd: int, offset: int) -> Iterator[bytes]:
    """Return the bytes of a packed segment from `offset` of what is packed on, in pieces of 1 MiB at most.

    Raises `OSError`, and `zlib.error` where it is damaged; what comes before the damage is returned first.
    """
    unpacker, at, passed = zlib.decompressobj(_GZIP), 0, 0
    while packed := read_at(fd, at, 1 << 17):
        at += len(packed)
        while packed and not unpacker.eof:
            data = unpacker.decompress(packed, _PIECE)
            packed = unpacker.unconsumed_tail
            passed += len(data)
            if passed > _BOMB:
                raise zlib.error("it unpacks to more than a journal holds")
            if passed > offset:
                yield data[max(len(data) - (passed - offset), 0) :]
    if not unpacker.eof:
        raise zlib.error("it ends in the middle")
