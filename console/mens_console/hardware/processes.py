"""The processes of the runs: those that were matched to one, and everything they started. It looks; it never signals.

Which process belongs to which run is the engine's knowledge; this only follows the tree downward from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.signals.machine import ProcessSample

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psutil

TREE_S: Final = 10.0
RESTING_TREE_S: Final = 60.0
"""Between two looks at who started whom, while somebody looks and while nobody does: it reads every process."""
MOST: Final = 512
"""Processes that are followed at most."""
_NAMES: Final = 4096


class ProcessReader:
    """Follows the trees below the given process ids."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._measured: set[int] = set()
        self._tree: dict[int, tuple[str, int, int | None]] = {}
        self._roots: Mapping[int, str] = {}
        self._tree_at = float("-inf")
        self._names: dict[int, str] = {}

    def run_of(self, pid: int) -> str:
        """Return the run that a process belongs to, itself or by its ancestors; "" for none."""
        return self._tree.get(pid, ("", 0, None))[0]

    def name_of(self, pid: int) -> str:
        """Return the name of any process, "" where it cannot be seen."""
        import psutil

        if pid not in self._names:
            if len(self._names) >= _NAMES:
                self._names.clear()
            try:
                self._names[pid] = safe_text(psutil.Process(pid).name(), 60)
            except psutil.Error:
                return ""
        return self._names[pid]

    def read(self, roots: Mapping[int, str], now: float, *, looked_at: bool) -> tuple[ProcessSample, ...]:
        """Return every process of the trees, parents before children, each run's together."""
        if not roots:
            self._known, self._tree, self._roots = {}, {}, {}
            return ()
        age = now - self._tree_at
        if not 0.0 <= age < (TREE_S if looked_at else RESTING_TREE_S) or dict(roots) != dict(self._roots):
            self._grow(roots)
            self._tree_at, self._roots = now, dict(roots)
        samples = []
        for pid, (run, depth, parent) in list(self._tree.items()):
            sample = self._sample(pid, run, depth, parent)
            if sample is not None:
                samples.append(sample)
        return tuple(samples)

    def _grow(self, roots: Mapping[int, str]) -> None:
        """Find who descends from the roots; a root below another one keeps its own run."""
        import psutil

        children: dict[int, list[int]] = {}
        alive: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                children.setdefault(process.ppid(), []).append(process.pid)
            except psutil.Error:
                continue
            alive[process.pid] = process
        tree: dict[int, tuple[str, int, int | None]] = {}

        def walk(pid: int, run: str, depth: int, parent: int | None) -> None:
            if pid not in alive or pid in tree or len(tree) >= MOST:
                return
            tree[pid] = (roots.get(pid, run), depth, parent)
            for child in sorted(children.get(pid, ())):
                walk(child, tree[pid][0], depth + 1, pid)

        parents = {child: parent for parent, below in children.items() for child in below}
        for pid in sorted(roots, key=lambda pid: (roots[pid], pid)):
            if not _below(pid, parents, roots):
                walk(pid, roots[pid], 0, None)
        before, self._known = self._known, {}
        for pid in list(tree):
            if before.get(pid) == alive[pid]:  # the same number and the same start
                self._known[pid] = before[pid]
                continue
            self._measured.discard(pid)
            try:
                self._known[pid] = psutil.Process(pid)  # the iterator's own are shared with whoever else iterates
            except psutil.Error:
                del tree[pid]
        self._measured &= tree.keys()
        self._tree = tree

    def _sample(self, pid: int, run: str, depth: int, parent: int | None) -> ProcessSample | None:
        import psutil

        process = self._known[pid]
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    raise psutil.ZombieProcess(pid)  # it has ended, and only its parent has not looked yet
                percent = process.cpu_percent(None)
                rss = process.memory_info().rss
                name = safe_text(process.name(), 60)
        except psutil.NoSuchProcess:
            del self._tree[pid]
            return None
        except psutil.AccessDenied:
            return ProcessSample(pid, run, self.name_of(pid), depth, parent)
        first = pid not in self._measured
        self._measured.add(pid)
        return ProcessSample(pid, run, name, depth, parent, None if first else percent, rss)


def _below(pid: int, parents: Mapping[int, int], roots: Mapping[int, str]) -> bool:
    """Say whether a process has another root among its ancestors."""
    seen = {pid}
    while (parent := parents.get(pid)) is not None and parent not in seen:
        if parent in roots:
            return True
        seen.add(parent)
        pid = parent
    return False
