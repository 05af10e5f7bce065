"""What the driver writes of a soak: rows into the journal, and each minute that they close, in that order.

A row counts once it is in the kernel, so that a reader, or the next driver, comes to the same minutes.
"""

# Names are ASCII of our own, in a folder whose name may hold any bytes.
# ruff: noqa: PTH118

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from mens_console.collectors.files import describe, ends_whole, open_to_append, same_file, write_all
from mens_console.soak import minutes, rows
from mens_console.soak.durable import PRIVATE
from mens_console.soak.journal import MAX_DISK, Journal
from mens_console.soak.resume import recover
from mens_console.soak.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.soak.fold import Closed, Folding
    from mens_console.soak.types import Plan


class Writer:
    """Writes in a soak's folder, which exists; only whoever holds its lock may. Opening raises `OSError`.

    What an earlier driver wrote is folded first, and goes on: `folding` is where it stands, and a soak that was begun
    before (`resumed`) is told to go on by the driver's own `resume` row. `tell` hears how far that is, in bytes.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        plan: Plan,
        *,
        max_disk: int = MAX_DISK,
        monotonic: Callable[[], float] = time.monotonic,
        tell: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._folder = os.fspath(folder)
        found = recover(self._folder, plan, tell)
        self.folding: Folding = found.folding
        self.resumed = found.begun
        """Whether anything was recorded before."""
        self.journal = Journal(self._folder, max_disk=max_disk, beyond=found.beyond, monotonic=monotonic)
        self._troubles = Troubles(self.journal)
        self._minutes = deque((minutes.encode(closed), closed.next.segment) for closed in found.unwritten)
        """Lines that are not written yet, each with the oldest segment that is needed after it."""
        self._failing: OSError | None = None
        self._pinned = False
        self._fd = -1
        self._flush()

    @property
    def problem(self) -> str | None:
        """What is wrong with the disk and what helps; None while all is well."""
        if self.journal.problem is None and self._failing is not None:
            what, cure = describe(self._failing)
            return f"{minutes.NAME} cannot be written: {what}; the journal goes on; {cure}"
        return self.journal.problem

    def add(self, *new: rows.Row) -> list[Closed]:
        """Record rows, in one go; return the minutes that are closed now.

        A row that no reader would take is not written; that it was made is told.
        """
        faults = [(row, rows.fault(row)) for row in new]
        wrong = [f"a row that cannot be was left out: {why}" for _, why in faults if why]
        told = [rows.happened(self.folding.now_s, "warning", one) for one in wrong]
        done = self._store(*(row for row, why in faults if not why), *told)
        if more := self._troubles.news(self.folding.now_s, self.problem):
            done += self._store(*more)
        return done

    def _store(self, *new: rows.Row) -> list[Closed]:
        done: list[Closed] = []
        for row, place in self.journal.append(*new):
            done += self.folding.feed(row, place)
        proposal = self.folding.proposal
        if proposal is not None and not self._pinned:
            self._pinned = True
            pin = rows.happened(self.folding.now_s, "normal", f"normal is {proposal:.1f} ms", e2e=round(proposal, 3))
            for row, place in self.journal.append(pin):
                done += self.folding.feed(row, place)
        self._minutes.extend((minutes.encode(closed), closed.next.segment) for closed in done)
        if self._minutes:
            self._flush()
        return done

    def _flush(self) -> None:
        """Write the minutes that are closed; what the disk refuses goes out with the next."""
        try:
            self._open()
            while self._minutes:
                line, segment = self._minutes[0]
                write_all(self._fd, line if ends_whole(self._fd) else b"\n" + line)
                self._minutes.popleft()
                self.journal.needed_from = segment
            self._failing = None
        except OSError as error:
            self._failing = error

    def _open(self) -> None:
        """Open the file of minutes, anew where somebody deleted or replaced it; raises `OSError`."""
        path = os.path.join(self._folder, minutes.NAME)
        if self._fd >= 0 and not same_file(self._fd, path):
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            self._fd = open_to_append(path)
            os.fchmod(self._fd, PRIVATE)

    def close(self) -> None:
        """Write what waits if the disk takes it, and let go."""
        self.add()
        self.journal.close()
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # the journal is synced, and minutes can be made of it again
                os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
