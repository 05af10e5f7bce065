"""Which files below a folder hold KPI records, or a training's telemetry: known by their first bytes.

Nothing is read beyond a file's head, no link is followed, and pipes and devices are not opened.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.ingest.formats.elsewhere import KPI, recognise_elsewhere
from mens_console.ingest.safeopen import explain, read_small
from mens_console.ingest.twins import packed_copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD: Final = 64 << 10
MAX_DEPTH: Final = 8
MAX_FILES: Final = 10_000
_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
TRAINING_NAMES: Final = frozenset({"telemetry.jsonl", "metrics.jsonl", "training_skip_stats.json"})
"""Files of a training that KPIs of tier 2 are read from."""
_FIGURES: Final = re.compile(rb'"(compile_pass_at_1|compile_pass_at_n|pass_at_1)"\s*:')


def files_of(paths: Sequence[Path], problems: list[str] | None = None) -> list[str]:
    """Return the files to read: those named, and those below the folders named that hold what KPIs are made of.

    `problems` takes what could not be listed, with its cure.
    """
    found: dict[str, None] = {}
    for path in paths:
        name = os.path.abspath(path)  # noqa: PTH100 (links stay)
        if os.path.isdir(name):  # noqa: PTH112
            below = list(_below(name, [] if problems is None else problems))
            copies = packed_copies(map(Path, below))
            found.update(dict.fromkeys(one for one in below if Path(one) not in copies))
        else:
            found[name] = None
    return list(found)


def _below(root: str, problems: list[str]) -> Iterator[str]:
    def refused(error: OSError) -> None:
        problems.append(f"{error.filename}: {explain(error, folder=True)}")

    seen = 0
    for folder, folders, files in os.walk(root, onerror=refused):
        depth = folder[len(root) :].count(os.sep)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH else []
        for name in sorted(files):
            if not name.lower().endswith(_ENDINGS):
                continue
            seen += 1
            if seen > MAX_FILES:
                return
            path = os.path.join(folder, name)  # noqa: PTH118
            if _is_ours(path, name):
                yield path


def _is_ours(path: str, name: str) -> bool:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        head = read_small(path, HEAD)
    except OSError:
        return False
    if name in TRAINING_NAMES:
        return True
    format = recognise_elsewhere(name, head)
    if format is not None:
        return format.name == KPI
    return head.lstrip()[:1] == b"{" and _FIGURES.search(head, 0, 8192) is not None
