"""Values, counts and times as producers write them: as numbers, as strings, or not at all.

Nothing is guessed: what is no number is NaN or None. Pure functions, no clock.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

_NAMED_TIMES = ("%Y%m%d-%H%M%S",)


def number(value: Any) -> float:
    """Return a number, also of a string that holds one; NaN for anything else (booleans too)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def tidy(value: float) -> float:
    """Return a computed value without the dust of binary fractions: 0.57 × 100 is 57, not 56.99999999999999.

    Nine decimals stay, which is less than any unit of the gate resolves; a threshold is met where the figures meet it.
    """
    return round(value, 9) if math.isfinite(value) else value


def count(value: Any) -> int | None:
    """Return a whole number from 0 to 2⁶³, or None."""
    found = number(value)
    if not 0 <= found <= 2**63 or found != int(found):
        return None
    return int(found)


def garbled(value: Any) -> bool:
    """Whether something stands where a count belongs, and is none: not absent, but NaN, negative, text or a list."""
    return value is not None and count(value) is None


def when(value: Any) -> tuple[float, bool]:
    """Return a time in seconds since the epoch (NaN: none was told) and whether its time zone is known.

    ISO 8601, `20261121-055530` and numbers of seconds are read; a time without a zone is this box's local time.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value), True) if math.isfinite(value) and 0 < value < 1e11 else (math.nan, False)
    if not isinstance(value, str) or len(value) > 64:
        return math.nan, False
    told = _parsed(value.strip())
    if told is None:
        return math.nan, False
    try:
        return told.timestamp(), told.tzinfo is not None
    except (OverflowError, ValueError, OSError):
        return math.nan, False


def _parsed(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        pass
    for shape in _NAMED_TIMES:
        try:
            return datetime.strptime(value, shape)  # a local time, as its tool writes it
        except ValueError:
            continue
    return None


def whole(share: float, n: int | None) -> int | None:
    """Return how many of `n` a share (0 to 1) stands for, where it comes from a count; None where it cannot.

    A share that was rounded to four digits is still recognised while `n` is below some thousands.
    """
    if n is None or n <= 0 or not 0 <= share <= 1:
        return None
    near = round(share * n)
    return near if abs(share * n - near) <= 0.01 else None


def at(document: Any, *path: str | int) -> Any:
    """Return what stands at a path of keys and places in a document, or None."""
    for key in path:
        if isinstance(key, str) and isinstance(document, dict):
            document = document.get(key)
        elif isinstance(key, int) and isinstance(document, list) and -len(document) <= key < len(document):
            document = document[key]
        else:
            return None
    return document


def pointer(*path: str | int) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
