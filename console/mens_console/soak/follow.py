"""A soak followed as it goes on: its driver's directory, or a file that another load tool writes. One thread.

Only reads. What cannot be read becomes a problem of the report, never an exception.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mens_console.soak.analyse import Analyst
from mens_console.soak.imports import following
from mens_console.soak.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.soak.types import Analysis


class _Directory:
    """Follows a directory: the record reads, the analyst adds up what it read."""

    def __init__(self, path: Path | str) -> None:
        self._record = Record(path)
        self._analyst = Analyst(os.fspath(path))
        self._report: Analysis | None = None

    def poll(self, now: float) -> bool:
        if not self._record.poll(now):
            return False
        self._report = None
        return True

    @property
    def more(self) -> bool:
        return self._record.more

    @property
    def far(self) -> tuple[int, int]:
        return self._record.far

    @property
    def report(self) -> Analysis:
        if self._report is None:
            self._report = self._analyst.update(self._record)
        return self._report

    def close(self) -> None:
        self._record.close()


class SoakFollower:
    """Follows a soak's directory, or the file of another tool, whichever `path` is when it is opened."""

    def __init__(self, path: Path | str) -> None:
        self._one = _Directory(path) if os.path.isdir(path) else following.follow(path)  # noqa: PTH112 (any bytes)

    def poll(self, now: float) -> bool:
        """Read what is new; True where the report changed. `now` is seconds since the epoch."""
        return self._one.poll(now)

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        return self._one.more

    @property
    def far(self) -> tuple[int, int]:
        """About how many bytes were read that have to be, and how many there are; 0 where nobody knows."""
        return self._one.far if isinstance(self._one, _Directory) else (0, 0)

    @property
    def report(self) -> Analysis:
        """What is known now; the same object while nothing changed."""
        return self._one.report

    def close(self) -> None:
        """Give all descriptors back."""
        self._one.close()


def read_soak(path: Path | str, now: float) -> Analysis:
    """Return what a soak comes to, read once to its end."""
    follower = SoakFollower(path)
    try:
        follower.poll(now)
        while follower.more:
            follower.poll(now)
        return follower.report
    finally:
        follower.close()
