"""The sign of life of `mens-console watch --notify`: who watches what, and when they last did.

One private JSON file for all who watch, on this machine and on others that share the home directory.
"""

from __future__ import annotations

import json
import math
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import DAMAGE, locked, read_private, replace_private
from mens_console.signals.byvalue import ByValue
from mens_console.store.snapshot import NotifierView

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = "watch.json"
SCHEMA: Final = "mens-watch/1"
BEAT_S: Final = 15.0
KEPT_S: Final = 7 * 86_400.0
"""How long one who fell silent is remembered."""
MAX_BYTES: Final = 1_000_000
ENDED: Final = "it was ended"
"""The problem of one who took leave."""


@dataclass(frozen=True, slots=True)
class Beat(ByValue):
    """One who watches: `started` is when its process began (s), which tells its number from a reused one."""

    pid: int
    host: str
    started: float
    beat_at: float
    roots: tuple[str, ...]
    problem: str
    version: str


def process_start(pid: int) -> float | None:
    """Return when a process of this machine began (s), None where there is none."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def write_beat(path: Path, beat: Beat) -> str:
    """Note a sign of life beside those of others; return what went wrong, "" if nothing did."""
    try:
        with locked(path):
            others = [b for b in _read(path) if (b.host, b.roots) != (beat.host, beat.roots)]
            kept = [b for b in others if beat.beat_at - b.beat_at < KEPT_S]
            rows = [_row(b) for b in (*kept, beat)]
            replace_private(path, json.dumps({"schema": SCHEMA, "watchers": rows}, indent=1).encode(), durable=False)
    except OSError as error:
        return f"{path}: {(error.strerror or str(error)).lower()}; consoles do not see this daemon"
    return ""


def last_beat(path: Path, host: str, roots: Iterable[Path]) -> float:
    """Return when somebody last watched exactly these roots on this machine (s), NaN if nobody ever did."""
    names = root_names(roots)
    with suppress(OSError):
        return max((b.beat_at for b in _read(path) if (b.host, b.roots) == (host, names)), default=math.nan)
    return math.nan


def read_heartbeat(path: Path, roots: Iterable[Path] = (), *, host: str | None = None) -> NotifierView | None:
    """Return who watches `roots` and notifies, None where nobody ever did.

    One who lives on this machine comes before one elsewhere, and those before one who is gone; `problem` says so of a
    process that is gone, and `host` tells those elsewhere apart (only their `beat_at` says whether they live).
    """
    here = socket.gethostname() if host is None else host
    wanted = [Path(name) for name in root_names(roots)]
    try:
        beats = _read(path)
    except OSError:
        return None
    judged = [(beat, _fate(beat, here)) for beat in beats if _covers(beat, wanted)]
    if not judged:
        return None

    def rank(item: tuple[Beat, str]) -> tuple[bool, bool, float]:
        beat, fate = item
        return (not fate, beat.host == here, beat.beat_at)

    beat, fate = max(judged, key=rank)
    return NotifierView(beat.pid, beat.host, beat.beat_at, beat.roots, fate or beat.problem)


def _fate(beat: Beat, here: str) -> str:
    """Return how one who watched ended, "" as far as it may still live."""
    if beat.problem == ENDED:
        return ENDED
    if beat.host != here:
        return ""
    started = process_start(beat.pid)
    alive = started is not None and abs(started - beat.started) < 2.0
    return "" if alive else f"process {beat.pid} is gone without having said so"


def _covers(beat: Beat, wanted: list[Path]) -> bool:
    roots = [Path(name) for name in beat.roots]
    return all(any(path.is_relative_to(root) for root in roots) for path in wanted)


def root_names(roots: Iterable[Path]) -> tuple[str, ...]:
    """Return roots as they are compared: absolute, without links, sorted."""
    return tuple(sorted(os.path.realpath(root) for root in roots))


def _read(path: Path) -> list[Beat]:
    """Return all signs of life; a damaged file has none. Raises OSError."""
    data = read_private(path, MAX_BYTES)
    if data is None:
        return []
    try:
        document = json.loads(data)
        return [_beat(row) for row in document["watchers"]] if document["schema"] == SCHEMA else []
    except DAMAGE:
        return []


def _row(beat: Beat) -> dict[str, Any]:
    return {
        "pid": beat.pid, "host": beat.host, "started": beat.started, "beat_at": beat.beat_at,
        "roots": list(beat.roots), "problem": beat.problem, "version": beat.version,
    }  # fmt: skip


def _beat(row: dict[str, Any]) -> Beat:
    started, beat_at = float(row["started"]), float(row["beat_at"])
    pid = int(row["pid"])
    if not (math.isfinite(started) and math.isfinite(beat_at) and pid > 0):
        raise ValueError(row)
    roots = tuple(str(name) for name in row["roots"])
    return Beat(pid, str(row["host"]), started, beat_at, roots, str(row["problem"]), str(row["version"]))
