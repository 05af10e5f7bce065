"""JSON of evidence: strict where it matters. A key that stands twice in an object has two values, and is refused.

NaN and Infinity are read as they are, so that a reader can say which value is none.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

_BOM = b"\xef\xbb\xbf"


class TwiceError(ValueError):
    """A key stands twice in one object."""


def parse(data: bytes) -> Any:
    """Return the value of a JSON text; ValueError, with line and column, where it is none."""
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not whole JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None


def row(line: bytes) -> Any:
    """Return the value of one line of JSON; ValueError where it is none.

    Lines are read fast, and by their last value where a key stands twice: aiperf writes such lines.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line.removeprefix(_BOM).decode("utf-8"), parse_int=_whole)  # NaN, Infinity


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise TwiceError(f"the key {key[:60]!r} stands twice in one object, with two values")
            seen.add(key)
    return found


def _whole(text: str) -> int | float:
    """Read an integer; beyond 400 digits it is beyond the floats, and slow to read exactly."""
    if len(text) <= 400:
        return int(text)
    return -math.inf if text.startswith("-") else math.inf
