"""What discovery hands out: files, checkpoints and the runs they belong to. Plain frozen data, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT: Final = re.compile(r"checkpoint-(\d{1,18})")
"""The folder names of Hugging Face's `Trainer`, and of all who follow it."""


@dataclass(slots=True, frozen=True)
class FoundFile:
    """One file that a format claims. `link`: it is a symbolic link that may be followed."""

    path: Path
    format_name: str
    link: bool = False


@dataclass(slots=True, frozen=True)
class FoundRecord:
    """A file that is read in another room: attempts, KPI records, a soak's plan. `id` is its folder, as a run's."""

    id: str
    path: Path
    kind: str


@dataclass(slots=True, frozen=True)
class Checkpoint(ByValue):
    """One `checkpoint-N` folder: its step, the bytes of its regular files and when it was last changed (epoch s)."""

    path: Path
    step: int
    bytes: int
    mtime: float


@dataclass(slots=True, frozen=True)
class FoundRun:
    """One run: what a trainer would call its output directory, or one log of several in a shared folder.

    `id` is `path` relative to its root (led by the root's name where there are several roots), unique and stable.
    Names may hold anything, even bytes that are not UTF-8 (as surrogate escapes): pass them through `safe_text`
    before showing them. `facts` are flat settings read from the run's own small files, already safe to show. `place`
    is the real path that tells the run from all others whichever roots are searched: its folder, or the stem of its
    log in a shared one.
    """

    id: str
    path: Path
    name: str
    files: tuple[FoundFile, ...]
    checkpoints: tuple[Checkpoint, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    place: str = ""
