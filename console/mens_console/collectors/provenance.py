"""Where a run comes from: commit, versions, installed packages, files beside it. Looked up once, on a thread.

Every question has a time limit or a size limit, and an answer that cannot be had is None.
"""

# Names may hold any bytes, and the calls are those of the system.
# ruff: noqa: PTH118

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from importlib import metadata
from typing import Any, Final

from mens_console.collectors.files import OPEN

GIT_S: Final = 2.0
SMALL: Final = 1 << 20
"""Files up to this size are hashed."""
LIBRARIES: Final = ("torch", "transformers", "peft", "trl", "accelerate", "lightning", "datasets", "mens_console")
GROWING: Final = ("telemetry.jsonl", "training_status.json", "stages.jsonl")
"""Files that are still written: their length is told and no digest."""
POINTED: Final = (
    "adapter_config.json", "adapter_model.safetensors", "config.json", "generation_config.json", "model.safetensors",
    "tokenizer_config.json", "training_args.bin", "trainer_state.json", "eval_results.json", "all_results.json",
)  # fmt: skip


def commit(folder: str) -> tuple[str | None, bool | None]:
    """Return (commit, whether tracked files differ from it) of the git work tree around `folder`; None unknown."""
    found = _git(folder, "rev-parse", "--verify", "HEAD")
    if found is None:
        return None, None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return found.strip() or None, None if changes is None else bool(changes.strip())


def _git(folder: str, *words: str) -> str | None:
    # Optional locks off: a look must not get in the way of somebody's own git. No prompts, no pagers, no hooks of
    # the file system monitor, which a foreign repository could name.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", folder, *words],
            capture_output=True, timeout=GIT_S, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # no git here, or too slow
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of Python and of those training libraries that are loaded."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in LIBRARIES:
        if name not in sys.modules:
            continue
        version = getattr(sys.modules[name], "__version__", None)
        if version is None:
            try:
                version = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        found[name] = str(version)
    return found


def environment_digest() -> str:
    """Return the SHA-256 over the sorted `name==version` lines of all installed distributions."""
    lines = set()
    for each in metadata.distributions():
        name = each.metadata["Name"]
        if name:
            lines.add(f"{name.lower().replace('_', '-')}=={each.version}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def pointers(run_dir: str, checkpoint: str | None = None) -> list[dict[str, Any]]:
    """Return the known files in the run directory and in its newest checkpoint: relative path, bytes, SHA-256.

    The digest is None of files over a megabyte and of those that still grow. Only regular files count.
    """
    folders = [""]
    if checkpoint is not None:
        inside = os.path.relpath(checkpoint, run_dir)
        if not inside.startswith(os.pardir):
            folders.append(inside)
    found = []
    for folder in folders:
        for name in (*(GROWING if not folder else ()), *POINTED):
            path = os.path.join(folder, name)
            look = _look(os.path.join(run_dir, path), hashed=name not in GROWING)
            if look is not None:
                found.append({"path": path, "bytes": look[0], "sha256": look[1]})
    return found


def _look(path: str, *, hashed: bool) -> tuple[int, str | None] | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | OPEN)
    except OSError:
        return None  # not there
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        if not hashed or status.st_size > SMALL:
            return status.st_size, None
        data = file.read(SMALL + 1)
        return len(data), hashlib.sha256(data).hexdigest()
