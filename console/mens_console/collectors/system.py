"""What the machine does while a training runs: sampled on a thread of its own, told as events `system`.

Nothing is done in the step. What cannot be read is left out; it never warns that a box has no GPU.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.gpus import Gpus
from mens_console.sensors.cgroup import memory_limit
from mens_console.sensors.elsewhere import ElsewhereFamily, ElsewhereHost
from mens_console.sensors.proc import Family, Host

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.collectors.guard import Guard

NAME: Final = "system"
"""The event, and the collector that the guard may switch off."""
SHORTEST_S, LONGEST_S = 0.1, 86_400.0
PARTING_S: Final = 0.5
"""How long the end of a training waits for the last sample."""
_WORTH_S: Final = 5.0
"""A last sample is only taken where so much time has passed that it says something new."""


class Machine:
    """Reads this process, its children, the host and the GPUs that it may use."""

    def __init__(self, gpus: Gpus | None = None) -> None:
        linux = sys.platform.startswith("linux")
        self._family: Family | ElsewhereFamily = Family() if linux else ElsewhereFamily()
        self._host: Host | ElsewhereHost = Host(memory_limit) if linux else ElsewhereHost()
        self._gpus = Gpus() if gpus is None else gpus

    def read(self, now: float) -> dict[str, Any]:
        """Return the payload of one event, without a step; `now` in seconds of a steady clock."""
        process, workers = self._family.read(now)
        told = {"process": process, "workers": workers, "host": self._host.read(now), "gpus": self._gpus.read(now)}
        return {part: figures for part, figures in told.items() if figures}

    def close(self) -> None:
        """Let go of the GPUs."""
        self._gpus.close()


class SystemSampler:
    """Takes a sample every `every_s` seconds and hands it to `tell`; `step` returns the newest step, None before any.

    The first comes after `every_s`, since rates take two readings. A fault switches the collector off with one
    warning. The thread is a daemon and holds nothing up; a forked child has none.
    """

    def __init__(
        self,
        tell: Callable[[dict[str, Any]], None],
        *,
        every_s: float,
        step: Callable[[], int | None],
        guard: Guard,
        machine: Callable[[], Machine] = Machine,
    ) -> None:
        self.samples = 0
        self.cpu_s = 0.0
        """Processor time that the samples took, in seconds."""
        self._tell, self._step, self._guard = tell, step, guard
        self._every_s = min(max(every_s, SHORTEST_S), LONGEST_S)
        self._machine = machine
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; where no thread can be had, nothing is sampled."""
        thread = threading.Thread(target=self._run, name=f"mens-{NAME}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # threads are used up
            self._guard.fail(NAME, error)
            return
        self._thread = thread

    def stop(self, timeout: float = PARTING_S) -> None:
        """End, with a last sample where enough time has passed; wait for it at most `timeout` seconds."""
        self._ending.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        machine = self._guard.run(NAME, self._machine)
        if machine is None:
            return
        self._guard.run(NAME, machine.read, time.monotonic())  # what rates are counted from
        last = time.monotonic()
        while not self._guard.off(NAME):
            ended = self._ending.wait(self._every_s)
            if ended and time.monotonic() - last < min(self._every_s, _WORTH_S):
                break
            self._guard.run(NAME, self._sample, machine)
            last = time.monotonic()
            if ended:
                break
        self._guard.run(NAME, machine.close)

    def _sample(self, machine: Machine) -> None:
        began = time.thread_time()
        found = machine.read(time.monotonic())
        step = self._step()
        if found:
            self._tell(found if step is None else {"step": step, **found})
        self.samples += 1
        self.cpu_s += time.thread_time() - began
