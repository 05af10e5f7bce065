"""The lines of a soak's journal from a place on, raw or packed, while its driver goes on writing it.

Nothing here knows what a line means.
"""

# Names are ASCII of our own, in a folder whose name may hold any bytes.
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import contextlib
import errno
import os
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.soak import segments
from mens_console.soak.fold import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE: Final = 4 << 20
"""Bytes that one look reads at most, unless a line is longer."""
LONGEST: Final = 16 << 20
"""A line that is longer (bytes) is no row: it is passed over."""
_PASSING: Final = frozenset({errno.ENOENT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
"""What may be otherwise at the next look: a segment that is being packed has another name for an instant."""


class Line(NamedTuple):
    """One line without its newline, and where it begins."""

    place: Place
    data: bytes


class Reading:
    """Reads on from `place`; one thread. `more` says that something is known to wait.

    `problem` says what keeps a part of the journal from being read; what can be read after it is.
    """

    def __init__(self, folder: str, place: Place) -> None:
        self.folder = folder
        self.place = Place(max(place.segment, 1), place.offset)
        self.problem: str | None = None
        self.missing: list[tuple[int, int]] = []
        """Segments, first and last, that were not there when their turn came."""
        self.more = False
        self.error: OSError | None = None
        """Why the last look failed as a whole."""
        self._piece = PIECE
        self._packed: _Packed | None = None

    def poll(self, piece: int = PIECE) -> list[Line]:
        """Return the next whole lines, of about `piece` bytes at most; [] where there are none."""
        self._piece = max(self._piece, piece) if self._piece > PIECE else piece
        self.more, self.error = False, None
        try:
            there = segments.listing(self.folder)  # before reading: a newer segment means that this one is complete
            return self._read({each.number: each for each in there})
        except OSError as error:
            self.error = error
            self.problem = f"the journal: {explain(error)}"
            return []

    def far(self) -> tuple[int, int]:
        """Return about how many bytes of the journal's files were read, and how many there are; 0 for nobody knows."""
        done = total = 0
        with contextlib.suppress(OSError):
            for each in segments.listing(self.folder):
                size = os.stat(os.path.join(self.folder, segments.name(each.number, packed=not each.raw))).st_size
                total += size
                if each.number < self.place.segment:
                    done += size
                elif each.number == self.place.segment and each.raw:
                    done += min(self.place.offset, size)
        return done, total

    def _read(self, there: dict[int, segments.Segment]) -> list[Line]:
        number = self.place.segment
        newer = [each for each in there if each > number]
        if number not in there:
            return self._pass_over(min(newer)) if newer else []
        try:
            data, ended = self._bytes(there[number])
        except OSError as error:
            if not newer or error.errno in _PASSING:
                raise
            self.error, self.problem = error, f"{segments.name(number)}: {explain(error)}"
            return self._pass_over(min(newer))
        lines, done = _split(self.place, data)
        if ended and newer and done < len(data):  # a line that was never finished, in a segment that is
            lines.append(Line(Place(number, self.place.offset + done), data[done:]))
            done = len(data)
        elif not done and len(data) >= LONGEST:
            lines, done = [Line(self.place, b"")], len(data)
        self._piece = PIECE if done else min(max(len(data), PIECE) * 2, LONGEST)
        self.place = Place(number, self.place.offset + done)
        if ended and newer:
            self.place, self.more = Place(number + 1, 0), True
        else:
            self.more = not ended
        return lines

    def _pass_over(self, to: int) -> list[Line]:
        self.missing.append((self.place.segment, to - 1))
        self.place, self.more = Place(to, 0), True
        return []

    def _bytes(self, segment: segments.Segment) -> tuple[bytes, bool]:
        """Return what follows the place in its segment, and whether that is all there is of it now."""
        path = os.path.join(self.folder, segments.name(segment.number, packed=not segment.raw))
        if not segment.raw:
            return self._unpacked(path)
        fd, status = open_regular(path)
        try:
            if status.st_size < self.place.offset:
                return b"", True  # cut by a power failure or by somebody; its driver goes on in a new one
            data = read_at(fd, self.place.offset, self._piece)
            return data, self.place.offset + len(data) >= status.st_size
        finally:
            os.close(fd)

    def _unpacked(self, path: str) -> tuple[bytes, bool]:
        if self._packed is None or not self._packed.goes_on(path, self.place.offset):
            self._packed = _Packed(path, self.place.offset)
        return self._packed.take(self._piece, self)


class _Packed:
    """A packed segment, unpacked once from its beginning as far as it is asked for."""

    def __init__(self, path: str, offset: int) -> None:
        self._path = path
        self._at = offset
        self._held = b""
        self._ended = False
        self._pieces = self._open(offset)

    def goes_on(self, path: str, offset: int) -> bool:
        """Whether this can go on from there, without unpacking again."""
        if path != self._path or not self._at <= offset <= self._at + len(self._held):
            return False
        self._held, self._at = self._held[offset - self._at :], offset
        return True

    def take(self, most: int, reading: Reading) -> tuple[bytes, bool]:
        """Return the next bytes, and whether they are the last; damage ends a segment, and is told."""
        try:
            while len(self._held) < most and not self._ended:
                piece = next(self._pieces, b"")
                self._ended = not piece
                self._held += piece
        except zlib.error as error:
            self._ended = True
            reading.problem = f"{os.path.basename(self._path)} is damaged ({error}): rows after that are missing"  # noqa: PTH119
        return self._held[:most], self._ended and len(self._held) <= most

    def _open(self, offset: int) -> Iterator[bytes]:
        fd, _ = open_regular(self._path)
        try:
            yield from segments.unpack(fd, offset)
        finally:
            os.close(fd)


def _split(place: Place, data: bytes) -> tuple[list[Line], int]:
    """Return the whole lines, and how many bytes they are."""
    lines, begin = [], 0
    while (end := data.find(b"\n", begin)) >= 0:
        if end > begin:
            lines.append(Line(Place(place.segment, place.offset + begin), data[begin:end]))
        begin = end + 1
    return lines, begin
