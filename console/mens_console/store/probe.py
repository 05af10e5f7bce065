"""Which processes of this box belong to which run, through psutil. It looks; it never signals.

A process belongs to a run when it has a file of the run's folder open for writing, when its command line names the
folder, or when it works inside it. Shells, pagers and viewers do not count.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import psutil

    from mens_console.signals.stages import Begun

_LATER_S = 60.0
"""Clocks are set, and a process begins a moment after its stage: as much later is still the same one."""
_LOOKERS = frozenset(
    {"bash", "sh", "zsh", "fish", "dash", "tmux", "tmux: server", "screen", "tail", "head", "less", "more", "cat"}
    | {"vi", "vim", "nvim", "nano", "emacs", "grep", "rg", "watch", "tee", "find", "sleep"}
    | {"tensorboard", "mens-console", "sshd", "rsync", "scp"}
)
WORKS_IN = "works in the folder"
"""The weakest reason: anybody may stand in a folder."""
_ONLY_WHILE_WRITING = frozenset({"tee"})


@dataclass(frozen=True, slots=True)
class ProcessFact(ByValue):
    """One process that belongs to a run. `cpu_percent` is since the previous look, None at the first."""

    pid: int
    name: str
    alive: bool
    status: str
    cpu_percent: float | None
    reason: str
    started: float


@dataclass(frozen=True, slots=True)
class Look(ByValue):
    """What a look at the box found: processes by run folder, and whether nothing was hidden from us."""

    by_run: dict[Path, tuple[ProcessFact, ...]]
    complete: bool
    at: float


def lives(begun: Begun) -> bool | None:
    """Say whether one of the processes of a stage still runs, None where they are on another host.

    A process of the same number that began later than the stage is another one.
    """
    if begun.host and begun.host != os.uname().nodename:
        return None
    return any(_runs_since(pid, begun.at) for pid in begun.pids)


def _runs_since(pid: int, at: float) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        later = process.create_time() > at + _LATER_S
        return not later and process.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return False


class ProcessProbe(Protocol):
    """Where the engine asks for processes. A replay answers with recorded ones."""

    def look(self, runs: Mapping[Path, Collection[int]]) -> Look:
        """Find the processes of each run; the numbers are process ids that its own files name."""
        ...

    def alive(self, process: ProcessFact) -> bool:
        """Whether a process found earlier still runs; much cheaper than a look."""
        ...

    def boot_time(self) -> float:
        """Return when the box came up, seconds since the epoch."""
        ...


class SystemProbe:
    """The real box."""

    def __init__(self) -> None:
        self._cpu: dict[tuple[int, float], tuple[float, float]] = {}
        self._me = os.getpid()

    def boot_time(self) -> float:
        """Return when the box came up, seconds since the epoch."""
        import psutil

        return float(psutil.boot_time())

    def alive(self, process: ProcessFact) -> bool:
        """Whether a process found earlier still runs, and is the same one."""
        import psutil

        try:
            now = psutil.Process(process.pid)
            return bool(now.create_time() == process.started and now.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def look(self, runs: Mapping[Path, Collection[int]]) -> Look:
        """Find the processes of each run."""
        import psutil

        roots = {os.path.realpath(run): run for run in runs}
        found: dict[Path, list[ProcessFact]] = {run: [] for run in runs}
        owners = _owners(runs)
        named = {pid: run for run, pids in runs.items() for pid in pids}
        complete = True
        for process in psutil.process_iter():
            if process.pid == self._me:
                continue
            try:
                with process.oneshot():
                    reasons, readable = self._reasons(process, roots)
                    complete = complete and (readable or not _matters(process, owners))
                    is_named = process.pid in named and process.status() != psutil.STATUS_ZOMBIE
                    if is_named and os.path.realpath(named[process.pid]) not in reasons:
                        reasons[os.path.realpath(named[process.pid])] = "is named by the run"
                    for root, reason in reasons.items():
                        found[roots[root]].append(self._fact(process, reason))
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied:
                complete = complete and not _matters(process, owners)
        return Look({run: tuple(facts) for run, facts in found.items()}, complete, time.time())

    def _reasons(self, process: psutil.Process, roots: dict[str, Path]) -> tuple[dict[str, str], bool]:
        """Return why the process belongs to which roots, and whether all of it could be read."""
        import psutil

        if process.status() == psutil.STATUS_ZOMBIE:
            return {}, True
        name = process.name()
        if name in _LOOKERS and name not in _ONLY_WHILE_WRITING:
            return {}, True
        command = process.cmdline()
        if not command:
            return {}, True  # a kernel thread
        if any(Path(part).name == "mens-console" or part == "mens_console" for part in command[:3]):
            return {}, True
        reasons: dict[str, str] = {}
        readable = True
        try:
            cwd = process.cwd()
        except psutil.AccessDenied:
            cwd, readable = "", False
        if name not in _ONLY_WHILE_WRITING:
            for part in command[1:]:
                if root := _inside(
                    part.partition("=")[2] if part.startswith("--") and "=" in part else part, cwd, roots
                ):
                    reasons.setdefault(root, "names the folder")
            if cwd and (root := _under(cwd, roots)):
                reasons.setdefault(root, WORKS_IN)
        with contextlib.suppress(psutil.AccessDenied, OSError):
            for opened in process.open_files():
                mode = getattr(opened, "mode", "r")
                if mode != "r" and (root := _under(opened.path, roots)):
                    reasons[root] = "writes a file of the run"
        return reasons, readable

    def _fact(self, process: psutil.Process, reason: str) -> ProcessFact:
        now = time.monotonic()
        started = process.create_time()
        times = process.cpu_times()
        spent = times.user + times.system
        key = (process.pid, started)
        before = self._cpu.get(key)
        percent = None
        if before is not None and now > before[0]:
            percent = max(0.0, 100.0 * (spent - before[1]) / (now - before[0]))
        if len(self._cpu) > 4096:
            self._cpu.clear()
        self._cpu[key] = (now, spent)
        return ProcessFact(process.pid, process.name(), True, process.status(), percent, reason, started)


class NoProbe:
    """Knows no processes at all: for files that were copied from elsewhere, and for tests."""

    def look(self, runs: Mapping[Path, Collection[int]]) -> Look:
        """Find nothing, and say that nothing could be seen."""
        return Look(dict.fromkeys(runs, ()), complete=False, at=time.time())

    def alive(self, process: ProcessFact) -> bool:
        """Know nothing of any process."""
        return False

    def boot_time(self) -> float:
        """Return the beginning of time."""
        return 0.0


def _owners(runs: Mapping[Path, Collection[int]]) -> set[int]:
    """Return whom the run folders belong to: only their processes are likely to write there."""
    owners = set()
    for run in runs:
        with contextlib.suppress(OSError):
            owners.add(run.stat().st_uid)
    return owners


def _matters(process: psutil.Process, owners: set[int]) -> bool:
    """Whether a process that could not be read might have been the trainer. The first process never is."""
    import psutil

    try:
        return process.pid != 1 and process.uids().real in owners
    except psutil.Error:
        return False


def _inside(part: str, cwd: str, roots: dict[str, Path]) -> str | None:
    """Return the root that an argument names, relative to the process's working directory."""
    if not part or part.startswith("-") or len(part) > 4096 or "\n" in part:
        return None
    if not part.startswith("/"):
        if not cwd or ("/" not in part and not any(root.endswith("/" + part) for root in roots)):
            return None
        part = f"{cwd}/{part}"
    return _under(os.path.normpath(part), roots)


def _under(path: str, roots: dict[str, Path]) -> str | None:
    """Return the innermost root that holds `path`."""
    while len(path) > 1:
        if path in roots:
            return path
        path = path.rpartition("/")[0]
    return None
