"""A soak at a glance: how its driver is, how far it is, how its newest minute went; for who looks every few seconds.

Three small reads, however long it ran; what a soak came to in all is `record`'s and `analyse`'s. Nothing is raised.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.safeopen import open_regular, read_at
from mens_console.signals.byvalue import ByValue
from mens_console.soak import control, plan
from mens_console.soak.standing import judge, lock_is_held
from mens_console.soak.types import MINUTE

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.soak.types import State

MINUTES: Final = "minutes.ndjson"
_TAIL: Final = 64 << 10
_ENDED: Final = frozenset({"finished", "stopped"})
_STALE_S: Final = 3 * MINUTE
"""A closed minute that ended longer ago says nothing of how it goes."""


@dataclass(frozen=True, slots=True)
class Glance(ByValue):
    """What can be seen at once. Seconds; shares of the newest closed minute, None where it is none or long ago."""

    state: State
    heard_s: float | None = None
    """Since the driver last told of itself."""
    now_s: float | None = None
    target_s: float | None = None
    failed: float | None = None
    """Of the requests that ended in it."""
    down: float | None = None
    """Of the probes in it."""

    @property
    def failing(self) -> bool:
        """Whether half of the newest minute's requests, or of its probes, failed."""
        return max(self.failed or 0.0, self.down or 0.0) >= 0.5


def glance(folder: Path, now: float) -> Glance:
    """Look at a soak's directory; `now` is wall time in seconds since the epoch."""
    try:
        target: float | None = plan.read(folder).duration_s
    except (plan.PlanError, OSError):
        target = None
    told = control.told(folder)
    said = told.get("state")
    state: State = said if said in _ENDED and lock_is_held(folder) is not True else judge(folder, None, now).state
    at, beat = _number(told.get("now_s")), _number(told.get("beat"))
    heard = None if beat is None else max(now - beat, 0.0)
    if at is None:
        return Glance(state, heard, None, target)
    at = at if target is None else min(at, target)
    return Glance(state, heard, at, target, *_newest(os.path.join(folder, MINUTES), at))  # noqa: PTH118 (any bytes)


def _number(value: Any) -> float | None:
    told = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    return float(value) if told else None


def _newest(path: str, now_s: float) -> tuple[float | None, float | None]:
    """Return the shares of requests and of probes that failed in the newest closed minute."""
    try:
        fd, status = open_regular(path)
    except OSError:
        return None, None
    try:
        begin = max(status.st_size - _TAIL, 0)
        lines = read_at(fd, begin, status.st_size - begin).split(b"\n")
    except OSError:
        return None, None
    finally:
        os.close(fd)
    for line in reversed(lines[1:] if begin else lines):
        row = _row(line)
        if row is not None:
            return _shares(row) if now_s - (row["i"] + 1) * MINUTE <= _STALE_S else (None, None)
    return None, None


def _row(line: bytes) -> dict[str, Any] | None:
    """Return a line that looks like a minute."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("i"), int) else None


def _shares(row: dict[str, Any]) -> tuple[float | None, float | None]:
    try:
        ended, failed = int(row["ended"]), sum(int(n) for n in row["failed"].values())
        probes, bad = len(row["probes"]), sum(not one[1] for one in row["probes"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        return None, None
    return (failed / ended if 0 <= failed <= ended and ended else None), (bad / probes if probes else None)
