"""Finding files of evidence in folders: each once, in the order of names, never through a link that leads outside.

What cannot be looked into is handed on with the reason. Nothing is opened here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mens_console.ingest.safeopen import explain

_MOST_FILES: Final = 5000
_DEEPEST: Final = 12
LINKED: Final = "it is a symbolic link that leads out of the folder: name the file it points to"
_LIKE_EVIDENCE: Final = (".json", ".jsonl", ".ndjson", ".xml", ".csv", ".toml")
_SKIPPED_DIRS: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_SKIPPED_ENDS: Final = (
    ".py", ".pyc", ".md", ".rst", ".html", ".css", ".js", ".sh", ".png", ".jpg", ".svg", ".safetensors", ".bin", ".pt",
    ".pth", ".gguf", ".onnx", ".npy", ".npz", ".sig", ".pub", ".pem", ".lock", ".lcov", ".yaml", ".yml", ".so",
)  # fmt: skip
"""Names in a folder that are not looked into; a file that is named by itself always is."""


@dataclass(frozen=True, slots=True)
class Found:
    """A path to look at; `problem` says why it is not opened. `named` by the operator, not met in a folder."""

    path: str
    named: bool
    problem: str = ""


def like_evidence(path: str) -> bool:
    """Say whether a file is named as evidence is; what it holds is not looked at."""
    return path.lower().endswith(_LIKE_EVIDENCE)


def shown(path: str) -> str:
    """Return a path as evidence names it: relative to the working directory where it lies below it."""
    try:
        here = os.getcwd()  # noqa: PTH109 - a path may hold any bytes, and is no more than a text here
    except OSError:
        return path  # the working directory is gone
    whole = os.path.normpath(os.path.join(here, path))  # noqa: PTH118
    return os.path.relpath(whole, here) if whole == here or _below(whole, here) else whole


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def inside(path: str, folder: str) -> Found:
    """Return a file that must not lie outside of a folder (as `os.path.realpath` has it), links followed."""
    return Found(path, named=True, problem="" if _below(os.path.realpath(path), folder) else LINKED)


def find(paths: Sequence[str]) -> Iterator[Found]:
    """Yield every file that the paths name or hold, each once, in the order of names."""
    seen: set[str] = set()
    # What is named by itself goes before what a folder holds, which may be the same.
    for path in sorted(paths, key=os.path.isdir):
        folder = os.path.isdir(path)  # noqa: PTH112 - it raises for nothing
        for found in _walk(path, os.path.realpath(path), 0) if folder else (Found(path, named=True),):
            whole = os.path.realpath(found.path)
            if whole not in seen:
                seen.add(whole)
                yield found
            if len(seen) >= _MOST_FILES:
                yield Found(path, named=True, problem=f"it holds over {_MOST_FILES} files: name a smaller folder")
                return


def _walk(folder: str, root: str, depth: int) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Found(folder, named=True, problem=explain(error))
        return
    for entry in found:
        if entry.name.startswith(".") or entry.name in _SKIPPED_DIRS:
            continue
        if entry.is_symlink():
            if not _below(os.path.realpath(entry.path), root):
                yield Found(entry.path, named=False, problem=LINKED)
        elif entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST:
                yield from _walk(entry.path, root, depth + 1)
            else:
                yield Found(entry.path, named=False, problem="it lies too deep: name the folder itself")
        elif not entry.name.lower().endswith(_SKIPPED_ENDS):
            yield Found(entry.path, named=False)
