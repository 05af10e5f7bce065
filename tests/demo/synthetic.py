"""Small recordings made in a test, and the clock and the comparison that tests of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mens_console.demo.recording import (
    Event,
    Header,
    Recording,
    write_recording,
)

BEGAN = 1_000_000.0


class Clock:
    """Seconds since the epoch that pass only when told."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


def tree(root: Path) -> dict[str, bytes | int]:
    """Return what is in `root`: the bytes of each file, of weights only the size."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): path.stat().st_size if path.suffix == ".pt" else path.read_bytes()
        for path in files
    }


def recording(path: Path, events: list[Event], **said: Any) -> Recording:
    sizes = {event.path: event.size for event in events if event.path}
    facts = {
        "name": "run",
        "scenario": "test",
        "summary": "",
        "started_at": BEGAN,
        "duration": 10.0,
        "events": len(events),
        "files": sizes,
    }
    write_recording(path, Header(**{**facts, **said}), events)
    return Recording.open(path)


def appended(t: float, data: bytes, offset: int = 0, path: str = "log") -> Event:
    return Event(t, "append", path, data, offset, offset + len(data))
