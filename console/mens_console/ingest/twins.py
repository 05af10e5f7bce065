"""Packed copies that lie beside what they are copies of: `gzip -k`, or gzip still at work. Their rows count once.

Only names and the beginnings of files are looked at.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from mens_console.ingest.safeopen import read_small

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_HEAD: Final = 1 << 16
_PACKED: Final = 1 << 16


def packed_copies(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return those of `paths` that are gzip copies of another one, `X.gz` of `X`, with the other.

    A copy unpacks to what the other begins with, a whole line of it at least; an older log that was packed before
    another began under its name does not, and stands for itself. What cannot be read is no copy.
    """
    known = set(paths)
    pairs = {path: path.with_suffix("") for path in known if path.suffix == ".gz"}
    return {path: other for path, other in pairs.items() if other in known and _is_copy(str(path), str(other))}


def _is_copy(packed: str, plain: str) -> bool:
    try:
        begins = read_small(plain, _HEAD, follow=True)
        unpacked = zlib.decompressobj(wbits=31).decompress(read_small(packed, _PACKED, follow=True), _HEAD)
    except (OSError, zlib.error):
        return False
    size = min(len(begins), len(unpacked))
    return b"\n" in begins[:size] and begins[:size] == unpacked[:size]
