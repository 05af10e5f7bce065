"""Small facts about a run that stand beside its metrics: its checkpoints, adapter and model settings, its process.

Reads only small regular files inside the run directory, never through links; keeps no rows.
"""

# Names may hold any bytes; a run is looked at again every few seconds.
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.found import CHECKPOINT, Checkpoint
from mens_console.ingest.safeopen import read_small
from mens_console.ingest.text import safe_text
from mens_console.signals.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CAP: Final = 1 << 20
_TEXT: Final = 300
_SETTLED_S: Final = 60.0
"""A checkpoint folder untouched so long is complete; before that its files still grow without touching it."""

_FIELDS: Final[dict[str, dict[str, str]]] = {
    "adapter_config.json": {
        "base_model_name_or_path": "base_model",
        "peft_type": "peft",
        "r": "lora_r",
        "lora_alpha": "lora_alpha",
        "lora_dropout": "lora_dropout",
        "target_modules": "target_modules",
    },
    "config.json": {"model_type": "model_type", "_name_or_path": "model", "hidden_size": "hidden_size"},
    "run_summary.json": {
        "pid": "pid",
        "host": "host",
        "hostname": "host",
        "argv": "argv",
        "command": "argv",
        "model": "model",
        "base_model": "base_model",
        "git_sha": "git_sha",
        "dataset_version": "dataset_version",
    },
}
"""File → its field → the fact's name. Later files do not overrule earlier ones."""


class RunFacts:
    """Reads facts and checkpoints, each again only when it changed. `clock`: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._facts: dict[str, tuple[tuple[int, ...], dict[str, str]]] = {}
        self._checkpoints: dict[str, tuple[int, Checkpoint]] = {}

    def facts(self, folders: Iterable[str]) -> dict[str, str]:
        """Return the facts of the first of `folders` that states each (the run itself, then its newest checkpoint)."""
        merged: dict[str, str] = {}
        for folder in folders:
            for name, fields in _FIELDS.items():
                for key, value in self._read(os.path.join(folder, name), fields).items():
                    merged.setdefault(key, value)
        return merged

    def checkpoints(self, folder: str, names: Iterable[str]) -> tuple[Checkpoint, ...]:
        """Return those of the folders `names` in `folder` that are checkpoints, by step."""
        found = (self._checkpoint(os.path.join(folder, name), name) for name in names)
        return tuple(sorted((c for c in found if c is not None), key=lambda c: (c.step, c.mtime)))

    def _checkpoint(self, path: str, name: str) -> Checkpoint | None:
        match = CHECKPOINT.fullmatch(name)
        try:
            status = os.stat(path, follow_symlinks=False)
        except OSError:
            return None  # rotated away by the trainer since it was listed
        if match is None or not stat.S_ISDIR(status.st_mode):
            return None
        cached = self._checkpoints.get(path)
        if cached is not None and cached[0] == status.st_mtime_ns:
            return cached[1]
        checkpoint = Checkpoint(Path(path), int(match[1]), _tree_bytes(path), status.st_mtime)
        if self._clock() - status.st_mtime > _SETTLED_S:
            self._checkpoints[path] = (status.st_mtime_ns, checkpoint)
        return checkpoint

    def _read(self, path: str, fields: dict[str, str]) -> dict[str, str]:
        try:
            status = os.stat(path, follow_symlinks=False)
        except OSError:
            self._facts.pop(path, None)
            return {}
        key = (status.st_ino, status.st_size, status.st_mtime_ns)
        cached = self._facts.get(path)
        if cached is not None and cached[0] == key:
            return cached[1]
        facts = _parse(path, fields) if status.st_size <= _CAP else {}
        self._facts[path] = (key, facts)
        return facts


def _parse(path: str, fields: dict[str, str]) -> dict[str, str]:
    try:
        document = json.loads(read_small(path, _CAP))
    except (OSError, ValueError, RecursionError):
        return {}  # no such facts, or torn: it is read again when it changes
    if not isinstance(document, dict):
        return {}
    facts: dict[str, str] = {}
    for key, name in fields.items():
        text = _text(document.get(key), secretive=name == "argv")
        if text:
            facts.setdefault(name, text)
    return facts


def _text(value: Any, *, secretive: bool) -> str:
    if isinstance(value, list):
        words = [str(item) for item in value if isinstance(item, str | int | float)]
        return safe_text(redact(words) if secretive else ", ".join(sorted(words)), _TEXT)
    if isinstance(value, str):
        return safe_text(redact(value.split()) if secretive else value, _TEXT)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def _tree_bytes(path: str, depth: int = 3) -> int:
    """Sum the sizes of the regular files in a folder and its subfolders, links not followed."""
    total = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
                elif depth and entry.is_dir(follow_symlinks=False):
                    total += _tree_bytes(entry.path, depth - 1)
    except OSError:
        return total  # being deleted: what is left counts
    return total
