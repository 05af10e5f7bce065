"""The file systems that hold the runs: free bytes, input and output, and how fast they fill.

A file server that does not answer may hold a thread for ever: what lies on a network is asked on a `Worker` of its own.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.hardware.worker import HangsError, Worker
from mens_console.ingest.text import safe_text
from mens_console.ingest.watch import NETWORK
from mens_console.signals.fill import fill_rate
from mens_console.signals.machine import VolumeSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mens_console.signals.fill import Fill

WINDOW_S: Final = 3600.0
"""The fill rate is that of the last hour."""
POINT_S: Final = 15.0
"""Between two points of it."""
MOUNTS_S: Final = 60.0
"""Between two readings of the mount table."""
PATIENCE_S: Final = 2.0
"""How long a file system has for an answer."""
AGAIN_S: Final = 60.0
"""Between two tries to find out where a folder lies that could not be looked at."""
SILENT: Final = "does not answer; the numbers are as last read"


class Mount(NamedTuple):
    """One line of the mount table."""

    point: str
    device: str
    kind: str

    @property
    def network(self) -> bool:
        """Whether a server, or a program, stands behind it that may not answer."""
        return self.kind in NETWORK or self.kind.startswith("fuse")

    @property
    def id(self) -> str:
        """The same for every mount of one device."""
        return self.device if self.device.startswith("/") or ":" in self.device else self.point


@dataclass(slots=True)
class _Volume:
    mount: Mount
    worker: Worker | None
    runs: set[str] = field(default_factory=set)
    folder: str = ""
    sample: VolumeSample | None = None
    points: deque[tuple[float, float]] = field(default_factory=deque)
    fill: Fill | None = None
    reason: str = ""
    io: tuple[float, int, int] | None = None


def mounts() -> tuple[Mount, ...]:
    """Return the mount table."""
    import psutil

    return tuple(Mount(p.mountpoint, p.device, p.fstype) for p in psutil.disk_partitions(all=True))


def mount_of(path: str, table: Iterable[Mount]) -> Mount:
    """Return the mount that holds an absolute path: the innermost, and of equals the last."""
    best = Mount("/", "", "")
    for mount in table:
        point = mount.point.rstrip("/")
        if (path == mount.point or path.startswith(point + "/")) and len(mount.point) >= len(best.point):
            best = mount
    return best


class VolumeReader:
    """Reads the volumes of the given folders, each volume once."""

    def __init__(
        self,
        table: Callable[[], tuple[Mount, ...]] = mounts,
        statvfs: Callable[[str], os.statvfs_result] = os.statvfs,
        resolve: Callable[[str], str] = os.path.realpath,
        patience: float = PATIENCE_S,
    ) -> None:
        self._read_table, self._statvfs, self._resolve, self._patience = table, statvfs, resolve, patience
        self._table: tuple[Mount, ...] = ()
        self._table_at = float("-inf")
        self._where: dict[str, tuple[float, Mount | None]] = {}
        self._volumes: dict[str, _Volume] = {}
        self._resolver = Worker("mens-folders")

    def read(self, folders: Mapping[str, Iterable[Path]], now: float) -> tuple[VolumeSample, ...]:
        """Return the volumes of these folders (by run id), in the order of their mount points."""
        if not 0.0 <= now - self._table_at < MOUNTS_S:
            table = self._read_table()
            if table != self._table:
                self._table, self._where = table, {}
            self._table_at = now
        self._assign(folders, now)
        counters = _io_counters() if self._volumes else {}
        samples = [self._sample(volume, counters, now) for volume in self._volumes.values()]
        return tuple(sorted(samples, key=lambda sample: (sample.mount, sample.id)))

    def close(self) -> None:
        """Let the workers go."""
        self._resolver.close()
        for volume in self._volumes.values():
            if volume.worker is not None:
                volume.worker.close()

    # ------------------------------------------------------------------ which folder lies where

    def _assign(self, folders: Mapping[str, Iterable[Path]], now: float) -> None:
        for volume in self._volumes.values():
            volume.runs.clear()
        for run, paths in folders.items():
            for path in paths:
                mount = self._mount(os.path.normpath(path.absolute()), now)
                if mount is None:
                    continue
                volume = self._volumes.get(mount.id) or self._volumes.setdefault(
                    mount.id, _Volume(mount, Worker(f"mens-{mount.id}") if mount.network else None)
                )
                volume.runs.add(run)
        for key in [key for key, volume in self._volumes.items() if not volume.runs]:
            gone = self._volumes.pop(key)
            if gone.worker is not None:
                gone.worker.close()

    def _mount(self, path: str, now: float) -> Mount | None:
        """Return where a folder lies, links followed; by its name alone where following them hangs."""
        known = self._where.get(path)
        if known is not None and (known[1] is not None or 0.0 <= now - known[0] < AGAIN_S):
            return known[1] or mount_of(path, self._table)
        named = mount_of(path, self._table)
        found: Mount | None = named
        if not named.network:  # on a network, following links may hang, and seldom leads elsewhere
            if self._resolver.hanging:
                self._resolver = Worker("mens-folders")  # the one that hangs is left behind
            try:
                found = mount_of(self._resolver.ask(lambda: self._resolve(path), self._patience), self._table)
            except (HangsError, OSError):
                found = None
        self._where[path] = (now, found)
        return found or named

    # ------------------------------------------------------------------ what it says

    def _sample(self, volume: _Volume, counters: Mapping[str, tuple[int, int]], now: float) -> VolumeSample:
        mount = volume.mount
        old = volume.sample or VolumeSample(
            mount.id, safe_text(mount.point, 200), safe_text(mount.device, 200), mount.kind, float("nan"),
            network=mount.network,
        )  # fmt: skip
        runs = tuple(sorted(volume.runs))
        try:
            status = self._ask(volume)
        except HangsError:
            volume.sample = replace(old, runs=runs, problem=SILENT)
            return volume.sample
        except OSError as error:
            volume.sample = replace(old, runs=runs, problem=f"cannot be read: {error.strerror or error}")
            return volume.sample
        size = status.f_frsize
        used = (status.f_blocks - status.f_bfree) * size
        self._note(volume, now, used)
        read, written = self._io(volume, counters, now)
        volume.sample = replace(
            old, at=now, runs=runs, total=status.f_blocks * size, used=used, free=status.f_bavail * size,
            read_rate=read, write_rate=written, fill=volume.fill, fill_reason=volume.reason, problem="",
        )  # fmt: skip
        return volume.sample

    def _ask(self, volume: _Volume) -> os.statvfs_result:
        point = volume.mount.point
        if volume.worker is None:
            return self._statvfs(point)
        return volume.worker.ask(lambda: self._statvfs(point), self._patience)

    @staticmethod
    def _note(volume: _Volume, now: float, used: int) -> None:
        """Keep a point for the fill rate, and judge it anew."""
        points = volume.points
        if points and now < points[-1][0]:
            points.clear()  # the clock was set back
        if not points or now - points[-1][0] >= POINT_S - 0.5:
            points.append((now, float(used)))
            while points[0][0] < now - WINDOW_S:
                points.popleft()
            volume.fill, volume.reason = fill_rate(tuple(points))

    @staticmethod
    def _io(volume: _Volume, counters: Mapping[str, tuple[int, int]], now: float) -> tuple[float | None, float | None]:
        """Return bytes read and written per second by the whole device."""
        device = volume.mount.device
        name = os.path.realpath(device).rpartition("/")[2]  # /dev/mapper/… is a link to dm-…
        both = counters.get(name) if device.startswith("/dev/") else None
        before, volume.io = volume.io, None if both is None else (now, *both)
        if both is None or before is None or now <= before[0] or both[0] < before[1] or both[1] < before[2]:
            return None, None
        return (both[0] - before[1]) / (now - before[0]), (both[1] - before[2]) / (now - before[0])


def _io_counters() -> dict[str, tuple[int, int]]:
    import psutil

    try:
        found = psutil.disk_io_counters(perdisk=True) or {}
    except (OSError, RuntimeError):  # RuntimeError: a kernel that counts nothing
        return {}
    return {name: (one.read_bytes, one.write_bytes) for name, one in found.items()}
