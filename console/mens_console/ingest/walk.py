"""Which files could be sources: folders listed only when they changed, within bounds, links and loops under control.

Judges names and kinds alone; opens no file.
"""

# A walk over a thousand folders every second and a half: strings and `os`, not `Path`s. Names may hold any bytes.
# ruff: noqa: PTH110, PTH112, PTH116, PTH118

from __future__ import annotations

import os
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.ingest.found import CHECKPOINT
from mens_console.ingest.grouping import MARKERS
from mens_console.ingest.safeopen import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "site-packages"})
_NAMES: Final = frozenset(
    {"trainer_state.json", "training_status.json", "status.json", "plan.json", "stdout", "stderr", "nohup.out", "log"}
)
_SUFFIXES: Final = (".jsonl", ".ndjson", ".csv", ".log", ".out", ".err", ".stdout", ".stderr")
_TEXT_LOG: Final = re.compile(r"(log|out|err|train|console|slurm).*\.txt", re.IGNORECASE)
_LOAD: Final = re.compile(
    r"bench|guidellm|vllm|sglang|openai|aiperf|genai|k6|locust|qps|profile_export|load.?test|test.?result"
)
"""What results of load tools are called like; what they are is told by their content."""
_ASIDE: Final = re.compile(r"(?:\.\d{1,6}|[-.]\d{4}-?\d\d-?\d\d(?:[-_.t]?\d{2,10})?)?(?:\.gz)?")
"""What rotation and compression append to a name, in lower case: `.3`, `-20260131`, `.2.gz`."""
_WANDB_OWN: Final = re.compile(r"debug[\w.-]*\.log", re.IGNORECASE)
"""What the W&B client says about itself, its own tracebacks included: not the run's words."""
_SETTLED_NS: Final = 2_000_000_000
"""A folder changed within the clock's granularity of its listing may hold more than was listed: list it again."""


@dataclass(slots=True)
class Folder:
    """One listed folder. `files` maps candidates to their inodes; `links` are what may be followed."""

    path: str
    identity: tuple[int, int]
    mtime_ns: int
    settled: bool
    folders: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)
    entries: int = 0


def is_candidate(name: str) -> bool:
    """Whether a file of that name is worth looking into."""
    return _is_named(name.lower()) or is_set_aside(name)


def is_set_aside(name: str) -> bool:
    """Whether a file was rotated away or compressed, going by its name."""
    lower = name.lower()
    return not _is_named(lower) and any(
        _is_named(lower[:end]) and _ASIDE.fullmatch(lower, end) for end in _ends_of_names(lower)
    )


def _ends_of_names(lower: str) -> Iterator[int]:
    return (place for place, char in enumerate(lower) if char in ".-" and place)


def _is_named(lower: str) -> bool:
    if lower.endswith(".json"):
        return lower in _NAMES or bool(_LOAD.search(lower))
    return lower in _NAMES or lower.endswith(_SUFFIXES) or "tfevents" in lower or bool(_TEXT_LOG.search(lower))


class Walk:
    """Walks `roots` (real folders, none inside another) round after round, resumable in the middle of one.

    `follow_outside` allows links that lead out of all roots; other links are always followed, after the real folders,
    so that a run is known by its real name. `clock_ns` is wall time, to compare with what the file system stamps.
    """

    def __init__(
        self,
        roots: Sequence[str],
        *,
        follow_outside: bool,
        max_depth: int,
        max_entries: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.folders: dict[str, Folder] = {}
        self.problems: dict[str, str] = {}
        self.outside = 0
        """Links of the last round that lead out of all roots and were left alone."""
        self._roots = tuple(roots)
        self._follow_outside = follow_outside
        self._max_depth = max_depth
        self._max_entries = max_entries
        self._clock_ns = clock_ns

    def round(self) -> Iterator[Folder]:
        """Yield every folder in turn, listed anew if it changed; at the end forget those that are gone."""
        before, self.folders = self.folders, dict(self.folders)
        seen: dict[str, Folder] = {}
        visited: set[tuple[int, int]] = set()
        problems: dict[str, str] = {}
        self.outside = entries = 0
        queue = deque((root, 0) for root in self._roots)
        links: deque[tuple[str, int]] = deque()
        while queue or links:
            path, depth = queue.popleft() if queue else links.popleft()
            try:
                folder = self._list(path, before.get(path), visited)
            except OSError as error:
                problems[path] = f"{path}: {explain(error, folder=True)}"
                continue
            if folder is None:
                continue
            seen[path] = self.folders[path] = folder
            entries += folder.entries
            if entries > self._max_entries:
                problems[path] = (
                    f"{path}: more than {self._max_entries} files and folders seen, the rest is left out: "
                    "name a folder closer to the runs"
                )
                queue.clear()
                links.clear()
            elif depth < self._max_depth:
                queue.extend((os.path.join(path, name), depth + 1) for name in folder.folders)
                links.extend((target, depth + 1) for target in self._linked(folder, problems) if os.path.isdir(target))
            yield folder
        self.folders, self.problems = seen, problems

    def _list(self, path: str, known: Folder | None, visited: set[tuple[int, int]]) -> Folder | None:
        status = os.stat(path)
        identity = (status.st_dev, status.st_ino)
        if identity in visited:
            return None  # another name of a folder that was already walked
        visited.add(identity)
        same = known is not None and known.identity == identity and known.mtime_ns == status.st_mtime_ns
        if known is not None and same and known.settled:
            return known
        settled = self._clock_ns() - status.st_mtime_ns > _SETTLED_NS
        folder = Folder(path, identity, status.st_mtime_ns, settled)
        with os.scandir(path) as entries:
            for entry in entries:
                folder.entries += 1
                _sort_in(folder, entry)
        folder.folders.sort()
        unchanged = known is not None and (known.files, known.links, known.folders, known.markers) == (
            folder.files,
            folder.links,
            folder.folders,
            folder.markers,
        )
        if known is not None and unchanged and same:
            known.settled = settled
            return known
        return folder

    def _linked(self, folder: Folder, problems: dict[str, str]) -> Iterator[str]:
        for name in folder.links:
            path = os.path.join(folder.path, name)
            if self.may_follow(path):
                yield path
            else:
                self.outside += 1
                problems[path] = f"{path}: a link out of the watched folders, not followed: name its target as a root"

    def may_follow(self, path: str) -> bool:
        """Whether the link at `path` leads into a root, or anywhere if the operator allowed that."""
        target = os.path.realpath(path)
        inside = any(target == root or target.startswith(root.rstrip(os.sep) + os.sep) for root in self._roots)
        return inside or (self._follow_outside and os.path.exists(target))


def _sort_in(folder: Folder, entry: os.DirEntry[str]) -> None:
    name = entry.name
    if _WANDB_OWN.fullmatch(name) and "wandb" in folder.path:
        return
    try:
        if entry.is_symlink():
            if not name.startswith(".") and name not in _SKIPPED:
                is_folder = entry.is_dir()
                if is_folder or is_candidate(name):
                    folder.links.append(name)
        elif entry.is_dir(follow_symlinks=False):
            if not name.startswith(".") and name not in _SKIPPED:
                folder.folders.append(name)
                if CHECKPOINT.fullmatch(name):
                    folder.markers.append(name)
        elif is_candidate(name) or name in MARKERS:
            if name in MARKERS:
                folder.markers.append(name)
            if is_candidate(name):
                folder.files[name] = entry.inode()
    except OSError:
        return  # gone between being listed and being looked at
