"""Untyped values of producers, turned into numbers, steps, times and printable text.

Pure functions of one value each: no rows, no files, no names of fields.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any, Final

MAX_STEP: Final = 2**63 - 1
_EARLIEST: Final = 1e8
"""Numbers below this (March 1973 in seconds) are stopwatch readings, not times of the day."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|nan|inf(inity)?)", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+) days?, ?)?(\d+):([0-5]?\d)(?::([0-5]?\d(?:\.\d+)?))?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def number(value: Any) -> float | None:
    """Return `value` as a float, numbers written as text included; None for what is not a number (and for bools).

    An integer beyond the floats is an infinity of its sign.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if kind is str:
        text = value.strip()
        if len(text) <= 64 and _NUMBER.fullmatch(text):
            return float(text)
    return None


def step_of(value: Any) -> int | None:
    """Return `value` as a step: a whole number in [0, 2**63), also as `12.0` or text; otherwise None."""
    if type(value) is int:
        return value if 0 <= value <= MAX_STEP else None
    if type(value) is str and value.strip().isdecimal() and len(value) <= 24:
        return step_of(int(value))
    as_float = number(value)
    if as_float is None or not as_float.is_integer() or not 0 <= as_float < 2.0**63:
        return None
    return int(as_float)


def wall_of(value: Any) -> float | None:
    """Return a wall time in seconds since the epoch: s, ms, µs or ns told apart by magnitude, or ISO 8601 text.

    Text without a zone is local time. None for anything that is not a time of the last decades.
    """
    seconds = number(value)
    if seconds is not None:
        return _scaled(seconds)
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        return datetime.fromisoformat(value.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _scaled(seconds: float) -> float | None:
    if not _EARLIEST <= seconds < 1e20:
        return None
    if seconds < 1e11:
        return seconds
    if seconds < 1e14:
        return seconds / 1e3
    return seconds / 1e6 if seconds < 1e17 else seconds / 1e9


def seconds_of(value: Any) -> float | None:
    """Return a duration in seconds: a number, or text such as `0:32:48`, `07:11` or `4 days, 7:19:52`."""
    seconds = number(value)
    if seconds is not None or not isinstance(value, str) or len(value) > 64:
        return seconds
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        return None
    days, first, second, third = found.groups()
    if third is None:
        return int(first) * 60.0 + int(second)
    return int(days or 0) * 86400.0 + int(first) * 3600.0 + int(second) * 60.0 + float(third)


def visible(text: str, limit: int = 200) -> str:
    """Return at most `limit` characters of `text` with control, direction and zero-width characters made visible."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub(_picture, text)


def visible_bytes(data: bytes, limit: int = 200) -> str:
    """Return `visible` text of bytes in whatever encoding."""
    return visible(data[: limit * 4].decode("utf-8", "replace").rstrip("\r\n"), limit)


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"
