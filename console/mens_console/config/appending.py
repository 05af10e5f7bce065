"""Appending to a file that other programs append to as well: one write under its lock, on disk, or not at all.

What a line is, and what to tell a person where it fails, is known elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import Final

PATIENCE_S: Final = 5.0
"""How long an append waits for another one."""
_POLL_S: Final = 0.02


class NotAppendedError(OSError):
    """Nothing was appended, for the reason that it is made of.

    `left` is why what was written of it could not be taken back: the file then holds a part of it. None where it was.
    """

    def __init__(self, why: OSError, left: OSError | None) -> None:
        super().__init__(why.errno, why.strerror or str(why))
        self.left = left


def hold(fd: int, patience_s: float = PATIENCE_S) -> None:
    """Take the lock of an open file; it lasts until that is closed.

    Raises TimeoutError where another program does not let go of it, OSError where the file system has no locks.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError(errno.ETIMEDOUT, "another program holds its lock") from None
            time.sleep(_POLL_S)
        else:
            return


def put(fd: int, data: bytes) -> None:
    """Append to a file that was opened to append, is held and can be read; return once it is on disk.

    Raises `NotAppendedError`, after what was written of it was cut off again.
    """
    size = os.fstat(fd).st_size
    try:
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, "only a part of it was taken: the disk is full")
        os.fsync(fd)
        if _read(fd, size, len(data) + 1) != data:
            raise OSError(errno.EIO, "what was read back is something else")
    except OSError as error:
        raise NotAppendedError(error, cut(fd, size)) from None


def cut(fd: int, size: int) -> OSError | None:
    """Cut a file to its size of before, on disk too; return why that did not work, None where it did."""
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    except OSError as error:
        return error
    return None


def _read(fd: int, begin: int, most: int) -> bytes:
    parts: list[bytes] = []
    while most > 0 and (part := os.pread(fd, most, begin)):
        parts.append(part)
        begin, most = begin + len(part), most - len(part)
    return b"".join(parts)
