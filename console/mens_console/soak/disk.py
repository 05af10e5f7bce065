"""A thread for what may take long on a disk, so that no request waits for it: syncing, packing, discarding."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Final

from mens_console.collectors.files import describe
from mens_console.soak import segments
from mens_console.soak.durable import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S: Final = 10.0
"""How long closing waits for a disk that may never answer."""


class Disk:
    """Does one thing after the other in a daemon thread, which lives from the first until `close`.

    `problem` says what could not be done, the last time; nothing is lost by that as long as the system lives.
    """

    def __init__(self, folder: str, max_disk: int) -> None:
        self.problem: str | None = None
        self._folder, self._max_disk = folder, max_disk
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._discarded: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._syncing = threading.Event()
        self._thread: threading.Thread | None = None

    def sync(self, fd: int) -> None:
        """Have a file synced, unless the last time still lasts; raises nothing, for what was written is written."""
        if self._syncing.is_set():
            return
        try:
            mine = os.dup(fd)
        except OSError as error:
            self.problem = f"the journal cannot be synced: {describe(error)[0]}"
            return
        self._syncing.set()
        self._do(lambda: self._sync(mine, done=self._syncing))

    def leave(self, fd: int) -> None:
        """Have a file synced and closed."""
        self._do(lambda: self._sync(fd))

    def pack(self, number: int) -> None:
        """Have a complete segment packed."""
        self._do(lambda: self._try(f"segment {number} cannot be packed", lambda: segments.pack(self._folder, number)))

    def discard(self, needed_from: int) -> None:
        """Have the oldest segments before `needed_from` deleted, as far as all take too much room."""
        self._do(lambda: self._try("segments cannot be discarded", lambda: self._discard(needed_from)))

    def take_discarded(self) -> list[int]:
        """Return the segments that were deleted since this was last asked."""
        taken = []
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._discarded.get_nowait())
        return taken

    def close(self) -> None:
        """Wait until all is done, or for 10 s."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(PATIENCE_S)
            self._thread = None

    # ------------------------------------------------------------------ in the thread

    def _do(self, job: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="soak-disk", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _sync(self, fd: int, done: threading.Event | None = None) -> None:
        def sync() -> None:
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_folder(self._folder)

        self._try("the journal cannot be synced", sync)
        if done is not None:
            done.clear()

    def _try(self, what: str, job: Callable[[], None]) -> None:
        try:
            job()
        except OSError as error:
            wrong, cure = describe(error)
            self.problem = f"{what}: {wrong}; {cure}"
        else:
            self.problem = None

    def _discard(self, needed_from: int) -> None:
        taken = segments.sizes(self._folder)
        total = sum(taken.values())
        for number in sorted(taken)[:-1]:
            if total <= self._max_disk or number >= needed_from:
                return
            segments.remove(self._folder, number)
            total -= taken[number]
            self._discarded.put(number)
