"""Opening what others wrote: only regular files, never blocking, never through a link unless told so.

Descriptors (`FdCache`) and retries (`BackOff`) live here too. Nothing here knows formats or keeps what it read.
"""

# One `stat` before each open; a name may hold any bytes, which `os` calls take as they are.
# ruff: noqa: PTH116

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_CURES: Final = {
    errno.EACCES: "permission denied: make it readable (chmod a+r) or start the console as its owner",
    errno.EPERM: "permission denied: make it readable (chmod a+r) or start the console as its owner",
    errno.EIO: "the disk reports a read error: check dmesg and the drive",
    errno.ESTALE: "the network file system lost it: check the mount; it is tried again",
    errno.ENOENT: "it is gone: rows read so far are kept, and it is picked up when it returns",
    errno.ENOTDIR: "it is gone: rows read so far are kept, and it is picked up when it returns",
    errno.ELOOP: "it is a symbolic link that is not followed: name the file it points to",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENFILE: "the machine is out of file handles: raise fs.file-max",
    errno.ENOMEM: "out of memory: it is tried again",
}


class NotRegularFileError(OSError):
    """The path is a FIFO, device, socket or directory: reading it could block or never end."""


def open_regular(path: str, *, follow: bool = False) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; return its descriptor and its `fstat`.

    `follow` allows `path` itself to be a symbolic link (links in its folders are always followed). Raises
    `NotRegularFileError` for anything but a regular file, `OSError` for what the system says. A FIFO or device is not
    even opened, because opening alone can wake a writer or move a tape; the second check closes the race.
    """
    if not stat.S_ISREG((before := os.stat(path, follow_symlinks=follow)).st_mode):
        if stat.S_ISLNK(before.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        raise NotRegularFileError(errno.EINVAL, "not a regular file", path)
    fd = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularFileError(errno.EINVAL, "not a regular file", path)
    except OSError:
        os.close(fd)
        raise
    return fd, status


def read_at(fd: int, offset: int, length: int) -> bytes:
    """Return up to `length` bytes at `offset`; fewer only where the file ends (a short read is completed)."""
    data = os.pread(fd, length, offset)
    if not data or len(data) == length:
        return data
    parts = [data]
    got = len(data)
    while got < length and (data := os.pread(fd, length - got, offset + got)):
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def read_small(path: str, cap: int, *, offset: int = 0, follow: bool = False) -> bytes:
    """Return up to `cap` bytes of a regular file from `offset`; errors as `open_regular`."""
    fd, _ = open_regular(path, follow=follow)
    try:
        return read_at(fd, offset, cap)
    finally:
        os.close(fd)


def explain(error: OSError, *, folder: bool = False) -> str:
    """Say what went wrong with a file, or with a folder that was to be listed, and what cures it, without its name."""
    if isinstance(error, NotRegularFileError):
        return "it is not a regular file (a pipe, device or folder): it is not read"
    cure = _CURES.get(error.errno or 0)
    if cure is not None and folder:
        cure = cure.replace("(chmod a+r)", "(chmod a+rx)")
    return cure or f"{(error.strerror or str(error)).lower()}: it is tried again"


@dataclass(slots=True)
class BackOff:
    """When to try again what failed: after 0.25 s, then twice as long each time, up to 30 s (1 s where `soon`)."""

    failures: int = 0
    retry_at: float = float("-inf")
    failed_at: float = float("-inf")

    def ready(self, now: float) -> bool:
        """Whether the wait is over, or the clock that `failed` was told of (seconds) was set back."""
        return now >= self.retry_at or now < self.failed_at

    def failed(self, now: float, *, soon: bool = False) -> None:
        """Note a failure. `soon` is for a vanished file, which often returns (an atomic replace over a network)."""
        self.failed_at = now
        self.retry_at = now + min(0.25 * 2**self.failures, 1.0 if soon else 30.0)
        self.failures = min(self.failures + 1, 16)

    def worked(self) -> bool:
        """Forget the failures; return whether there were any."""
        failures, self.failures = self.failures, 0
        self.retry_at = self.failed_at = float("-inf")
        return failures > 0


class FdCache:
    """At most `limit` open descriptors, the least recently used closed first.

    A descriptor is the cache's: whoever needs one asks `get` each time and copes with None by opening again (and by
    finding a file that was renamed meanwhile by its inode). One thread only.
    """

    def __init__(self, limit: int = 256) -> None:
        self._limit = max(limit, 1)
        self._open: OrderedDict[object, int] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of open descriptors."""
        return len(self._open)

    def get(self, key: object) -> int | None:
        """Return the descriptor kept under `key` and mark it used, or None."""
        fd = self._open.get(key)
        if fd is not None:
            self._open.move_to_end(key)
        return fd

    def put(self, key: object, fd: int) -> None:
        """Keep `fd` under `key` (closing what was there), and close the oldest beyond the limit."""
        self.drop(key)
        self._open[key] = fd
        while len(self._open) > self._limit:
            _, oldest = self._open.popitem(last=False)
            os.close(oldest)

    def drop(self, key: object) -> None:
        """Close the descriptor kept under `key`, if any."""
        fd = self._open.pop(key, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Close all of them; the cache stays usable."""
        while self._open:
            os.close(self._open.popitem()[1])
