"""The lines of a file of any size, plain or gzip, in bounded memory. What they mean is not known here."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Final

from mens_console.ingest.safeopen import explain, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

CHUNK: Final = 1 << 20
LONGEST: Final = 16 << 20
"""Bytes of a line above which it is not read."""
_GZIP: Final = b"\x1f\x8b"
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
_PACKED: Final = 1 << 16
_OTHERS: Final = {
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc FILE"),
    b"BZh": ("bzip2", "bzip2 -dc FILE"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc FILE"),
    b"PK\x03\x04": ("zip", "unzip -p FILE"),
    b"PAR1": ("Parquet", "export it as JSON lines"),
    b"\xff\xfe": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE"),
    b"\xfe\xff": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE"),
}


class UnreadableError(Exception):
    """The file cannot be read as text; the message says why, and what cures it."""


class Stream:
    """One open file: its beginning for a look, then its lines. `place` counts bytes of the file itself.

    `ended_early` says why a gzip ended before its end mark ("" while it did not).
    """

    def __init__(self, path: str) -> None:
        try:
            fd, status = open_regular(path, follow=True)
        except FileNotFoundError:
            raise UnreadableError("there is no such file") from None
        except OSError as error:
            raise UnreadableError(explain(error)) from None
        self.size = status.st_size
        self.ended_early = ""
        self._raw: BinaryIO = os.fdopen(fd, "rb", buffering=0)
        self._inflate: zlib._Decompress | None = None
        self._packed = b""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        magic = self._raw.read(8)
        self._raw.seek(0)
        self.gzip = magic.startswith(_GZIP)
        for mark, (name, cure) in _OTHERS.items():
            if magic.startswith(mark):
                raise UnreadableError(f"it is {name}, which is not read here; cure: {cure}")
        parts = [block := self._read(CHUNK)]
        while block and (size := sum(map(len, parts))) < CHUNK:
            parts.append(block := self._read(CHUNK - size))
        self._head = b"".join(parts)

    @property
    def place(self) -> int:
        """Bytes of the file that were read."""
        return self._raw.tell()

    @property
    def head(self) -> bytes:
        """The first MiB of what it holds."""
        return self._head

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def whole(self, most: int) -> bytes | None:
        """Return everything, None where it is more than `most` bytes."""
        parts = [self._head]
        size = len(self._head)
        while block := self._read(CHUNK):
            size += len(block)
            if size > most:
                return None
            parts.append(block)
        return b"".join(parts)

    def lines(self) -> Iterator[tuple[bytes | None, bool]]:
        """Yield each line without its end, None for one that is too long, and whether its end was there."""
        rest, skipping = b"", False
        block = self._head
        while block:
            first, *others = (rest + block).split(b"\n") if not skipping else block.split(b"\n")
            if others:
                yield (None if skipping or len(first) > LONGEST else first), True
                *middle, rest = others
                skipping = False
                for line in middle:
                    yield line, True
            else:
                rest = first
            if skipping or len(rest) > LONGEST:
                rest, skipping = b"", True
            block = self._read(CHUNK)
        if rest or skipping:
            yield (None if skipping else rest), False

    def _read(self, size: int) -> bytes:
        if self.ended_early:
            return b""
        try:
            return self._unpacked(size) if self.gzip else self._raw.read(size)
        except zlib.error as error:
            self.ended_early = f"the gzip is damaged: {error}"
        except OSError as error:
            raise UnreadableError(explain(error)) from None
        return b""

    def _unpacked(self, size: int) -> bytes:
        """Return up to `size` bytes of what a gzip holds, of all its members; of a torn one all that can be had."""
        while True:
            if not self._packed:
                self._packed = self._raw.read(_PACKED)
            if not self._packed:
                if self._inflate is not None:
                    self.ended_early = "the gzip ends before its end mark: it is still being written, or was cut off"
                return b""
            if self._inflate is None:
                self._packed = self._packed.lstrip(b"\0")  # members may be padded
                if not self._packed:
                    continue
                self._inflate = zlib.decompressobj(_GZIP_FORMAT)
            data = self._inflate.decompress(self._packed, size)
            self._packed = self._inflate.unconsumed_tail or self._inflate.unused_data
            if self._inflate.eof:
                self._inflate = None
            if data:
                return data
