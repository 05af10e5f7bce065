"""The host through psutil: CPU, load, memory, swap, network. Volumes and processes have rooms of their own.

It reads counters and keeps the last ones for rates; it judges nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mens_console.hardware.ring import Ring
from mens_console.sensors.cgroup import memory_limit
from mens_console.signals.machine import HostSample

if TYPE_CHECKING:
    from collections.abc import Callable


class HostReader:
    """Reads the host. The first sample has no rates: they take two."""

    def __init__(self, limit: Callable[[], tuple[int, int] | None] = memory_limit) -> None:
        self._limit = limit
        self._cpu: tuple[float, float] | None = None
        self._net: tuple[float, int, int] | None = None
        self._cpu_ring, self._memory_ring = Ring(), Ring()

    def read(self, now: float) -> HostSample:
        """Read everything at `now` (s)."""
        import psutil

        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        cpu = self._cpu_percent()
        received, sent = self._network(now)
        limit = self._limit()
        if limit is not None and limit[0] >= memory.total:
            limit = None
        return HostSample(
            now,
            cores=os.cpu_count(),
            cpu_percent=cpu,
            load=os.getloadavg() if hasattr(os, "getloadavg") else None,
            memory_total=memory.total,
            memory_available=memory.available,
            memory_limit=None if limit is None else limit[0],
            limit_used=None if limit is None else limit[1],
            swap_total=swap.total,
            swap_used=swap.used,
            net_rx=received,
            net_tx=sent,
            cpu_history=self._cpu_ring.add(now, cpu),
            memory_history=self._memory_ring.add(now, 100.0 * (memory.total - memory.available) / memory.total),
        )

    def _cpu_percent(self) -> float | None:
        """Return the share of all cores that was busy since the last sample, in percent."""
        import psutil

        times = psutil.cpu_times()
        # Time of guests is counted in user and nice as well.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        before, self._cpu = self._cpu, (total, idle)
        if before is None or total <= before[0]:
            return None
        return min(max(100.0 * (1.0 - (idle - before[1]) / (total - before[0])), 0.0), 100.0)

    def _network(self, now: float) -> tuple[float | None, float | None]:
        """Return bytes received and sent per second over all interfaces but the loopback."""
        import psutil

        received = sent = 0
        for name, counters in psutil.net_io_counters(pernic=True).items():
            if name != "lo" and not name.startswith("lo0"):
                received, sent = received + counters.bytes_recv, sent + counters.bytes_sent
        before, self._net = self._net, (now, received, sent)
        if before is None or now <= before[0] or received < before[1] or sent < before[2]:
            return None, None
        return (received - before[1]) / (now - before[0]), (sent - before[2]) / (now - before[0])
