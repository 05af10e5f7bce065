"""Temporary folders of replays: each is held by its owner's lock, and those whose owner died are removed at the next.

A replay that is killed cannot remove its own. Nothing but folders of this user, of this name and this shape is touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Final

from mens_console.config.state import open_lock, try_lock

PREFIX: Final = "mens-replay-"
RUNS: Final = "runs"
_OWNER: Final = "owner.lock"
_YOUNG_S: Final = 60.0
"""A folder this young may be one that is being made, and is not locked yet."""
_OLD_S: Final = 2 * 86_400.0
"""A folder without a lock (made by a version that had none) is nobody's after so long."""


class Folder:
    """A folder of one's own for as long as the process lives, or until it is removed."""

    def __init__(self) -> None:
        clean()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._fd = open_lock(self.path / _OWNER)
        try_lock(self._fd)

    def remove(self) -> None:
        """Remove it with all that it holds; a second time does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(fd)

    def __del__(self) -> None:
        """Remove what was forgotten."""
        if getattr(self, "_fd", -1) >= 0:
            self.remove()


def clean(now: float | None = None) -> list[Path]:
    """Remove what dead replays of this user left (at `now`, s since the epoch), and return it."""
    now = time.time() if now is None else now
    removed = []
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and _left(Path(entry.path), now):
                shutil.rmtree(entry.path, ignore_errors=True)
                removed.append(Path(entry.path))
    return removed


def _left(folder: Path, now: float) -> bool:
    """Say whether a folder is a replay's of ours, and nobody holds it any more."""
    try:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
        if not {one.name for one in folder.iterdir()} <= {RUNS, _OWNER}:
            return False
        lock = folder / _OWNER
        if not lock.exists():
            return now - status.st_mtime > _OLD_S
        if now - lock.lstat().st_mtime <= _YOUNG_S:
            return False
        fd = open_lock(lock)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # held, or no locks here that could tell
    else:
        return True
    finally:
        os.close(fd)
