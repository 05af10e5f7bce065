"""Which of a run's trainer states is read: each checkpoint has one, and the newest has the history of all.

Looks at names, times and a few bytes; decodes nothing.
"""

# ruff: noqa: PTH116, PTH119  (names may hold any bytes)

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from mens_console.ingest.found import CHECKPOINT
from mens_console.ingest.safeopen import read_small

if TYPE_CHECKING:
    from mens_console.ingest.grouping import Draft, Listed

_GLOBAL_STEP: Final = re.compile(rb'"global_step"\s*:\s*(\d{1,18})')


def without_old_states(draft: Draft) -> list[Listed]:
    """Return the files of a run with one trainer state: the one that tells most.

    Each checkpoint's state holds the whole history up to it, so the highest step has all of it (the later one of two
    with the same step). The top-level state, written at the end, stands when it is as far or newer.
    """
    nested = [(step, file) for file in draft.files if (step := _checkpoint_step(file)) is not None]
    others = [file for file in draft.files if _checkpoint_step(file) is None]
    if not nested:
        return others
    step, newest = max(nested, key=lambda pair: (pair[0], _mtime(pair[1])))
    tops = [file for file in others if file.format_name == "trainer_state" and file.folder == draft.path]
    if any(_mtime(top) >= _mtime(newest) or _reached(top) >= step for top in tops):
        return others
    return sorted([file for file in others if file not in tops] + [newest], key=lambda file: file.path)


def _checkpoint_step(file: Listed) -> int | None:
    match = CHECKPOINT.fullmatch(os.path.basename(file.folder))
    return int(match[1]) if match else None


def _mtime(file: Listed) -> float:
    try:
        return os.stat(file.path).st_mtime
    except OSError:
        return 0.0  # gone: anything else is newer


def _reached(file: Listed) -> int:
    """Return the global step of a trainer state, which stands near its beginning; -1 where it does not."""
    try:
        match = _GLOBAL_STEP.search(read_small(file.path, 4096, follow=file.link))
    except OSError:
        return -1
    return int(match[1]) if match else -1
