"""The memory limit of the control group (a container, a Slurm job, a systemd slice) that this process is in.

It reads the kernel's files, versions 1 and 2, and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_NO_LIMIT: Final = 1 << 60
"""Version 1 writes a huge number where there is no limit."""


def memory_limit(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> tuple[int, int] | None:
    """Return the tightest limit above this process and what counts against it, in bytes; None where there is none."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return None
    tightest: tuple[int, int] | None = None
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            found = _tightest(root, path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            found = _tightest(root / "memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        if found is not None and (tightest is None or found[0] < tightest[0]):
            tightest = found
    return tightest


def _tightest(base: Path, path: str, limit_file: str, used_file: str) -> tuple[int, int] | None:
    """Return the lowest limit on the way up from a group. In a container the path is the host's and does not exist."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    found: tuple[int, int] | None = None
    for depth in range(len(parts), -1, -1):
        group = base.joinpath(*parts[:depth])
        limit, used = _number(group / limit_file), _number(group / used_file)
        if limit is not None and limit < _NO_LIMIT and used is not None and (found is None or limit < found[0]):
            found = (limit, used)
    return found


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
