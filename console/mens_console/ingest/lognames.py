"""Short names for log streams that are shown together: no more than tells them apart.

Strings only.
"""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence


def short_names(streams: Sequence[tuple[str, PurePath]]) -> list[str]:
    """Return a name for each stream, given as its run (or folder) and its file: safe text.

    That is the file's name; where several are called alike the run's, where it has one stream alone, else both; where
    that is not enough, the last folders of the path.
    """
    files = Counter(path.name for _, path in streams)
    owners = Counter(owner for owner, _ in streams)
    names = [
        path.name if files[path.name] == 1 else owner if owners[owner] == 1 and owner else f"{owner}/{path.name}"
        for owner, path in streams
    ]
    seen = Counter(names)
    return [
        safe_text(name if seen[name] == 1 else str(PurePath(*path.parts[-3:])), 200)
        for name, (_, path) in zip(names, streams, strict=True)
    ]
