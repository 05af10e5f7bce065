"""Linux's /proc, read by hand: what this process and its children use, and what the host does. No library, no warning.

What cannot be read is left out. Percent and bytes per second are of the time since the reading before, so the first
one has none of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROC: Final = Path("/proc")
BLOCK: Final = Path("/sys/block")
MOST: Final = 512
"""Descendants that are looked at."""
_SECTOR: Final = 512
_STATE, _UTIME, _CUTIME, _CSTIME, _RSS = 0, 11, 13, 14, 21
"""Places in /proc/<pid>/stat, counted from the state on: the name before it may hold anything."""


class Rates:
    """Turns counters into rates. A counter that fell, because it began anew, has none for once."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}

    def per_s(self, name: str, now: float, total: float | None) -> float | None:
        """Return by how much `total` grew in a second since the last call; `now` in seconds of a steady clock."""
        if total is None:
            self._before.pop(name, None)
            return None
        before = self._before.get(name)
        self._before[name] = (now, total)
        if before is None or now <= before[0] or total < before[1]:
            return None
        return (total - before[1]) / (now - before[0])


class Family:
    """This process and whatever it started: data loader workers, above all."""

    def __init__(self, proc: Path = PROC, pid: int | None = None) -> None:
        self._proc = os.fspath(proc)
        self._pid = os.getpid() if pid is None else pid
        self._rates = Rates()
        self._page, self._tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")

    def read(self, now: float) -> tuple[dict[str, float], dict[str, float]]:
        """Return figures of this process and of its workers, by the names of the event `system`.

        CPU of workers that ended is with their parent's, where the kernel puts it; it is counted as theirs.
        """
        own = _stat(f"{self._proc}/{self._pid}/stat")
        if own is None:
            return {}, {}
        process = known(
            cpu_percent=self._percent("own", now, sum(own[_UTIME:_CUTIME])), rss_bytes=own[_RSS] * self._page
        )
        if not os.path.exists(f"{self._proc}/{self._pid}/task/{self._pid}/children"):  # noqa: PTH110 - a kernel without it
            return process, {}
        children = [(pid, stat) for pid in self._descendants() if (stat := _stat(f"{self._proc}/{pid}/stat"))]
        read = self._rates.per_s("read", now, self._disk_read([pid for pid, _ in children]))
        process |= known(disk_read_bytes_per_s=read)
        ticks = sum(own[_CUTIME : _CSTIME + 1]) + sum(sum(s[_UTIME : _CSTIME + 1]) for _, s in children)
        workers = known(count=len(children), cpu_percent=self._percent("workers", now, ticks))
        if children:
            workers["rss_bytes"] = sum(stat[_RSS] for _, stat in children) * self._page
            workers["waiting"] = sum(stat[_STATE] == ord("D") for _, stat in children)
        return process, workers

    def _percent(self, name: str, now: float, ticks: int) -> float | None:
        rate = self._rates.per_s(name, now, ticks / self._tick)
        return None if rate is None else 100.0 * rate

    def _disk_read(self, children: list[int]) -> float | None:
        """Return the bytes fetched from a disk so far by all of them; None where one of them may not be asked."""
        total = 0
        for pid in (self._pid, *children):
            told = dict(_pairs(f"{self._proc}/{pid}/io"))
            if "read_bytes" not in told:
                return None
            total += told["read_bytes"]
        return total

    def _descendants(self) -> list[int]:
        found: list[int] = []
        seen = {self._pid}
        todo = [self._pid]
        while todo and len(found) < MOST:
            for child in self._children(todo.pop()):
                if child not in seen:
                    seen.add(child)
                    found.append(child)
                    todo.append(child)
        return found

    def _children(self, pid: int) -> Iterator[int]:
        """Yield who was started by any thread of a process."""
        folder = f"{self._proc}/{pid}/task"
        try:
            threads = os.listdir(folder)  # noqa: PTH208 - names alone, of hundreds of threads
        except OSError:
            return
        for thread in threads:
            text = _text(f"{folder}/{thread}/children")
            if text:
                yield from (int(word) for word in text.split() if word.isdigit())


