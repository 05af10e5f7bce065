"""Files of a run, written so that a full, read-only or vanished disk costs rows and never the training.

One outage is told once, in words with a cure; what goes into the files is decided elsewhere.
"""

# Names may hold any bytes, and the calls are those of the system.
# ruff: noqa: PTH105, PTH108, PTH116, PTH118

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING, Final

from mens_console.collectors.guard import warn

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY_S: Final = 30.0
"""Between two tries while a file cannot be written."""
OPEN: Final = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_CURES: Final = {
    errno.ENOSPC: ("no space is left on the device", "free space or delete old checkpoints"),
    errno.EDQUOT: ("the disk quota is used up", "free space or raise the quota"),
    errno.EFBIG: ("the file may not grow further", "raise the limit on file sizes (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", "remount it writable or choose another run directory"),
    errno.EACCES: ("permission is denied", "make the run directory writable for this user"),
    errno.EPERM: ("permission is denied", "make the run directory writable for this user"),
    errno.ENOENT: ("the directory is gone", "create it again, or start the run with another one"),
    errno.ENOTDIR: ("a part of the path is not a directory", "choose another run directory"),
    errno.EIO: ("the device reports an input/output error", "look at the disk (dmesg)"),
    errno.ESTALE: ("the network file system lost the file", "mount it again"),
}


def describe(error: OSError) -> tuple[str, str]:
    """Return what is wrong, in words, and what helps."""
    if error.errno in _CURES:
        return _CURES[error.errno]
    return (error.strerror or str(error) or type(error).__name__).lower(), "see to the path"


Told = dict[int, object]
"""By the number of an error who told of it: the files of a run share one, for one cause needs one warning."""


class Outage:
    """Whether a file can be written at the moment, when to try again, and the one warning about it.

    Files that share `told` warn once for each cause, whichever of them meets it first.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], float] = time.monotonic,
        told: Told | None = None,
        *,
        goes_on: str = "training goes on",
    ) -> None:
        self.path = path
        self._goes_on = goes_on
        self._told = told
        self.on = False
        self._clock = clock
        self._again = 0.0
        self._warned = False

    @property
    def resting(self) -> bool:
        """Return whether the next try is still to come."""
        return self.on and self._clock() < self._again

    def began(self, error: OSError, lost: str) -> None:
        """Note a failure; the first one ever is told to the user, later ones only to the log."""
        if not self.on:
            what, cure = describe(error)
            others = "" if self._told is None else " The run's other files may fare alike."
            message = (
                f"{self.path} cannot be written: {what}. {lost} while it lasts; {self._goes_on}. To cure it: {cure}. "
                f"It is tried again every {RETRY_S:.0f} s.{others}"
            )
            warn(message, quiet=self._warned or not self._first(error))
            self._warned = True
        self.on = True
        self._again = self._clock() + RETRY_S

    def _first(self, error: OSError) -> bool:
        """Say whether none of the files that share what was told has told of this cause; one call, as threads meet."""
        return self._told is None or self._told.setdefault(error.errno or 0, self) is self

    def ended(self) -> None:
        """Note that the file was written."""
        self.on = False


def open_to_append(path: str) -> int:
    """Return a descriptor that appends to `path`, made where it is not there; raises `OSError`.

    It may be read too, where this user may; anything but a regular file or a character device is refused.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o666)
    except PermissionError as denied:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | OPEN)  # may be written, if not read
        except OSError:
            raise denied from None
    if not (stat.S_ISREG(mode := os.fstat(fd).st_mode) or stat.S_ISCHR(mode)):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return fd


def same_file(fd: int, path: str) -> bool:
    """Say whether the open file is the one that is at `path` now; raises `OSError` but for nothing being there."""
    try:
        there, mine = os.stat(path), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def ends_whole(fd: int) -> bool:
    """Say whether the file is empty or its last line has its end; False where it cannot be read."""
    size = os.fstat(fd).st_size
    if not size:
        return True
    try:
        return os.pread(fd, 1, size - 1) == b"\n"
    except OSError:
        return False  # opened for writing only: an empty line harms nobody


def replace_file(path: str, data: bytes) -> None:
    """Write `data` beside `path` and move it there in one step, so that no reader ever sees half of it.

    Not synced to the device: a reader's view is whole at any time, a power cut may keep the older one. Raises
    `OSError`, and leaves nothing behind then.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | OPEN, 0o666)
    try:
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except OSError:
        discard(temporary)
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; raises `OSError` where less than that could be."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def discard(path: str) -> None:
    """Delete a file that may not be there."""
    try:
        os.unlink(path)
    except OSError:
        return  # it never was, or the disk that failed it fails this too


def read_small(path: str, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes; raises `OSError` for anything else."""
    fd = os.open(path, os.O_RDONLY | OPEN)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, "too large")
    return data
