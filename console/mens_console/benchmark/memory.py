"""The most memory that GPUs of this box hold while something runs: the sum of each one's own peak, in bytes.

It is looked at ten times a second on a thread of its own, and is all that the GPU holds, whoever holds it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final

from mens_console.hardware.session import GpuSession

if TYPE_CHECKING:
    from collections.abc import Collection

EVERY_S: Final = 0.1
_PATIENCE_S: Final = 3.0
"""How long the end of a run waits for one look after it."""


class GpuWatch:
    """Keeps the peak of each GPU since `begin`. `indexes` are those that serve; none means all of the box."""

    def __init__(
        self, indexes: Collection[int] = (), session: GpuSession | None = None, every_s: float = EVERY_S
    ) -> None:
        self._indexes = frozenset(indexes)
        self._session = session or GpuSession()
        self._every_s = every_s
        self._peaks: dict[int, int] = {}
        self._untold: set[int] = set()
        self._rounds = 0
        self._lock = threading.Condition()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self.gpus = 0
        """How many were seen."""
        self.problem = ""
        """Why nothing, or not all, could be read."""

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="gpu-memory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; a driver that hangs keeps its thread, and nobody waits for it."""
        self._done.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def begin(self) -> None:
        """Forget the peaks: a run begins."""
        with self._lock:
            self._peaks, self._untold = {}, set()

    async def end(self) -> int | None:
        """Return the sum of the peaks since `begin` in bytes; None where a GPU that serves was not read."""
        return await asyncio.to_thread(self._end)

    def _end(self) -> int | None:
        with self._lock:
            wanted = self._rounds + 2  # the next one to end may have begun before this
            self._lock.wait_for(lambda: self._rounds >= wanted or self._done.is_set(), timeout=_PATIENCE_S)
            if self._rounds < wanted:
                self.problem = self.problem or "the GPUs did not answer in time"
                return None
            missing = sorted(self._indexes - self._peaks.keys())
            if missing:
                self.problem = self.problem or f"there is no GPU {', '.join(map(str, missing))} on this box"
                return None
            return sum(self._peaks.values()) if self._peaks and not self._untold else None

    def _run(self) -> None:
        while not self._done.is_set():
            self._look()
            self._done.wait(self._every_s)
        self._session.close()

    def _look(self) -> None:
        found = self._session.read(time.monotonic(), looked_at=False)
        with self._lock:
            self.problem = found.problem or self.problem
            seen = [one for one in found.gpus if not self._indexes or one.index in self._indexes]
            self.gpus = max(self.gpus, len(seen))
            for gpu in seen:
                if gpu.memory_used is None:
                    self.problem = f"GPU {gpu.index} does not tell its memory"
                    self._untold.add(gpu.index)
                else:
                    self._peaks[gpu.index] = max(self._peaks.get(gpu.index, 0), gpu.memory_used)
            self._rounds += 1
            self._lock.notify_all()
