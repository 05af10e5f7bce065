"""An earlier benchmark on one GPU, read for what several GPUs are compared with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.readers.numbers import at, count, number
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from pathlib import Path

_MOST: Final = 64 << 20
"""Bytes of a report."""


class EarlierError(Exception):
    """It is no such report; the message names the file and what would be one."""


def single_gpu(path: Path, model: str) -> tuple[dict[int, float], str]:
    """Return tokens/s on one GPU by batch, and what has to be told of the report ("": nothing).

    Raises `EarlierError`, also where its tokens were not counted by the server.
    """
    document = _document(path)
    blocks = document.get("throughput")
    found: dict[int, float] = {}
    for block in blocks if isinstance(blocks, list) else ():
        batch, mean = count(at(block, "batch")), number(at(block, "mean"))
        if at(block, "gpus") == 1 and batch and mean > 0 and at(block, "tokenizer") == "server":
            found[batch] = mean
    if not found:
        raise EarlierError(
            f"{path}: it has no throughput on one GPU whose tokens the server counted; give a report of "
            "`mens-console bench --gpus 1`"
        )
    other = at(document, "target", "model")
    note = f"one GPU was measured with {safe_text(str(other), 80)}, not with {model}" if other != model else ""
    return found, note


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
    except OSError as error:
        raise EarlierError(f"{path}: {(error.strerror or str(error)).lower()}; give an earlier report") from None
    if len(raw) > _MOST:
        raise EarlierError(f"{path}: it is over 64 MiB, too long for a report; give an earlier one")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise EarlierError(f"{path}: it is no JSON; give an earlier report of `mens-console bench`") from None
    if not isinstance(document, dict) or document.get("schema") != "mens-bench/1":
        raise EarlierError(f"{path}: it is no mens-bench/1; give an earlier report of `mens-console bench`")
    return document
