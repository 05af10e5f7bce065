"""Whether a soak's driver lives, and what that rests on: its last words, its lock, its process, its last sign of life.

Nothing here signals a process or holds a lock for longer than an instant.
"""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.safeopen import open_regular
from mens_console.ingest.text import safe_text
from mens_console.soak import control

if TYPE_CHECKING:
    from pathlib import Path

    from mens_console.soak.fold import Folding
    from mens_console.soak.types import State

FRESH_S: Final = 15.0
"""A driver tells of itself every other second; one that was silent for longer does not run, or not well."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the driver is, the sentence that says why, and what it said was wrong."""

    state: State
    why: str
    problem: str = ""


def judge(folder: Path, tail: Folding | None, now: float) -> Standing:
    """Say how the driver of `folder` is, by what its rows came to, and `now`, wall time in seconds."""
    ending = tail.ending if tail else None
    if ending == "end":
        return Standing("finished", "the journal ends with the end of the plan")
    if tail is not None and tail.complete:
        return Standing("finished", "all minutes of the plan are closed")
    told = control.told(folder)
    problem = safe_text(str(told.get("problem") or ""), 300)
    held = lock_is_held(folder)
    if ending == "stop" and held is not True:
        return Standing("stopped", f"the journal ends with a stop{_stopped(told)}", problem)
    if not told:
        return _untold(held, ending)
    if ending is None and held is not True and told.get("state") == "stopped" and tail is not None and tail.now_s > 0:
        return Standing("stopped", f"{control.DRIVER} says so, and no row of a journal speaks against it", problem)
    state, why = _judge(told, held, now)
    return Standing(state, why, problem if state in {"running", "starting"} else "")


def _stopped(told: dict[str, Any]) -> str:
    why = safe_text(str(told.get("stopping") or ""), 120)
    return f": {why}" if why else ""


def _untold(held: bool | None, ending: str | None) -> Standing:
    if held:
        state: State = "running" if ending else "starting"
        return Standing(state, f"a driver holds {control.LOCK}; it has not told of itself in {control.DRIVER}")
    if held is False and ending is not None:
        return Standing("died", f"nobody holds {control.LOCK}, and the journal has no end")
    return Standing("unknown", f"there is no {control.DRIVER}, and nothing else tells of a driver")


def _judge(told: dict[str, Any], held: bool | None, now: float) -> tuple[State, str]:
    pid, host = safe_text(str(told.get("pid")), 20), safe_text(str(told.get("host", "")), 80)
    age = _age(told, now)
    seen = (
        "its last sign of life has no time that fits this clock"
        if age is None
        else f"its last sign of life is {_span(age)} old"
    )
    fresh = age is not None and age <= FRESH_S
    if held:
        how = "tells of itself" if fresh else f"is held up: {seen}"
        return "running", f"process {pid} on {host} holds {control.LOCK} and {how}"
    if host != safe_text(socket.gethostname(), 80):
        if fresh:
            return "running", f"process {pid} on {host} tells of itself"
        return "unknown", f"its driver ran on {host}, which cannot be asked from here; {seen}"
    if told.get("boot_id", "") != control.boot_id():
        return "died", f"the box was started anew after process {pid} began; {seen}"
    if not _alive(told.get("pid"), told.get("process_start")):
        return "died", f"process {pid} runs no more, and the journal has no end; {seen}"
    if held is False:
        return "died", f"process {pid} lives, but does not hold {control.LOCK} any more; {seen}"
    return ("running" if fresh else "unknown"), f"process {pid} lives; its lock cannot be looked at; {seen}"


def _alive(pid: Any, start: Any) -> bool:
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 1:
        return False
    return start is not None and control.start_of(pid) == start


def _age(told: dict[str, Any], now: float) -> float | None:
    """Return how old its last sign of life is; None where it gave none that fits this box's clock."""
    beat = told.get("beat")
    if not isinstance(beat, int | float) or isinstance(beat, bool) or not beat <= now + FRESH_S:
        return None
    return max(now - beat, 0.0)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def lock_is_held(folder: Path) -> bool | None:
    """Say whether a driver holds the folder's lock; None where that cannot be known.

    It is shared for an instant to find out, which a driver that begins waits for.
    """
    try:
        fd, _ = open_regular(os.fspath(folder / control.LOCK))
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(fd)
    return False
