"""The same figures where there is no /proc: what psutil knows of this process, its children and the host.

Nothing where psutil is not installed either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mens_console.sensors.proc import Rates, known

if TYPE_CHECKING:
    from collections.abc import Callable


def load() -> Any:
    """Return psutil, None where it is not installed."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil


class ElsewhereFamily:
    """This process and whatever it started."""

    def __init__(self, binding: Callable[[], Any] = load) -> None:
        self._psutil = binding()
        self._rates = Rates()

    def read(self, now: float) -> tuple[dict[str, float], dict[str, float]]:
        """Return figures of this process and of its workers, as `proc.Family` does."""
        if self._psutil is None:
            return {}, {}
        own = self._psutil.Process()
        process = known(cpu_percent=self._percent("own", now, _seconds(own)), rss_bytes=own.memory_info().rss)
        rss, seconds, count = 0, 0.0, 0
        try:
            for child in own.children(recursive=True):
                rss, seconds, count = rss + child.memory_info().rss, seconds + _seconds(child), count + 1
        except self._psutil.Error:  # one that ended meanwhile: half a sum is none
            return process, {}
        workers = known(count=count, cpu_percent=self._percent("workers", now, seconds))
        return process, {**workers, "rss_bytes": rss} if count else workers

    def _percent(self, name: str, now: float, seconds: float) -> float | None:
        rate = self._rates.per_s(name, now, seconds)
        return None if rate is None else 100.0 * rate


def _seconds(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class ElsewhereHost:
    """The whole box."""

    def __init__(self, binding: Callable[[], Any] = load) -> None:
        self._psutil = binding()
        self._rates = Rates()

    def read(self, now: float) -> dict[str, float]:
        """Return the figures by the names of the event `system`."""
        if self._psutil is None:
            return {}
        rate, memory, times = self._rates.per_s, self._psutil.virtual_memory(), self._psutil.cpu_times()
        total = sum(times)
        busy = rate("busy", total, total - times.idle)
        disk, net = self._psutil.disk_io_counters(), self._psutil.net_io_counters()
        return known(
            cpu_percent=None if busy is None else min(100.0 * busy, 100.0),
            load1=self._psutil.getloadavg()[0],
            memory_total_bytes=memory.total,
            memory_available_bytes=memory.available,
            disk_read_bytes_per_s=rate("disk_read", now, None if disk is None else disk.read_bytes),
            disk_write_bytes_per_s=rate("disk_write", now, None if disk is None else disk.write_bytes),
            net_received_bytes_per_s=rate("net_received", now, None if net is None else net.bytes_recv),
            net_sent_bytes_per_s=rate("net_sent", now, None if net is None else net.bytes_sent),
        )
