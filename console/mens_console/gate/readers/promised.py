"""A manifest file, `mens-manifest/1`: the files that a decision rests on, their digests, and the metrics they promise.

It is no evidence itself. What it promises and is not there leaves its metric without evidence.
"""

from __future__ import annotations

import os.path
import re
from typing import Any, Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.numbers import at
from mens_console.gate.readers.sheet import Sheet

SCHEMA: Final = "mens-manifest/1"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def claims(document: Any) -> bool:
    """Whether it is a manifest."""
    return bool(at(document, "schema") == SCHEMA)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Put what is promised on the sheet; paths are relative to the manifest, and may not lead out of its folder."""
    files = document.get("files")
    if not isinstance(files, list):
        sheet.problem = "it has no list of files"
        return
    for place, one in enumerate(files):
        path, digest, metrics = at(one, "path"), at(one, "sha256"), at(one, "metrics")
        if not isinstance(path, str) or not _inside(path):
            sheet.problem = f"/files/{place}/path leads out of its folder, or is no path"
            return
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            sheet.problem = f"/files/{place}/sha256 is no SHA-256 in hexadecimal"
            return
        if not isinstance(metrics, list) or any(metric not in METRICS for metric in metrics):
            sheet.problem = f"/files/{place}/metrics names what is no metric"
            return
        sheet.listed += [(str(metric), path, digest) for metric in metrics]


def _inside(path: str) -> bool:
    whole = os.path.normpath(path)
    return (
        bool(path)
        and "\0" not in path
        and not path.startswith(("/", "\\"))
        and whole != os.pardir
        and not whole.startswith(os.pardir + os.sep)
    )
