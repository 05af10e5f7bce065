"""Records that are found with the runs and read in other rooms: generation attempts, KPI records, and soaks.

Only recognised here, by content. As formats they hold nothing: what they say is no series of a training.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

from mens_console.ingest.formats.base import Format
from mens_console.ingest.formats.lines import BOM
from mens_console.ingest.formats.loadtools import load_tool
from mens_console.ingest.records import Batch
from mens_contracts.aliases import spellings

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTEMPTS: Final = "attempts"
KPI: Final = "kpi"
SOAK: Final = "soak"
"""The plan of a soak: its folder is the soak."""
SOAK_IMPORT: Final = "soak import"
"""A file in which another tool recorded load on a server."""
SOAK_PART: Final = "soak part"
"""What a soak's driver writes beside its plan."""
_GZIP: Final = b"\x1f\x8b"
_ROWS: Final = 20
"""Lines that are looked at before a file counts as something else."""
_OWN: Final = frozenset(
    {"persona_id", "opening_move", "anchors_used", "validator_scores", "repairs", "constraint_categories"}
)
"""Fields of an attempt that nobody else writes by these names; two of them tell."""
_COMMON: Final = frozenset({"stage", "attempt", "status", "latency_ms", "prompt_tokens", "completion_tokens"})
_MEANT: Final = spellings("mens_generation_attempt_v1")
_SURE: Final = 3
"""Fields of either kind that tell an attempt of which names have drifted: those names are anybody's."""
_MARKS: Final = _OWN | {name for name, field in _MEANT.items() if field in _OWN}
_SCHEMAS: Final = re.compile(
    rb'"schema"\s*:\s*"(mens_generation_event|vox_runtime_generation_kpi|vox_mens_scorecard_summary|mens_benchmark_summary)'
)
_PLAN: Final = re.compile(rb'"schema"\s*:\s*"mens-soak-plan/')
_PART_NAME: Final = re.compile(r"(?:journal-\d+|minutes)\.ndjson(?:\.gz)?")
_PART: Final = re.compile(rb'\{"k":|\{[^\n]*"(?:next|due|latencies)":')
_SCORED: Final = (b'"condition_id"', b'"compile_pass_1"')


def recognise_elsewhere(name: str, head: bytes) -> Format | None:
    """Return the kind of record that a file holds, by its first bytes; None where it is none of them."""
    packed = head.startswith(_GZIP)
    if packed:
        head = _unpacked(head) if name.lower().endswith(".gz") else b""
    if name == "plan.json" and _PLAN.search(head, 0, 4096):
        return _FOUND[SOAK]
    if _PART_NAME.fullmatch(name) and _PART.match(head.replace(b" ", b"", 64)):
        return _FOUND[SOAK_PART]
    if _SCHEMAS.search(head, 0, 4096) or all(mark in head for mark in _SCORED):
        return _FOUND[KPI]
    if not packed and load_tool(head) is not None:
        return _FOUND[SOAK_IMPORT]
    if not any(b'"%s"' % mark.encode() in head for mark in _MARKS):
        return None
    return _FOUND[ATTEMPTS] if any(_is_attempt(row) for row in _rows(head)) else None


def _rows(head: bytes) -> Iterator[dict[str, object]]:
    from mens_console.ingest.formats.jsontext import objects  # loads a JSON reader, which few commands need

    lines = (line for line in head.removeprefix(BOM).splitlines() if line.lstrip().startswith(b"{"))
    for _, line in zip(range(_ROWS), lines, strict=False):
        yield from objects(line)[0]


def _is_attempt(row: dict[str, object]) -> bool:
    own, common = len(_OWN & row.keys()), len(_COMMON & row.keys())
    if own >= 2 or (own == 1 and common >= 2):
        return True
    meant = row.keys() | {_MEANT[name] for name in row.keys() & _MEANT.keys()}
    return len(_OWN & meant) >= _SURE and len(_COMMON & meant) >= _SURE


def _unpacked(head: bytes) -> bytes:
    """Return the beginning of what a gzip file's beginning holds, as much as of any other file."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 64 << 10)
    except zlib.error:
        return b""


class _Elsewhere:
    """Takes bytes and returns nothing: they are read in another room."""

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Consume everything."""
        del at, final
        return len(data), Batch()


_KINDS: Final = (ATTEMPTS, KPI, SOAK, SOAK_IMPORT, SOAK_PART)
_FOUND: Final = {name: Format(name, 99, lambda *_: False, _Elsewhere) for name in _KINDS}
NAMES: Final = frozenset(_FOUND)
