"""Records a run's directory while its producer writes: polls it and notes what was appended, rewritten or deleted.

It only reads the directory, and starts no thread: its caller polls at the rate that the replay shall have.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from mens_console.demo.recording import Event, Header, Process, check_path, write_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WEIGHTS: Final = frozenset({".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf", ".npz", ".distcp"})
"""Suffixes of weights, optimizer and generator state: of these only the size is kept."""
GUARD: Final = 4096
"""Bytes at the head and before the old end that must be unchanged for growth to count as an append."""


def is_weights(path: str) -> bool:
    """Tell whether a file holds weights or optimizer state, by its suffix."""
    return PurePosixPath(path).suffix in WEIGHTS


@dataclass(slots=True)
class _Seen:
    """What is known of one file: its identity at the last look, and its content as far as it is needed to compare."""

    inode: int
    mtime_ns: int
    size: int
    head: bytes = b""
    tail: bytes = b""
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


class Recorder:
    """Notes what happens in `run_dir` between construction and `save`.

    `clock` gives seconds since the epoch. Content is read through regular files only; links are not followed.
    A file that is replaced or truncated between two polls is recorded as its new whole content, so `poll` should
    be called some twenty times a second or more.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        clock: Callable[[], float] = time.time,
        left_out: Callable[[str], bool] = is_weights,
    ) -> None:
        self.run_dir = run_dir
        self.events: list[Event] = []
        self._clock = clock
        self._left_out = left_out
        self._seen: dict[str, _Seen] = {}
        self._sizes: dict[str, int] = {}
        self._processes: dict[int, Process] = {}
        self._started_at = self._polled_at = clock()

    def poll(self) -> int:
        """Look once; return how many events that gave."""
        now = self._clock()
        found = dict(_regular_files(self.run_dir))
        fresh = [Event(self._since(now), "delete", path) for path in sorted(self._seen.keys() - found.keys())]
        for path, status in sorted(found.items(), key=lambda item: (item[1].st_mtime_ns, item[0])):
            event = self._look(path, status, now)
            if event is not None:
                fresh.append(event)
                self._sizes[path] = event.size
        for path in self._seen.keys() - found.keys():
            del self._seen[path]
        self.events += sorted(fresh, key=lambda event: event.t)
        self._polled_at = now
        return len(fresh)

    def process_started(self, pid: int, command: Sequence[str]) -> None:
        """Note that process `pid` began just now."""
        t = self._since(self._clock())
        self._processes[pid] = Process(pid, tuple(command), t)
        self.events.append(Event(t, "process", pid=pid))

    def process_ended(self, pid: int, returncode: int) -> None:
        """Note that process `pid` ended just now; `returncode` is minus the signal if one killed it."""
        t = self._since(self._clock())
        self._processes[pid] = replace(self._processes[pid], ended=t, returncode=returncode)
        self.events.append(Event(t, "process", pid=pid, returncode=returncode))

    def save(self, path: Path, *, scenario: str, summary: str, producer: Mapping[str, str]) -> Header:
        """Write everything noted so far to `path` as a recording that ends at the last poll; return its header."""
        events = sorted(self.events, key=lambda event: event.t)
        header = Header(
            name=self.run_dir.name,
            scenario=scenario,
            summary=summary,
            started_at=self._started_at,
            duration=max([self._since(self._polled_at), *(event.t for event in events[-1:])]),
            events=len(events),
            files=dict(sorted(self._sizes.items())),
            left_out=tuple(sorted(filter(self._left_out, self._sizes))),
            processes=tuple(self._processes.values()),
            producer=dict(producer),
        )
        write_recording(path, header, events)
        return header

    def _since(self, moment: float) -> float:
        return round(max(0.0, moment - self._started_at), 4)

    def _look(self, path: str, status: os.stat_result, now: float) -> Event | None:
        before = self._seen.get(path)
        seen = _Seen(status.st_ino, status.st_mtime_ns, status.st_size)
        if before and (before.inode, before.mtime_ns, before.size) == (seen.inode, seen.mtime_ns, seen.size):
            return None
        # The file's own time is finer than the poll's, but is believed only within the poll.
        written = seen.mtime_ns / 1e9
        t = self._since(written if self._polled_at <= written <= now else now)
        if self._left_out(path):
            self._seen[path] = seen
            return None if before and before.size == seen.size else Event(t, "stand_in", path, size=seen.size)
        try:
            event = self._read(path, before, seen)
        except FileNotFoundError:  # gone since the directory was listed: the next poll notes the deletion
            return None
        self._seen[path] = seen
        return None if event is None else replace(event, t=t)

    def _read(self, path: str, before: _Seen | None, seen: _Seen) -> Event | None:
        """Read what is new in `path`, completing `seen`; the event's time is not set yet."""
        with (self.run_dir / path).open("rb") as file:
            if before and seen.inode == before.inode and seen.size > before.size:
                head = file.read(min(GUARD, before.size))
                file.seek(max(0, before.size - GUARD))
                if head == before.head and file.read(before.size - file.tell()) == before.tail:
                    data = file.read(seen.size - before.size)
                    seen.size, seen.digest = before.size + len(data), before.digest
                    seen.digest.update(data)
                    seen.head = (before.head + data)[:GUARD]
                    seen.tail = (before.tail + data)[-GUARD:]
                    return Event(0.0, "append", path, data, before.size, seen.size)
                file.seek(0)
            data = file.read()
        seen.size, seen.head, seen.tail = len(data), data[:GUARD], data[-GUARD:]
        seen.digest.update(data)
        if before is None:
            return Event(0.0, "append", path, data, 0, seen.size)
        if before.digest.digest() == seen.digest.digest():
            return None
        return Event(0.0, "write", path, data, 0, seen.size)


def _regular_files(run_dir: Path, under: str = "") -> list[tuple[str, os.stat_result]]:
    """Return (relative POSIX path, status) of every regular file; folders that vanish meanwhile count as empty."""
    found: list[tuple[str, os.stat_result]] = []
    try:
        entries = list(os.scandir(run_dir / under))
    except FileNotFoundError:
        return found
    for entry in entries:
        path = f"{under}/{entry.name}" if under else entry.name
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            found += _regular_files(run_dir, path)
        elif stat.S_ISREG(status.st_mode):
            found.append((check_path(path), status))
    return found
