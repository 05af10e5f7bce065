"""Files that only their owner reads, replaced so that a power cut leaves the old one or the new one, whole."""

# The calls are those of the system, on names that may hold any bytes.
# ruff: noqa: PTH105, PTH118

from __future__ import annotations

import os
from typing import Final

from mens_console.collectors.files import OPEN, discard, write_all

PRIVATE: Final = 0o600


def replace_durably(folder: str, name: str, data: bytes) -> None:
    """Write a file beside its place, sync it, and move it there in one step; raises `OSError`, leaving nothing."""
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | OPEN, PRIVATE)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, os.path.join(folder, name))
    except OSError:
        discard(temporary)
        raise
    sync_folder(folder)


def sync_folder(folder: str) -> None:
    """Let the names in a folder reach the disk; where the file system knows no such thing, that is all right."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        return
    finally:
        os.close(fd)
