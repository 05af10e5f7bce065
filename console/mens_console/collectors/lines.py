"""Lines of a file that many processes append to: each one whole, in the kernel when the call returns, and rotated.

What a line says is the caller's business. Nothing here raises.
"""

# Names may hold any bytes, and the calls are those of the system.
# ruff: noqa: PTH100, PTH103, PTH104, PTH120

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import threading
import time
import weakref
from collections import deque
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from mens_console.collectors.files import Outage, discard, ends_whole, open_to_append, same_file
from mens_console.collectors.guard import warn

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING: Final = 10_000
"""Lines that may wait for a disk that refuses them."""
PATIENCE_S: Final = 5.0
"""How long a writer waits for the lock. One that was stopped while it held it must not stop the others."""
_BREATHS: Final = (0.0002, 0.001, 0.005)
_ALL: weakref.WeakSet[Lines] = weakref.WeakSet()


class Lines:
    """Appends lines to `path`, each in one `write(2)` on a descriptor opened to append, under the file's `flock`.

    When `append` returns True the line is in the kernel: killing the process loses nothing, a power cut may (with
    `durable` it does not: the file is synced first). Lines that the disk refuses wait in memory, at most 10 000 of
    them; they go out first once it takes them again, and what overflows is counted in `lost`. A line that somebody's
    death left torn is ended before the next one.

    A file that a line would make larger than `max_bytes` becomes `path.1`, older ones `path.2` and so on; the `keep`
    newest of these stay, all of them by default. Whoever waits for the lock meanwhile goes on in the new file. Where
    the file system knows no locks, or somebody holds one for 5 s, lines are whole all the same and nothing is rotated.
    `monotonic` says when to try a failing disk again.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        what: str,
        max_bytes: int | None = None,
        keep: int | None = None,
        durable: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if (max_bytes is not None and max_bytes < 1) or (keep is not None and keep < 1):
            raise ValueError("max_bytes and keep are at least 1, or None")
        self.path = os.path.abspath(os.fsdecode(path))
        self.written = self.lost = 0
        self._what = what
        self._max_bytes = max_bytes
        self._keep = keep
        self._durable = durable
        self._outage = Outage(self.path, monotonic, goes_on="generation goes on")
        self._waiting: deque[bytes] = deque()
        self._stuck = self._made = self._busy = False
        self._fd = -1
        self._lock = threading.RLock()
        _ALL.add(self)

    @property
    def waiting(self) -> int:
        """Lines that are not in the file yet because it could not be written."""
        return len(self._waiting)

    def append(self, line: bytes) -> bool:
        """Append one line, which ends in a newline and holds no other; say whether it is in the file."""
        with self._lock:
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(line)
            return not (self._busy or self._outage.resting) and self._drain()

    def close(self) -> bool:
        """Try once more what waits, and let go of the file; say whether everything is in it."""
        with self._lock:
            done = not self._waiting or self._drain()
            self._let_go()
        return done and not self.lost

    def _drain(self) -> bool:
        self._busy = True  # a signal's handler may append too: its line goes out after this one
        try:
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()
                self.written += 1
        except OSError as error:
            self._let_go()
            self._outage.began(error, f"Up to {WAITING} {self._what} wait in memory, older ones are dropped,")
            return False
        else:
            self._outage.ended()
            return True
        finally:
            self._busy = False

    def _write(self, line: bytes) -> None:
        fd, locked = self._hold()
        try:
            if locked and self._full(fd, line) and self._rotate():
                self._let_go()
                fd, locked = self._hold()
            _put(fd, line)
            if self._durable:
                os.fsync(fd)
        finally:
            if locked and self._fd == fd:
                fcntl.flock(fd, fcntl.LOCK_UN)

    def _hold(self) -> tuple[int, bool]:
        """Return a descriptor of the file that is at the path, and whether it is locked; raises `OSError`."""
        while True:
            fd = self._open()
            locked = _lock(fd)
            if same_file(fd, self.path):
                return fd, locked
            self._let_go()  # it was rotated away, or deleted, while this process waited

    def _open(self) -> int:
        if self._fd < 0:
            if not self._made:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                self._made = True  # a directory deleted later is not made again: somebody wanted it gone
            self._fd = open_to_append(self.path)
        return self._fd

    def _full(self, fd: int, line: bytes) -> bool:
        size = os.fstat(fd).st_size
        return self._max_bytes is not None and size > 0 and size + len(line) > self._max_bytes

    def _rotate(self) -> bool:
        """Move the file to `.1`, under its lock; say whether that was done.

        Older ones first, and never onto another, so that a death in between loses nothing.
        """
        try:
            free = 1
            while os.path.lexists(f"{self.path}.{free}"):
                free += 1
            if self._keep is not None and free > self._keep:
                for old in range(self._keep, free):
                    discard(f"{self.path}.{old}")
                free = self._keep
            for number in range(free, 1, -1):
                os.rename(f"{self.path}.{number - 1}", f"{self.path}.{number}")
            os.rename(self.path, f"{self.path}.1")
        except OSError as error:
            if not self._stuck:
                warn(f"mens-console: {self.path} cannot be rotated ({error.strerror}); it grows on")
            self._stuck = True
            return False
        return True

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:
                return  # a network disk tells of lost writes here; the next write tells it again

    def forked(self) -> None:
        """Become what a child process may use: a lock and a file of its own, nothing of the parent's to write."""
        self._lock = threading.RLock()
        self._waiting = deque()
        self.written = self.lost = 0
        self._let_go()


def _lock(fd: int) -> bool:
    """Lock the open file against all others; say whether that was possible."""
    until = 0.0
    for breath in chain(_BREATHS, repeat(_BREATHS[-1])):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            until = until or now + PATIENCE_S
            if now > until:
                return False
            time.sleep(breath)
        except OSError:  # the file system knows no locks
            return False
        else:
            return True
    raise AssertionError


def _put(fd: int, line: bytes) -> None:
    """Append `line` in one call; raises `OSError` where it is not whole then.

    All but its newline is whole: whoever writes next begins with one.
    """
    data = line if ends_whole(fd) else b"\n" + line
    done = os.write(fd, data)
    if done < len(data) - 1:
        done += os.write(fd, data[done:])  # asked again, the disk says why
    if done < len(data) - 1:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _after_fork() -> None:
    for each in list(_ALL):
        each.forked()


def _at_exit() -> None:
    for each in list(_ALL):
        each.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
