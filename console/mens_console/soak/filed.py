"""The file of closed minutes as its readers follow it: each line once, a file that was cut or replaced read anew."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

from mens_console.ingest.marks import Marks
from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.soak import minutes

if TYPE_CHECKING:
    from mens_console.soak.fold import Closed

_PIECE: Final = 4 << 20


class Filed:
    """Follows one such file. One thread, and no descriptor between two looks.

    `problem` says why it cannot be read; `faults` tells the newest lines that were refused, `refused` how many were.
    """

    def __init__(self, path: str, last: int) -> None:
        """Read minutes up to the index `last`."""
        self.path = path
        self.last = last
        self._clear()
        self.problem: str | None = None
        self._seen: tuple[int, ...] = ()

    def _clear(self) -> None:
        self.closed: dict[int, Closed] = {}
        self.newest: Closed | None = None
        """The latest minute of the plan that was read."""
        self.refused = 0
        self.faults: deque[str] = deque(maxlen=5)
        self._marks = Marks()
        self._line = 0

    def poll(self) -> bool | None:
        """Read what is new to the end; True where there were minutes, None where all was read anew."""
        try:
            fd, status = open_regular(self.path)
        except FileNotFoundError:
            return self._gone()
        except OSError as error:
            self.problem = f"{minutes.NAME}: {explain(error)}"
            return False
        try:
            self.problem = None
            return self._look(fd, status)
        except OSError as error:
            self.problem = f"{minutes.NAME}: {explain(error)}"
            return False
        finally:
            os.close(fd)

    def _gone(self) -> bool | None:
        """Forget what a file held that is no more; one that never was is no problem: no minute is over yet."""
        self._seen = ()
        if not self._marks.done:
            return False
        self._clear()
        return None

    def _look(self, fd: int, status: os.stat_result) -> bool | None:
        seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if seen == self._seen:
            return False
        grown = status.st_size > self._marks.done and seen[:2] == self._seen[:2]
        again = bool(self._seen) and (not self._marks.match(fd) or (seen[2] == self._seen[2] and not grown))
        self._seen = seen
        if again:
            self._clear()
        found = self._read(fd)
        return None if again else found

    def _read(self, fd: int) -> bool:
        found, piece = False, _PIECE
        while data := read_at(fd, self._marks.done, piece):
            end = data.rfind(b"\n") + 1
            if not end:
                if len(data) < piece:
                    break
                end = len(data) if piece > minutes.LONGEST else 0
                piece *= 2
            for line in data[:end].split(b"\n"):
                self._line += 1
                found |= self._take(line)
            self._line -= 1
            self._marks.commit(data[:end])
        return found

    def _take(self, line: bytes) -> bool:
        if not line.strip():
            return False
        try:
            closed = minutes.decode(line)
        except minutes.BadMinuteError as error:
            self._refuse(str(error))
            return False
        index = closed.minute.index
        if index > self.last:
            self._refuse(f"the plan has no minute {index}")
        elif index not in self.closed:
            self.closed[index] = closed
            if self.newest is None or index > self.newest.minute.index:
                self.newest = closed
            return True
        return False

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.faults.append(f"{minutes.NAME}, line {self._line}: {why}")
