"""The report that a driver leaves in its directory when it ends, so that the gate finds it without being led to it."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from mens_console.cli.soak_report import written

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "report.json"


def withdraw(folder: Path) -> None:
    """Take back the report of a soak that goes on: it would tell less than there will be."""
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def leave(folder: Path) -> str:
    """Write the report of a soak that ended, whole or not at all; return why it could not be, else ""."""
    from mens_console.soak.follow import SoakFollower

    fresh = folder / f".{NAME}.{os.getpid()}.tmp"
    try:
        follower = SoakFollower(folder)
        try:
            follower.poll(time.time())
            while follower.more:
                follower.poll(time.time())
            text = written(follower.report, whole=True)
        finally:
            follower.close()
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
            file.write(text)
            os.fsync(file.fileno())
        fresh.replace(folder / NAME)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        return (error.strerror or str(error)).lower()
    return ""
