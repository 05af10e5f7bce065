"""The program's own files in the user's state directory: private, locked while they change, replaced whole.

What they say is known elsewhere; no settings and no file of a run is read here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCK_PATIENCE_S: Final = 1.0
"""How long a change waits for another program's change; whoever holds the lock longer than that is stuck."""
_LOCK_POLL_S: Final = 0.01
_LOCKLESS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""What file systems without locks answer."""

DAMAGE: Final = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What is raised where a JSON document is not what it should be."""

Signature = tuple[int, int, int]
"""Inode, time of the last change (ns), and size: what changes when a file is replaced."""


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder: ``$XDG_STATE_HOME/mens-console``, or else ``~/.local/state/mens-console``, on macOS too."""
    base = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return folder / "mens-console"


def make_private_folder(folder: Path) -> None:
    """Make the folder, or tighten it, so that only its owner enters (0700). Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def signature(path: Path) -> Signature | None:
    """Return what changes when the file is replaced, None where there is none or nobody may look."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_private(path: Path, most: int) -> bytes | None:
    """Return the bytes of a regular file, None where there is none. Raises OSError, also if it is over `most` bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:  # noqa: PTH123 (a descriptor)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most} bytes", str(path))
        return file.read(most)


def replace_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the file by `data`, whole or not at all, readable by its owner alone (0600). Raises OSError.

    What is `durable` survives a power cut; that costs a wait for the disk.
    """
    make_private_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(fresh, flags, 0o600), "wb") as file:  # noqa: PTH123 (a descriptor)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def append_private(path: Path, line: bytes, *, rotate_at: int) -> None:
    """Append one line in one write; a file of `rotate_at` bytes first becomes ``<name>.1``. Raises OSError."""
    make_private_folder(path.parent)
    with locked(path):
        known = signature(path)
        if known is not None and known[2] >= rotate_at:
            path.replace(path.with_name(f"{path.name}.1"))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)


@contextlib.contextmanager
def locked(path: Path, patience_s: float = LOCK_PATIENCE_S) -> Iterator[None]:
    """Hold the lock of a file (``<name>.lock`` beside it) while it is changed.

    A file system that has no locks is used without. Raises TimeoutError when another program does not let go, OSError
    where the lock file cannot be made.
    """
    make_private_folder(path.parent)
    fd = open_lock(path.with_name(f"{path.name}.lock"))
    try:
        until = time.monotonic() + patience_s
        while not try_lock(fd):
            if time.monotonic() >= until:
                raise TimeoutError(errno.ETIMEDOUT, "another program holds its lock", str(path))
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(fd)


def open_lock(path: Path) -> int:
    """Open a lock file, made where there is none; return its descriptor. Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(fd: int) -> bool:
    """Take the lock if it is free (or there are no locks here); it lasts until the descriptor is closed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise
    return True