class Host:
    """The whole box: processors, memory, disks, network, and how long tasks had to wait for them."""

    def __init__(
        self, limit: Callable[[], tuple[int, int] | None] | None = None, proc: Path = PROC, block: Path = BLOCK
    ) -> None:
        self._proc, self._block = os.fspath(proc), block
        self._limit = limit
        self._rates = Rates()
        self._disks: dict[str, bool] = {}

    def read(self, now: float) -> dict[str, float]:
        """Return the figures by the names of the event `system`; percent are of all processors."""
        rate = self._rates.per_s
        memory = dict(_pairs(f"{self._proc}/meminfo"))
        total, available = memory.get("MemTotal"), memory.get("MemAvailable")
        limit = self._limit() if self._limit is not None else None
        if limit is not None and total is not None and limit[0] >= total * 1024:
            limit = None
        read, written = self._disk()
        received, sent = self._network()
        return known(
            **self._processors(),
            io_stall_percent=self._stall("io", now),
            memory_stall_percent=self._stall("memory", now),
            load1=_load(f"{self._proc}/loadavg"),
            memory_total_bytes=None if total is None else total * 1024,
            memory_available_bytes=None if available is None else available * 1024,
            memory_limit_bytes=None if limit is None else limit[0],
            limit_used_bytes=None if limit is None else limit[1],
            disk_read_bytes_per_s=rate("disk_read", now, read),
            disk_write_bytes_per_s=rate("disk_write", now, written),
            net_received_bytes_per_s=rate("net_received", now, received),
            net_sent_bytes_per_s=rate("net_sent", now, sent),
        )

    def _processors(self) -> dict[str, float | None]:
        """Return the shares of all processors' time that they worked, and that they idled while a disk was awaited."""
        words = _text(f"{self._proc}/stat").partition("\n")[0].split()
        if len(words) < 6 or words[0] != "cpu" or not all(word.isdigit() for word in words[1:]):
            return {}
        times = [int(word) for word in words[1:9]]  # guests, which follow, are in the first two already
        total = sum(times)
        # Shares of the processors' own time need no clock: their sum is what passed.
        busy = self._rates.per_s("busy", total, total - times[3] - times[4])
        waited = self._rates.per_s("iowait", total, times[4])
        percent = [None if share is None else min(100.0 * share, 100.0) for share in (busy, waited)]
        return {"cpu_percent": percent[0], "iowait_percent": percent[1]}

    def _stall(self, what: str, now: float) -> float | None:
        """Return the share of time in which some task could not go on for lack of it (the kernel's PSI, "some")."""
        first = _text(f"{self._proc}/pressure/{what}").partition("\n")[0]
        total = first.rpartition("total=")[2]
        rate = self._rates.per_s(f"stall {what}", now, int(total) if total.isdigit() else None)
        return None if rate is None else min(rate / 1e4, 100.0)

    def _disk(self) -> tuple[float | None, float | None]:
        """Return bytes read and written so far of all devices, not of their partitions nor of what lies upon them."""
        read = written = 0
        found = False
        for line in _text(f"{self._proc}/diskstats").splitlines():
            words = line.split()
            if len(words) >= 10 and words[5].isdigit() and words[9].isdigit() and self._is_disk(words[2]):
                found = True
                read, written = read + int(words[5]) * _SECTOR, written + int(words[9]) * _SECTOR
        return (read, written) if found else (None, None)

    def _is_disk(self, name: str) -> bool:
        if name not in self._disks:
            self._disks[name] = (self._block / name / "device").exists()
        return self._disks[name]

    def _network(self) -> tuple[float | None, float | None]:
        """Return bytes received and sent so far over all interfaces but the loopback."""
        received = sent = 0
        found = False
        for line in _text(f"{self._proc}/net/dev").splitlines():
            name, colon, rest = line.partition(":")
            words = rest.split()
            if not colon or len(words) < 9 or not (words[0].isdigit() and words[8].isdigit()):
                continue
            if name.strip() != "lo":
                found = True
                received, sent = received + int(words[0]), sent + int(words[8])
        return (received, sent) if found else (None, None)


def known(**figures: float | None) -> dict[str, float]:
    """Return the figures that there are."""
    return {name: round(value, 3) for name, value in figures.items() if value is not None}


def _text(path: str) -> str:
    """Return what a file of the kernel says now, "" where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - hundreds of them at each sample
            return file.read().decode("ascii", "replace")
    except OSError:
        return ""


def _pairs(path: str) -> Iterator[tuple[str, int]]:
    """Yield the lines ``name: number …`` of a file."""
    for line in _text(path).splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            yield name, int(words[0])


def _stat(path: str) -> list[int] | None:
    """Return a process's figures from its state on (the state as its character), None where it is gone."""
    words = _text(path).rpartition(")")[2].split()
    if len(words) <= _RSS or not all(word.lstrip("-").isdigit() for word in words[1 : _RSS + 1]):
        return None
    return [ord(words[0][0]), *map(int, words[1 : _RSS + 1])]


def _load(path: str) -> float | None:
    try:
        return float(_text(path).split()[0])
    except (ValueError, IndexError):
        return None
