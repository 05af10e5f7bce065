"""What should stay level while a soak lasts: resident memory of the server's processes, and memory of the GPUs.

It looks and never signals. Its calls block, and a driver of a GPU may hang: they belong in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.sensors.nvml import Nvml, NvmlError, SessionLostError, load
from mens_console.soak.control import start_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import psutil

RETRY_S: Final = 300.0
"""Between two tries to open the library of a driver that is not there."""


class Watched:
    """A process and all that it started; the number alone does not make another process the same."""

    def __init__(self, pid: int, since: float | None = None) -> None:
        """Look at process `pid`, which began at `since` (as `start_of` tells it) where that is known.

        Raises `LookupError` where there is no such process.
        """
        import psutil

        self.pid = pid
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.Error:
            raise LookupError(f"there is no process {pid} to watch") from None
        self.since = start_of(pid)
        if since is not None and self.since != since:
            raise LookupError(f"process {pid} is another one than was watched before")

    def rss(self) -> float | None:
        """Return the bytes resident of it and its descendants; None, from then on, once it is gone.

        Pages that they share are counted for each, as `ps` does.
        """
        import psutil

        if self._process is None:
            return None
        try:
            if not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE:
                raise psutil.NoSuchProcess(self.pid)
            family = [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            self._process = None
            return None
        except psutil.Error:
            return None
        return _sum(family)

    @property
    def gone(self) -> bool:
        """Whether it was noticed to have ended."""
        return self._process is None


def _sum(family: list[psutil.Process]) -> float | None:
    """Return the bytes of those that can be read; None where the first, the server's own, cannot."""
    import psutil

    total = None
    for process in family:
        try:
            rss = process.memory_info().rss
        except psutil.Error:
            if total is None:
                return None
            continue
        total = (total or 0) + rss
    return None if total is None else float(total)


class Gpus:
    """Memory in use on all GPUs of the box, whoever uses it."""

    def __init__(self, binding: Callable[[], Any] = load) -> None:
        self._binding = binding
        self._nvml: Nvml | None = None
        self._retry_at = float("-inf")

    def used(self, now: float) -> float | None:
        """Return the bytes in use; None where no GPU can be read. `now` in seconds of any steady clock."""
        if self._nvml is None:
            if now < self._retry_at:
                return None
            self._retry_at = now + RETRY_S
            self._open()
        if self._nvml is None:
            return None
        try:
            return _used(self._nvml)
        except SessionLostError:  # opened anew the next time
            self.close()
            self._retry_at = float("-inf")
        except NvmlError:
            pass
        return None

    def _open(self) -> None:
        try:
            nvml = Nvml(self._binding())
        except ImportError:
            return
        if not nvml.open():
            self._nvml = nvml

    def close(self) -> None:
        """Shut the library down."""
        if self._nvml is not None:
            self._nvml.close()
        self._nvml = None


def _used(nvml: Nvml) -> float | None:
    """Return the bytes in use; None without a GPU. A sum that lacks one would look like memory given back."""
    count = int(nvml.call("nvmlDeviceGetCount"))
    handles = [nvml.call("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
    used = [float(nvml.call("nvmlDeviceGetMemoryInfo", handle).used) for handle in handles]
    return sum(used) if used else None


class Levels:
    """All levels of this box that are looked at, and what went wrong with them."""

    def __init__(self, watched: Watched | None, gpus: Gpus | None) -> None:
        self._watched, self._gpus = watched, gpus
        self.news: list[str] = []
        """What a reader must know of them, until somebody takes it."""

    def read(self, now: float) -> dict[str, float]:
        """Return what could be read, by the names that a record uses; what could not be read has no key."""
        found: dict[str, float] = {}
        if self._watched is not None and not self._watched.gone:
            rss = self._watched.rss()
            if rss is not None:
                found["rss"] = rss
            elif self._watched.gone:
                self.news.append(
                    f"process {self._watched.pid}, which was watched, is gone; its memory is known no more"
                )
        if self._gpus is not None and (used := self._gpus.used(now)) is not None:
            found["gpu_memory"] = used
        return found

    def close(self) -> None:
        """Let the library of the GPUs go."""
        if self._gpus is not None:
            self._gpus.close()
