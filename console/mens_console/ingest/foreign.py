"""Why a file that is named like metrics is not read: it is compressed, a pointer, or not text at all.

Looks at a name and first bytes that others read; text of any other kind is nobody's fault and goes unmentioned.
"""

from __future__ import annotations

from typing import Final

from mens_console.ingest.formats.log import is_text

_METRICS: Final = (".jsonl", ".ndjson", ".csv", "trainer_state.json", "training_status.json")
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
_POINTER: Final = b"version https://git-lfs.github.com/"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def why_foreign(name: str, head: bytes) -> str | None:
    """Say why a file of metrics, going by its `name`, is not read though it holds `head`, and what cures it."""
    lower = name.lower()
    is_events = "tfevents" in lower
    if not head or not (is_events or lower.endswith(_METRICS)):
        return None
    kind = next((kind for magic, kind in _COMPRESSED.items() if head.startswith(magic)), None)
    if kind is not None:
        return f"it is compressed ({kind}): it is not read, unpack it"
    if head.startswith(_POINTER):
        return "it is a git-lfs pointer: fetch the file itself (git lfs pull)"
    if head.startswith(_UTF16):
        return "it is UTF-16: it is not read, write it as UTF-8"
    if is_events:
        return "it is no event file: it is not read" if len(head) >= 12 else None
    return None if is_text(head) else "it is binary: it is not read"
