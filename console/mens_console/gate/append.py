"""Adding a record to the ledger: one write under a lock, on disk before anybody calls it recorded, or not at all.

What a record is, and whether a ledger is whole, is told in `ledger`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from mens_console.config.appending import PATIENCE_S, NotAppendedError, hold, put
from mens_console.gate.ledger import TORN, Chain, LedgerError, chain, whole
from mens_console.ingest.safeopen import NotRegularFileError, explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def append(path: Path, line: bytes, following: str) -> Chain:
    """Append one record where the ledger still is at `following`; return the ledger as it is on disk then.

    All of it happens under the lock: the chain is checked, the line goes out in one write, is read back and synced to
    disk. Raises `LedgerError`; the ledger then holds what it held before, whatever became of the disk.
    """
    with _opened(path) as fd:
        there = whole(fd, path)
        before = chain(there, str(path))
        if before.problems:
            raise LedgerError(
                f"{before.problems[0]}; nothing is added to a ledger that is not whole: restore it from a copy, or "
                "begin another (--ledger FILE) and keep this one"
            )
        if before.following != following:
            raise LedgerError(
                f"{path}: somebody recorded a decision meanwhile, and a signature holds for one place alone; look at "
                "it (gate ledger) and sign again"
            )
        data = TORN + line if before.tail else line
        after = chain(there + data, str(path))
        if after.problems or len(after.entries) != len(before.entries) + 1:
            why = after.problems[0] if after.problems else "it is more or less than one line"
            raise LedgerError(f"the record would not be valid, and was not written: {why}")
        _write(fd, data, path)
        _sync_folder(path)
        return after


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the ledger (made where there is none) and hold its lock. Raises `LedgerError`."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise NotRegularFileError(errno.EINVAL, "not a regular file", str(path))
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        why = (
            explain(error) if isinstance(error, NotRegularFileError) else f"{_why(error)}; name another (--ledger FILE)"
        )
        raise LedgerError(f"{path}: nothing can be recorded there: {why}") from None
    try:
        _lock(fd, path)
        there, held = path.stat(), os.fstat(fd)
        if (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
            raise LedgerError(f"{path}: it was replaced meanwhile; look at it (gate verify) and sign again")
        yield fd
    except OSError as error:
        raise LedgerError(f"{path}: nothing was recorded: {explain(error)}") from None
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    try:
        hold(fd, PATIENCE_S)
    except TimeoutError:
        raise LedgerError(f"{path}: another program holds its lock; nothing was recorded, try again") from None
    except OSError as error:
        raise LedgerError(
            f"{path}: its file system has no locks ({_why(error)}), and a ledger needs one: put it on a local disk"
        ) from None


def _write(fd: int, data: bytes, path: Path) -> None:
    """Append `data`, and say what became of it where that fails."""
    try:
        put(fd, data)
    except NotAppendedError as error:
        kept = "nothing was recorded and nothing lost"
        if error.left is not None:
            why = _why(error.left)
            kept = f"what was written of it could not be taken back ({why}), so see what stands there: gate verify"
        raise LedgerError(
            f"{path}: the record could not be written ({_why(error)}); {kept}: make room, or mend the disk, and sign "
            "again"
        ) from None


def _sync_folder(path: Path) -> None:
    """Let the name of a new ledger survive a power cut too, where folders can be synced."""
    with contextlib.suppress(OSError):
        fd = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
