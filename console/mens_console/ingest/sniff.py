"""What a file is, by its name and its first (and last) bytes, and when that is to be asked again.

One file at a time; which files there are is `discover`'s.
"""

# ruff: noqa: PTH116, PTH119  (thousands of files are looked at again and again)

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.foreign import why_foreign
from mens_console.ingest.formats.elsewhere import NAMES as ELSEWHERE
from mens_console.ingest.safeopen import read_small
from mens_console.ingest.walk import is_set_aside

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.ingest.formats.base import Format

HEAD: Final = 64 << 10
"""Bytes of a file that a recogniser is shown."""
WEAK: Final = "log"
"""The format of text that says nothing better yet: a trainer's console begins as any log does."""
GROWN: Final = 1.1
"""A file that is not surely recognised is looked into again when it grew by so much: only logarithmically often."""


class Key(NamedTuple):
    """What a file looked like when it was looked into; while nothing of it changes, nor does the answer."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str, *, follow: bool) -> Key:
        """Return what it looks like now. Raises OSError."""
        status = os.stat(path, follow_symlinks=follow)
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


NO_KEY: Final = Key(0, 0, 0, 0, 0)


@dataclass(slots=True)
class Sniff:
    """What was found when a file was looked into; `link` says that it was followed as one."""

    key: Key
    format: Format | None
    link: bool


def look_into(
    path: str, size: int, recognise: Callable[[str, bytes], Format | None], *, link: bool, asked: bool
) -> tuple[Format | None, str | None]:
    """Recognise a file by its head, a long one also by its end; where it is none of ours, say why if that is known.

    A log may have become a trainer's console, and before the rows of metrics may stand what is none of them. Files that
    were `asked` for by name are taken as they are. Raises OSError.
    """
    name = os.path.basename(path)
    head = read_small(path, HEAD, follow=link)
    found = recognise(name, head) if head else None
    if not asked and is_set_aside(name):
        # Attempts count as long as they are there; a training's rotated files would be runs of their own.
        return (found if found is not None and found.name in ELSEWHERE else None), None
    if size > HEAD and (found is None or found.name == WEAK):
        end = read_small(path, HEAD, offset=size - HEAD, follow=link)
        later = recognise(name, end[end.find(b"\n") + 1 :])
        found = later if later is not None and (found is not None or later.name == "jsonl") else found
    return found, why_foreign(name, head) if found is None else None


def unsure(sniff: Sniff) -> bool:
    """Whether a file was not recognised, or only as text."""
    return sniff.format is None or sniff.format.name == WEAK


def may_differ(sniff: Sniff, key: Key) -> bool:
    """Whether a changed file may be recognised otherwise than before."""
    if sniff.key.inode != key.inode or key.size < sniff.key.size:
        return True
    is_short = sniff.format is None and sniff.key.size < HEAD
    return is_short or key.size > sniff.key.size * GROWN
